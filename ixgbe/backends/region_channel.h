/* SPDX-License-Identifier: MIT */
/*
 * The registers over a channel of their own, an ioregionfd of a vfio-user server
 * (ixgbe/vfio_user/vfio_user.h). Who has the descriptor needs no connection. Internal to libixgbe.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"
#include "ixgbe/vfio_user/vfio_user.h"

/*
 * A connection to the same server, which may wait for us there before it goes on here. When `fd` is
 * readable during a wait, `serve` is called. It returns 0, -EAGAIN: somebody else is at it, or
 * -errno, which ends the wait. It takes no lock that its caller waits for.
 */
struct region_meanwhile {
	int fd;
	int (*serve)(void *ctx);
	void *ctx;
};

struct region_channel {
	pthread_mutex_t lock; /* of one access, with its answer; the rest stays as it is */
	_Atomic bool gone;    /* out of use, for good */
	int sock;             /* -1: no channel */
	uint64_t user_data;
	uint64_t deadline_ns; /* how long an access may take */
	bool (*give_up)(void *ctx);
	void *give_up_ctx;
	struct region_meanwhile meanwhile; /* fd -1: none */
};

/* No channel yet. */
void region_channel_init(struct region_channel *channel);
/*
 * `sock` passes to the channel, also on failure; `sub` is what the server says of it. An access
 * takes `deadline_ns` at most, and the options, which may be NULL, have give_up. `meanwhile` may be
 * NULL. -ENOTSOCK: no stream socket.
 */
int region_channel_open(struct region_channel *channel, int sock, const struct vu_sub_region *sub,
			uint64_t deadline_ns, const struct ixgbe_options *options,
			const struct region_meanwhile *meanwhile);
void region_channel_close(struct region_channel *channel);

/*
 * Of any thread. A write is posted; a read returns after all earlier writes have taken effect. The
 * first error puts the channel out of use, and later ones are -ENODEV. -EPIPE: the server closed
 * it; -EPROTO: an answer to nothing; -ETIMEDOUT; -ECANCELED: given up; or what `meanwhile` said.
 */
int region_channel_read32(struct region_channel *channel, uint32_t offset, uint32_t *value);
int region_channel_write32(struct region_channel *channel, uint32_t offset, uint32_t value);
