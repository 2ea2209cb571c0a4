/* SPDX-License-Identifier: MIT */
#include "rogue.h"

#include <errno.h>
#include <string.h>

#include "tools/ixnic/bus/memory.h"

static void on_answer(void *ctx, int err, const void *data)
{
	struct rogue *rogue = ctx;

	rogue->err = err;
	if (data)
		memcpy(rogue->data, data, rogue->len);
	rogue->done(rogue->ctx);
}

int rogue_start(struct nic *nic, struct server *server, struct rogue *rogue)
{
	if (!server_client(server))
		return -ENOTCONN;
	if (memory_enabled(nic) && !memory_reaches(nic, rogue->iova, rogue->len, rogue->write)) {
		rogue->path = ROGUE_MESSAGE;
		return server_dma(server, rogue->iova, rogue->len,
				  rogue->write ? rogue->data : NULL, on_answer, rogue);
	}
	if (!memory_enabled(nic)) {
		rogue->path = ROGUE_OFF;
		rogue->err = -EPERM;
	} else {
		rogue->path = ROGUE_SHARED;
		rogue->err = rogue->write ? memory_write(nic, rogue->iova, rogue->data, rogue->len)
					  : memory_read(nic, rogue->iova, rogue->data, rogue->len);
	}
	rogue->done(rogue->ctx);
	return 0;
}
