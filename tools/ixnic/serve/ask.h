/* SPDX-License-Identifier: MIT */
/*
 * Questions of the server to its client: one DMA_READ or DMA_WRITE at a time, whose reply comes in
 * the stream between the client's commands. server.c moves the messages.
 *
 *     ask_start ── ask_take ── ask_reply ──┐
 *         └──────────┴──── the deadline ───┴─ done
 *
 * As on hardware, a read that fails shows in the function's registers. A write is posted: its end
 * shows in no register, and only the operator hears of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/vfio_user/vfio_user.h"
#include "tools/ixnic/bus/config_space.h"
#include "tools/ixnic/nic.h"

#define ASK_BYTES_MAX   256u /* of data */
#define ASK_DEADLINE_NS 5000000000ull

/* The end of a question. 0: bytes that were read are at `data` until the return; the client's
 * -errno: it refused; -ETIMEDOUT: no answer before the deadline; -ENODEV: it left. */
typedef void (*ask_fn)(void *ctx, int err, const void *data);

struct ask {
	struct nic *nic;
	struct config_space *config;
	enum { ASK_NONE, ASK_READY, ASK_SENT } state;
	struct vu_header header; /* of the last one */
	struct vu_dma_access access;
	uint8_t data[ASK_BYTES_MAX];
	uint32_t late; /* questions that were given up; their replies may come yet */
	ask_fn done;   /* NULL: nobody wants to know */
	void *ctx;
};

void ask_init(struct ask *ask, struct nic *nic, struct config_space *config);
/* `data`: bytes to write, NULL: a read. -EBUSY: one is under way; -EMSGSIZE. */
int ask_start(struct ask *ask, uint64_t iova, size_t len, const void *data, ask_fn done, void *ctx);
void ask_cancel(struct ask *ask); /* without `done` */
/* Writes the message to `out` if it is to be sent, and returns its length; else 0. */
size_t ask_take(struct ask *ask, uint8_t *out);
/* False: the reply answers nothing that was asked, or makes no sense. */
bool ask_reply(struct ask *ask, const struct vu_message *m);
void ask_client_left(struct ask *ask);
