/* SPDX-License-Identifier: MIT */
/*
 * Messages to a vfio-user server and their replies.
 *
 * Commands wait for their reply one at a time: the next reply is the one, which is checked. The
 * server handles messages in order, so the reply to a read comes after every earlier write is done.
 *
 * The server may ask for memory while we wait for its reply. It gets memory that is mapped for the
 * device. The rest is refused and counted: we are the IOMMU of this device.
 *
 * Who is killed leaves the connection to the next one, if somebody else holds it. A journal in
 * memory that outlives us says at each instruction what the server is owed: the number of the
 * command whose reply has not come, and whether bytes were taken from the socket that are not
 * handled.
 */
#include "vfio_user_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_NS (VFIO_USER_DEADLINE_S * 1000000000ull)
#define ERRNO_MAX   4095u
/* A server that is within a message writes the rest of it at once. */
#define SETTLE_NS 200000000u

void channel_init(struct channel *channel, int sock, const struct ixgbe_options *options)
{
	vu_stream_init(&channel->stream, sock);
	channel->journal = &channel->none;
	if (options) {
		channel->give_up = options->give_up;
		channel->give_up_ctx = options->give_up_ctx;
	}
}

/* ---- The journal ---- */

#define ASKED (1u << 16) /* beside a number, which may be 0 */

