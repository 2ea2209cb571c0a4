/* SPDX-License-Identifier: MIT */
#include "board.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* A writer that dies leaves the number odd until its successor writes. A living one is done within
 * microseconds. */
#define LOOKS 1000

void board_write(board_sequence *sequence, void *to, const void *from, size_t bytes)
{
	uint32_t before = atomic_load_explicit(sequence, memory_order_relaxed) | 1;

	atomic_store_explicit(sequence, before, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(to, from, bytes);
	atomic_store_explicit(sequence, before + 1, memory_order_release);
}

bool board_copy(const board_sequence *sequence, void *to, const void *from, size_t bytes)
{
	for (int looks = 0; looks < LOOKS; looks++) {
		uint32_t before = atomic_load_explicit(sequence, memory_order_acquire);

		if (before & 1)
			continue;
		memcpy(to, from, bytes);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(sequence, memory_order_relaxed) == before)
			return true;
	}
	return false;
}

bool board_state_valid(const struct board_state *state)
{
	return state->phase <= BOARD_FAILED && mirror_valid(&state->applied) &&
	       state->applied.mtu <= IXGBE_MTU_MAX && state->applying <= 1 && state->link_up <= 1 &&
	       state->resumed <= 1 && state->sfp <= IXGBE_SFP_OTHER &&
	       state->sfp_sum <= IXGBE_SFP_SUM_WRONG && state->hung < IXGBE_QUEUES_MAX &&
	       memchr(state->why.text, '\0', sizeof(state->why.text)) &&
	       isolation_fact_valid(&state->last_filter);
}

int board_send(int socket, const struct board_message *message)
{
	ssize_t n = send(socket, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n == (ssize_t)sizeof(*message))
		return 0;
	return n < 0 && errno != ECONNRESET ? -errno : -EPIPE;
}

int board_receive(int socket, struct board_message *out)
{
	/* A longer one is cut, and said to have been longer. */
	ssize_t n = recv(socket, out, sizeof(*out), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && errno == ECONNRESET)
		return -EPIPE;
	if (n == 0) { /* the end, or a message without a byte */
		struct pollfd end = {.fd = socket};

		return poll(&end, 1, 0) == 1 && end.revents & POLLHUP ? -EPIPE : -EPROTO;
	}
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n != (ssize_t)sizeof(*out) || out->version != BOARD_VERSION ||
	    out->kind > BOARD_LEAVE || out->level > IXGBE_LOG_DEBUG)
		return -EPROTO;
	out->text[sizeof(out->text) - 1] = '\0';
	return 0;
}
