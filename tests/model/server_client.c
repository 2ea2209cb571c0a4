/* SPDX-License-Identifier: MIT */
#include "server_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ixgbe/vfio_user/vfio_user.h"

struct peer {
	struct vu_stream stream;
};

static uint64_t deadline(void)
{
	return vu_now_ns() + MODEL_DEADLINE_MS * 1000000ull;
}

struct peer *peer_connect(struct model *m)
{
	struct peer *p = malloc(sizeof(*p));
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, model_path(m));
	assert_int_equal(connect(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	vu_stream_init(&p->stream, sock);
	return p;
}

void peer_close(struct peer *p)
{
	vu_stream_close(&p->stream);
	free(p);
}

int peer_socket(const struct peer *p)
{
	return p->stream.sock;
}

int peer_reply(struct peer *p, void *reply, size_t size)
{
	struct vu_message m;
	int err = vu_stream_wait_limit(&p->stream, &m,
				       &(const struct vu_limit){.deadline_ns = deadline()});

	if (err)
		fail_msg("no reply: %s", strerror(-err));
	if (m.header.flags & VU_ERROR)
		return -(int)m.header.error;
	assert_in_range(m.len, 0, size);
	if (m.len)
		memcpy(reply, m.data, m.len);
	return (int)m.len;
}

int peer_command(struct peer *p, uint16_t command, const void *payload, size_t len, const int *fd,
		 uint32_t fds, void *reply, size_t size)
{
	struct vu_header header = {.command = command};
	struct iovec part = {(void *)(uintptr_t)payload, len};

	/* A server that is busy has closed already; its reply is there all the same. */
	int err = vu_send(p->stream.sock, &header, &part, 1, fd, fds, deadline());

	if (err != -EPIPE)
		assert_int_equal(err, 0);
	return peer_reply(p, reply, size);
}

void peer_negotiate(struct peer *p)
{
	struct vu_version version = {VU_VERSION_MAJOR, VU_VERSION_MINOR};
	uint8_t reply[512];

	assert_true(peer_command(p, VU_VERSION, &version, sizeof(version), NULL, 0, reply,
				 sizeof(reply)) > 0);
}

int peer_channel(struct peer *p, struct vu_sub_region *sub)
{
	const struct vu_region_io_fds request = {.argsz = sizeof(request) + sizeof(*sub)};
	struct vu_header header = {.command = VU_GET_REGION_IO_FDS};
	struct iovec part = {(void *)(uintptr_t)&request, sizeof(request)};
	const struct vu_limit limit = {.deadline_ns = deadline()};
	struct vu_message m;

	assert_int_equal(vu_send(p->stream.sock, &header, &part, 1, NULL, 0, deadline()), 0);
	assert_int_equal(vu_stream_wait_limit(&p->stream, &m, &limit), 0);
	assert_int_equal(m.header.flags, VU_REPLY);
	assert_int_equal(m.fds, 1);
	assert_int_equal(vu_io_fds_whole(m.data, m.len, m.fds, 0, IXGBE_BAR0_SIZE, sub), 1);
	return vu_message_take(&m, 0);
}

void peer_send_fds(struct peer *p, const void *data, size_t len, uint32_t fds)
{
	char control[CMSG_SPACE(253 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = CMSG_SPACE(fds * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fds * sizeof(int));
	for (uint32_t i = 0; i < fds; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){STDERR_FILENO}, sizeof(int));
	(void)!sendmsg(p->stream.sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool peer_dropped(struct peer *p, int timeout_ms)
{
	struct pollfd pfd = {.fd = p->stream.sock, .events = POLLRDHUP};

	return poll(&pfd, 1, timeout_ms) == 1 && (pfd.revents & (POLLHUP | POLLRDHUP | POLLERR));
}