/* In the order of the program: its reader finds the writer dead. */
static void note(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

void channel_journal(struct channel *channel, struct ixgbe_journal *journal)
{
	if (journal->used) {
		channel->id = (uint16_t)journal->next;
		channel->stale = journal->asked;
	}
	if (channel->journal->serves)
		note(&journal->serves, 1);
	note(&journal->next, channel->id);
	note(&journal->used, 1);
	channel->journal = journal;
	channel->stream.within = &journal->within;
}

/* What was received last is done with. */
static void message_done(struct channel *channel)
{
	note(&channel->journal->within, vu_stream_partial(&channel->stream));
}

/* A reply that was owed to a dead user of the connection. */
static bool is_stale(struct channel *channel, const struct vu_message *reply)
{
	if (!channel->stale || channel->stale != (reply->header.id | ASKED))
		return false;
	channel->stale = 0;
	return true;
}

/* The limit of a wait that begins now. */
static struct vu_limit limit(const struct channel *channel)
{
	return (struct vu_limit){vu_now_ns() + DEADLINE_NS, channel->give_up, channel->give_up_ctx};
}

void channel_close(struct channel *channel)
{
	vu_stream_close(&channel->stream);
	free(channel->memory);
}

void channel_lose(struct channel *channel)
{
	atomic_store_explicit(&channel->gone, true, memory_order_relaxed);
}

static int lost(struct channel *channel, int err)
{
	channel_lose(channel);
	return err;
}

/* ---- The server's accesses to memory ---- */

int channel_memory_reserve(struct channel *channel)
{
	size_t room = channel->memory_room ? 2 * channel->memory_room : 64;
	struct channel_memory *more;

	if (channel->memories < channel->memory_room)
		return 0;
	more = reallocarray(channel->memory, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	channel->memory = more;
	channel->memory_room = room;
	return 0;
}

void channel_memory_add(struct channel *channel, struct channel_memory memory)
{
	channel->memory[channel->memories++] = memory;
}

void channel_memory_remove(struct channel *channel, uint64_t iova, uint64_t size)
{
	for (size_t i = 0; i < channel->memories; i++) {
		const struct channel_memory *m = &channel->memory[i];

		if (m->iova == iova && m->size == size) {
			channel->memory[i] = channel->memory[--channel->memories];
			return;
		}
	}
}

static uint8_t *memory_at(const struct channel *channel, uint64_t iova, uint64_t len)
{
	for (size_t i = 0; i < channel->memories; i++) {
		const struct channel_memory *m = &channel->memory[i];

		if (iova >= m->iova && vu_within(iova - m->iova, len, m->size))
			return m->at + (iova - m->iova);
	}
	return NULL;
}

/* Carries out what the server asks for. `part` and `*parts` are the answer; returns 0, or the error
 * to answer with. */
static uint32_t serve(struct channel *channel, const struct vu_message *asked,
		      struct vu_dma_access *access, struct iovec part[2], uint32_t *parts)
{
	bool write = asked->header.command == VU_DMA_WRITE;
	uint8_t *at;

	if (!write && asked->header.command != VU_DMA_READ)
		return ENOTSUP;
	if (vu_dma_access_check(asked->data, asked->len, write, access))
		return EINVAL;
	at = memory_at(channel, access->addr, access->count);
	if (!at) {
		atomic_fetch_add_explicit(&channel->refused, 1, memory_order_relaxed);
		return EFAULT;
	}
	if (write)
		memcpy(at, asked->data + sizeof(*access), access->count);
	part[0] = (struct iovec){access, sizeof(*access)};
	part[1] = (struct iovec){at, access->count};
	*parts = write ? 1 : 2;
	return 0;
}

static int serve_message(struct channel *channel, const struct vu_message *asked)
{
	struct vu_header header = {.id = asked->header.id, .command = asked->header.command};
	struct vu_dma_access access;
	struct iovec part[2];
	uint32_t parts = 0;
	struct vu_limit wait;

	note(&channel->journal->serves, 1);
	header.error = serve(channel, asked, &access, part, &parts);
	header.flags = VU_REPLY | (header.error ? VU_ERROR : 0);
	if (asked->header.flags & VU_NO_REPLY)
		return 0;
	wait = limit(channel);
	return vu_send_limit(channel->stream.sock, &header, part, parts, NULL, 0, &wait);
}

int channel_serve(struct channel *channel, bool received)
{
	struct vu_message asked;

	if (channel->gone)
		return -ENODEV;
	if (received && !vu_stream_ready(&channel->stream))
		return 0;
	do {
		int err = vu_stream_next(&channel->stream, &asked);

		if (err == -EAGAIN)
			return 0;
		if (!err) {
			if ((asked.header.flags & VU_TYPE) == VU_COMMAND)
				err = serve_message(channel, &asked);
			else if (!is_stale(channel, &asked))
				err = -EPROTO;
			vu_message_close(&asked);
		}
		if (err)
			return lost(channel, err);
		message_done(channel);
	} while (vu_stream_ready(&channel->stream));
	return 0;
}

int channel_settle(struct channel *channel)
{
	const struct vu_limit soon = {vu_now_ns() + SETTLE_NS, channel->give_up,
				      channel->give_up_ctx};
	struct pollfd pfd = {.fd = channel->stream.sock, .events = POLLIN};

	for (;;) {
		int err = channel_serve(channel, false);

		if (err || !vu_stream_partial(&channel->stream))
			return err;
		if (vu_now_ns() >= soon.deadline_ns || vu_poll_limit(&pfd, 1, &soon))
			return -EAGAIN;
	}
}

/* ---- Our commands ---- */

/* A command on its way to the server. */
struct command {
	struct vu_header header;
	const struct iovec *part;
	uint32_t parts;
	const int *fd;
	uint32_t fds;
};

static int send_command(struct channel *channel, struct command *command)
{
	struct vu_limit wait = limit(channel);

	if (channel->gone)
		return -ENODEV;
	/* Many waits that are soon over add up, and none of them asks give_up. So each command
	 * asks. */
	if (wait.give_up && wait.give_up(wait.ctx))
		return -ECANCELED;
	command->header.id = channel->id++;
	if (!(command->header.flags & VU_NO_REPLY))
		note(&channel->journal->asked, command->header.id | ASKED);
	note(&channel->journal->next, channel->id);
	return vu_send_limit(channel->stream.sock, &command->header, command->part, command->parts,
			     command->fd, command->fds, &wait);
}

/* The next reply; on the way the server's own commands are answered. */
static int next_reply(struct channel *channel, struct vu_message *reply)
{
	const struct vu_limit wait = limit(channel);

	for (;;) {
		bool is_reply;
		int err = vu_stream_wait_limit(&channel->stream, reply, &wait);

		if (err)
			return err;
		is_reply = (reply->header.flags & VU_TYPE) == VU_REPLY;
		if (is_reply && !is_stale(channel, reply)) {
			note(&channel->journal->asked, 0);
			message_done(channel);
			return 0;
		}
		err = is_reply ? 0 : serve_message(channel, reply);
		vu_message_close(reply);
		if (!err && vu_now_ns() >= wait.deadline_ns) /* a server that asks without end */
			err = -ETIMEDOUT;
		if (err)
			return err;
		message_done(channel);
	}
}

/* The reply to a command that was sent. */
static int await(struct channel *channel, const struct command *command, struct vu_message *reply)
{
	int err = next_reply(channel, reply);

	if (err)
		return lost(channel, err);
	if (reply->header.id != command->header.id ||
	    reply->header.command != command->header.command) {
		vu_message_close(reply);
		return lost(channel, -EPROTO);
	}
	if (reply->header.flags & VU_ERROR) {
		vu_message_close(reply);
		if (reply->header.error == 0 || reply->header.error > ERRNO_MAX)
			return -EIO;
		return -(int)reply->header.error;
	}
	return 0;
}

/* Sends a command and waits for its reply of `reply_min` bytes at least. */
static int call(struct channel *channel, struct command *command, size_t reply_min,
		struct vu_message *reply)
{
	int err = send_command(channel, command);

	if (err)
		return lost(channel, err);
	err = await(channel, command, reply);
	if (err || reply->len >= reply_min)
		return err;
	vu_message_close(reply);
	return lost(channel, -EPROTO);
}

int channel_post(struct channel *channel, uint16_t number, const struct iovec *part, uint32_t parts)
{
	struct command command = {
		.header = {.command = number, .flags = VU_NO_REPLY}, .part = part, .parts = parts};
	int err = send_command(channel, &command);

	return err ? lost(channel, err) : 0;
}

int channel_call(struct channel *channel, uint16_t number, const struct iovec *part, uint32_t parts,
		 size_t reply_min, struct vu_message *reply)
{
	struct command command = {.header = {.command = number}, .part = part, .parts = parts};

	return call(channel, &command, reply_min, reply);
}

int channel_call_first(struct channel *channel, uint16_t number, const struct iovec *part,
		       uint32_t parts, struct vu_message *reply)
{
	struct command command = {.header = {.command = number}, .part = part, .parts = parts};
	int err = send_command(channel, &command);

	return err && err != -EPIPE ? lost(channel, err) : await(channel, &command, reply);
}

int channel_exchange(struct channel *channel, uint16_t number, void *fixed, size_t len,
		     const int *fd, uint32_t fds, size_t reply_len)
{
	struct iovec part = {fixed, len};
	struct command command = {
		.header = {.command = number}, .part = &part, .parts = 1, .fd = fd, .fds = fds};
	struct vu_message reply;
	int err = call(channel, &command, reply_len, &reply);

	if (err)
		return err;
	if (reply_len > 0)
		memcpy(fixed, reply.data, reply_len);
	vu_message_close(&reply);
	return 0;
}
