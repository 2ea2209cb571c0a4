/* SPDX-License-Identifier: MIT */
/* The parts of the vfio-user backend. Internal to libixgbe. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ixgbe/ixgbe.h"
#include "ixgbe/vfio_user/vfio_user.h"

#define VFIO_USER_DEADLINE_S 5 /* to connect, to send a message, and to wait for its reply */

/* ---- vfio_user_channel.c ---- */

/* Memory that the server may reach. */
struct channel_memory {
	uint8_t *at;
	uint64_t iova;
	uint64_t size;
};

/* The connection to a server. Its user holds a lock; `gone` and `refused` are read without. */
struct channel {
	_Atomic bool gone;        /* out of use, for good */
	_Atomic uint32_t refused; /* accesses of the server to other memory */
	uint16_t id;              /* of the next message */
	bool (*give_up)(void *ctx);
	void *give_up_ctx;
	struct channel_memory *memory;
	size_t memories, memory_room;
	struct ixgbe_journal *journal; /* the caller's, or `none` */
	struct ixgbe_journal none;
	uint32_t stale; /* journal->asked of a user that died: its reply may come */
	struct vu_stream stream;
};

/* `sock` passes to the channel. The options, which may be NULL, have give_up. */
void channel_init(struct channel *channel, int sock, const struct ixgbe_options *options);
void channel_close(struct channel *channel);

/* A command that gets no reply. An error puts the connection out of use; later ones are -ENODEV. */
int channel_post(struct channel *channel, uint16_t number, const struct iovec *part,
		 uint32_t parts);
/* A command, and its reply, which the caller closes. Errors are the server's, which change nothing,
 * or the connection's, as above. -EPROTO: the reply has less than `reply_min` bytes. */
int channel_call(struct channel *channel, uint16_t number, const struct iovec *part, uint32_t parts,
		 size_t reply_min, struct vu_message *reply);
/* The same for the first command. A server that is busy may say so and close before the command is
 * sent. Its reply decides then, not the error of the send. */
int channel_call_first(struct channel *channel, uint16_t number, const struct iovec *part,
		       uint32_t parts, struct vu_message *reply);
/* A command of `len` bytes in `fixed`, with `fds` descriptors. The first `reply_len` bytes of its
 * reply come to the same place. */
int channel_exchange(struct channel *channel, uint16_t number, void *fixed, size_t len,
		     const int *fd, uint32_t fds, size_t reply_len);

/* Answers the server's own commands that have come, without waiting for more; `received`: only
 * those that were received already, with a reply of ours. Errors are the connection's, as above;
 * a reply is one, too, since none is awaited. */
int channel_serve(struct channel *channel, bool received);
/* The same, until nothing that was received is left over: not for half a message. -EAGAIN: the rest
 * does not come soon. */
int channel_settle(struct channel *channel);
/* Writes there from now on. One that is in use already is of the connection's user before this one,
 * who died: the numbers of messages go on, and the reply to that one's last command is nobody's. */
void channel_journal(struct channel *channel, struct ixgbe_journal *journal);
/* Puts the connection out of use; by any thread. */
void channel_lose(struct channel *channel);

/* Makes room for one more memory: -ENOMEM. */
int channel_memory_reserve(struct channel *channel);
/* The caller makes sure that there is room. */
void channel_memory_add(struct channel *channel, struct channel_memory memory);
void channel_memory_remove(struct channel *channel, uint64_t iova, uint64_t size);

/* ---- vfio_user_socket.c ---- */

/* A connection to the server that listens at `path`, or -errno. The options may be NULL. */
int vfio_user_connect(const char *path, const struct ixgbe_options *options, struct ixgbe_why *why);
/* The connected socket whose number is `text`, or -errno. */
int vfio_user_inherit(const char *text, struct ixgbe_why *why);
/* Fills `why` for an error of the exchange named `what`; `within`: in the middle of a message. */
int vfio_user_explain(const char *name, const char *what, bool within, int err,
		      struct ixgbe_why *why);
