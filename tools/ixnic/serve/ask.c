/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <errno.h>
#include <string.h>

#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/loop.h"

#define ERRNO_MAX 4095u

void ask_init(struct ask *ask, struct nic *nic, struct config_space *config)
{
	*ask = (struct ask){.nic = nic, .config = config};
}

static bool is_read(const struct ask *ask)
{
	return ask->header.command == VU_DMA_READ;
}

static void over(struct ask *ask, int err, const void *data)
{
	ask_fn done = ask->done;

	ask->state = ASK_NONE;
	ask->done = NULL;
	loop_timer_set(ask->nic->loop, LOOP_TIMER_ASK, 0, NULL, NULL);
	if (done)
		done(ask->ctx, err, data);
}

static void on_deadline(void *ctx, uint32_t events)
{
	struct ask *ask = ctx;

	(void)events;
	if (ask->state == ASK_SENT)
		ask->late++;
	if (is_read(ask)) {
		config_space_completion_timeout(ask->config);
		interrupt_pci_exception(ask->nic, IXGBE_PIENA_TO);
	}
	over(ask, -ETIMEDOUT, NULL);
}

int ask_start(struct ask *ask, uint64_t iova, size_t len, const void *data, ask_fn done, void *ctx)
{
	if (ask->state != ASK_NONE)
		return -EBUSY;
	if (len == 0 || len > sizeof(ask->data))
		return -EMSGSIZE;
	ask->state = ASK_READY;
	ask->done = done;
	ask->ctx = ctx;
	ask->header.id++;
	ask->header.command = data ? VU_DMA_WRITE : VU_DMA_READ;
	ask->header.size = (uint32_t)(sizeof(ask->header) + sizeof(ask->access));
	ask->access = (struct vu_dma_access){.addr = iova, .count = len};
	if (data) {
		ask->header.size += (uint32_t)len;
		memcpy(ask->data, data, len);
	}
	loop_timer_set(ask->nic->loop, LOOP_TIMER_ASK, loop_now_ns() + ASK_DEADLINE_NS, on_deadline,
		       ask);
	return 0;
}

void ask_cancel(struct ask *ask)
{
	ask->done = NULL;
}

size_t ask_take(struct ask *ask, uint8_t *out)
{
	size_t fixed = sizeof(ask->header) + sizeof(ask->access);

	if (ask->state != ASK_READY)
		return 0;
	memcpy(out, &ask->header, sizeof(ask->header));
	memcpy(out + sizeof(ask->header), &ask->access, sizeof(ask->access));
	memcpy(out + fixed, ask->data, ask->header.size - fixed);
	ask->state = ASK_SENT;
	return ask->header.size;
}

/* The bytes in the reply to a read; NULL: not those that were asked for. Our counts fit in 32 bits.
 * QEMU's `count` has no more, and its data follows at once: an upper half that is not 0 is data. */
static const uint8_t *bytes_read(const struct ask *ask, const struct vu_message *m)
{
	struct vu_dma_access access;

	if (m->len < sizeof(access) || m->len - sizeof(access) < ask->access.count)
		return NULL;
	memcpy(&access, m->data, sizeof(access));
	if ((uint32_t)access.count != ask->access.count)
		return NULL;
	return m->data + sizeof(access) - (access.count >> 32 ? sizeof(uint32_t) : 0);
}

bool ask_reply(struct ask *ask, const struct vu_message *m)
{
	const uint8_t *data = NULL;
	uint32_t error = m->header.error;

	if (m->header.command != VU_DMA_READ && m->header.command != VU_DMA_WRITE)
		return false;
	if (ask->state != ASK_SENT || m->header.id != ask->header.id) {
		if (ask->late == 0)
			return false;
		ask->late--;
		return true;
	}
	if (m->header.command != ask->header.command)
		return false;
	if (m->header.flags & VU_ERROR) {
		if (is_read(ask))
			config_space_master_abort(ask->config);
		over(ask, error == 0 || error > ERRNO_MAX ? -EIO : -(int)error, NULL);
		return true;
	}
	if (is_read(ask) && !(data = bytes_read(ask, m)))
		return false;
	over(ask, 0, data);
	return true;
}

void ask_client_left(struct ask *ask)
{
	ask->late = 0;
	if (ask->state != ASK_NONE)
		over(ask, -ENODEV, NULL);
}
