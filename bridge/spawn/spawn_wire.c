/* SPDX-License-Identifier: MIT */
/*
 * A message is taken whole or not at all. recvmsg(2) hands out descriptors before anybody could say
 * no to them: what does not belong there is closed here.
 */
#include "spawn_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for more than is allowed, so that one too many is seen. */
union fds_buffer {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * (SPAWN_WIRE_FDS_MAX + 1))];
};

void spawn_head_fill(struct spawn_head *head, const char *version)
{
	memset(head, 0, sizeof(*head));
	head->magic = SPAWN_MAGIC;
	head->layout = SPAWN_LAYOUT;
	strncpy(head->version, version ? version : IXTAP_VERSION, sizeof(head->version) - 1);
}

int spawn_head_check(const struct spawn_head *head, const char *version, size_t got)
{
	struct spawn_head own;

	if (got < sizeof(*head) || head->magic != SPAWN_MAGIC)
		return -EPROTO;
	spawn_head_fill(&own, version);
	return memcmp(head, &own, sizeof(own)) ? -EBADMSG : 0;
}

void spawn_close_all(const int *fd, uint32_t fds)
{
	for (uint32_t i = 0; i < fds; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

int spawn_send(int sock, const void *message, size_t bytes, const int *fd, uint32_t fds)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = bytes};
	struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
	union fds_buffer room;
	struct cmsghdr *control;

	if (fds > SPAWN_WIRE_FDS_MAX)
		return -EINVAL;
	if (fds) {
		memset(&room, 0, sizeof(room));
		head.msg_control = room.bytes;
		head.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
		control = CMSG_FIRSTHDR(&head);
		control->cmsg_level = SOL_SOCKET;
		control->cmsg_type = SCM_RIGHTS;
		control->cmsg_len = CMSG_LEN(sizeof(int) * fds);
		memcpy(CMSG_DATA(control), fd, sizeof(int) * fds);
	}
	return sendmsg(sock, &head, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Takes the descriptors out of the control messages: how many there are; those behind `room` are
 * closed. */
static uint32_t take_fds(struct msghdr *head, int *fd, uint32_t room)
{
	uint32_t count = 0;

	for (struct cmsghdr *at = CMSG_FIRSTHDR(head); at; at = CMSG_NXTHDR(head, at)) {
		const size_t bytes = at->cmsg_len - CMSG_LEN(0);

		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < bytes / sizeof(int); i++, count++) {
			int one;

			memcpy(&one, CMSG_DATA(at) + i * sizeof(int), sizeof(int));
			if (count < room)
				fd[count] = one;
			else
				close(one);
		}
	}
	return count;
}

ssize_t spawn_receive(int sock, void *message, size_t bytes, int *fd, uint32_t room, uint32_t *fds,
		      int flags)
{
	struct iovec part = {.iov_base = message, .iov_len = bytes};
	union fds_buffer control;
	struct msghdr head = {.msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes)};
	uint32_t count;
	ssize_t got;

	*fds = 0;
	/* That the peer has ended without having read all comes before its last messages, once. */
	do
		got = recvmsg(sock, &head, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && (errno == EINTR || errno == ECONNRESET));
	if (got < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	count = take_fds(&head, fd, room);
	if (count > room || head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		spawn_close_all(fd, count < room ? count : room);
		/* There was room for more: the process may have no further descriptors. */
		return count <= room && !(head.msg_flags & MSG_TRUNC) ? -EMFILE : -EPROTO;
	}
	*fds = count;
	return got;
}
