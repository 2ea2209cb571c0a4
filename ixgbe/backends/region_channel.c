/* SPDX-License-Identifier: MIT */
/*
 * One access at a time: the next answer is the one, and there is no other. The server carries out
 * commands in order, so the answer to a read comes after every earlier write.
 *
 * The server is not trusted. It may close the channel, be silent, or answer what nobody asked: each
 * of these is the end of the channel. What it answers to a read is a register's value, and may be
 * any.
 */
#include "region_channel.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#define ELSEWHERE_NS 1000000u /* how long another thread may be left alone with the connection */
/* An answer that comes within this time is not slept for: a sleep would take as long. */
#define AWAKE_NS 50000u

void region_channel_init(struct region_channel *channel)
{
	*channel = (struct region_channel){.sock = -1, .meanwhile = {.fd = -1}};
	pthread_mutex_init(&channel->lock, NULL);
}

int region_channel_open(struct region_channel *channel, int sock, const struct vu_sub_region *sub,
			uint64_t deadline_ns, const struct ixgbe_options *options,
			const struct region_meanwhile *meanwhile)
{
	if (!vu_is_stream(sock)) {
		close(sock);
		return -ENOTSOCK;
	}
	channel->sock = sock;
	channel->user_data = sub->user_data;
	channel->deadline_ns = deadline_ns;
	if (options) {
		channel->give_up = options->give_up;
		channel->give_up_ctx = options->give_up_ctx;
	}
	if (meanwhile)
		channel->meanwhile = *meanwhile;
	return 0;
}

void region_channel_close(struct region_channel *channel)
{
	if (channel->sock >= 0)
		close(channel->sock);
	channel->sock = -1;
	pthread_mutex_destroy(&channel->lock);
}

/* ---- Waiting ---- */

/* Lets somebody else serve the connection for a moment, unless the channel is ready before. */
static int wait_alone(const struct region_channel *channel, short events,
		      const struct vu_limit *limit)
{
	struct pollfd pfd = {.fd = channel->sock, .events = events};
	struct vu_limit moment = *limit;
	uint64_t end = vu_now_ns() + ELSEWHERE_NS;
	int err;

	if (end >= limit->deadline_ns)
		return vu_poll_limit(&pfd, 1, limit);
	moment.deadline_ns = end;
	err = vu_poll_limit(&pfd, 1, &moment);
	return err == -ETIMEDOUT ? 0 : err;
}

/* Waits for something to happen to the channel, and serves the connection. After a 0 the caller
 * tries again. */
static int wait_ready(struct region_channel *channel, short events, const struct vu_limit *limit)
{
	struct pollfd pfd[2] = {
		{.fd = channel->sock, .events = events},
		{.fd = channel->meanwhile.fd, .events = POLLIN},
	};
	int err = vu_poll_limit(pfd, 2, limit);

	if (err || !pfd[1].revents)
		return err;
	/* Also with the channel ready: who asks over the connection may have nobody else. */
	err = channel->meanwhile.serve(channel->meanwhile.ctx);
	if (err == -EAGAIN)
		err = pfd[0].revents ? 0 : wait_alone(channel, events, limit);
	/* A server that asks without end gains no time. */
	if (!err && !pfd[0].revents && vu_now_ns() >= limit->deadline_ns)
		err = -ETIMEDOUT;
	return err;
}

/* ---- Commands and answers; the lock is held ---- */

static int say(struct region_channel *channel, const struct vu_ioregion_command *command,
	       const struct vu_limit *limit)
{
	const uint8_t *at = (const uint8_t *)command;
	size_t left = sizeof(*command);

	while (left > 0) {
		ssize_t n = vu_send_some(channel->sock, at, left, -1);
		int err = n == -EAGAIN ? wait_ready(channel, POLLOUT, limit) : n < 0 ? (int)n : 0;

		if (err)
			return err;
		if (n > 0) {
			at += n;
			left -= (size_t)n;
		}
	}
	return 0;
}

static int hear(struct region_channel *channel, uint64_t *data, const struct vu_limit *limit)
{
	union {
		struct vu_ioregion_response response;
		uint8_t bytes[sizeof(struct vu_ioregion_response) + 1]; /* one more is too many */
	} in;
	/* Who asks over the connection meanwhile may have nobody else. */
	const uint64_t awake_ns = channel->meanwhile.fd < 0 ? vu_now_ns() + AWAKE_NS : 0;
	size_t have = 0;

	while (have < sizeof(in.response)) {
		const bool awake = awake_ns && vu_now_ns() < awake_ns;
		int err = awake ? 0 : wait_ready(channel, POLLIN, limit);
		ssize_t n;

		if (err)
			return err;
		n = recv(channel->sock, in.bytes + have, sizeof(in.bytes) - have, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return -EPIPE;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		have += n > 0 ? (size_t)n : 0;
		if (n < 0 && awake)
			sched_yield(); /* to the server, if that waits for this processor */
	}
	if (have > sizeof(in.response))
		return -EPROTO;
	*data = in.response.data;
	return 0;
}

/* One access; `answer` may be NULL, then the access is posted. */
static int access_locked(struct region_channel *channel, const struct vu_ioregion_command *command,
			 uint64_t *answer)
{
	const struct vu_limit limit = {vu_now_ns() + channel->deadline_ns, channel->give_up,
				       channel->give_up_ctx};
	int err;

	if (channel->gone)
		return -ENODEV;
	/* Many waits that are soon over add up, and none of them asks. */
	if (limit.give_up && limit.give_up(limit.ctx))
		return -ECANCELED;
	err = say(channel, command, &limit);
	return err || !answer ? err : hear(channel, answer, &limit);
}

static int access_once(struct region_channel *channel, const struct vu_ioregion_command *command,
		       uint64_t *answer)
{
	int err;

	pthread_mutex_lock(&channel->lock);
	err = access_locked(channel, command, answer);
	if (err)
		atomic_store_explicit(&channel->gone, true, memory_order_relaxed);
	pthread_mutex_unlock(&channel->lock);
	return err;
}

int region_channel_read32(struct region_channel *channel, uint32_t offset, uint32_t *value)
{
	const struct vu_ioregion_command command = {
		.command = VU_IOREGION_READ,
		.how = VU_IOREGION_32BIT | VU_IOREGION_RESPONSE,
		.user_data = channel->user_data,
		.offset = offset,
	};
	uint64_t data = 0;
	int err = access_once(channel, &command, &data);

	if (!err)
		*value = (uint32_t)data;
	return err;
}

int region_channel_write32(struct region_channel *channel, uint32_t offset, uint32_t value)
{
	const struct vu_ioregion_command command = {
		.command = VU_IOREGION_WRITE,
		.how = VU_IOREGION_32BIT,
		.user_data = channel->user_data,
		.offset = offset,
		.data = value,
	};

	return access_once(channel, &command, NULL);
}
