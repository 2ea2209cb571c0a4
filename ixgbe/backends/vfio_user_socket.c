/* SPDX-License-Identifier: MIT */
/* The socket to a vfio-user server: connected here, or by whoever started us; and what may be wrong
 * with a server, in words. */
#include "ixgbe/vfio_user/vfio_user.h"
#include "vfio_user_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_error(int err, const char *path, struct ixgbe_why *why)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return ixgbe_why_fill(
			why, -ENODEV,
			"vfio-user socket %s is not there; start the server first (ixnic "
			"--socket %s)",
			path, path);
	case ECONNREFUSED:
		return ixgbe_why_fill(
			why, -ENODEV,
			"nobody listens on vfio-user socket %s any more; start the server "
			"again",
			path);
	case EACCES:
	case EPERM:
		return ixgbe_why_fill(
			why, -EACCES,
			"no permission for vfio-user socket %s; run as its owner, or let "
			"its owner give you write permission",
			path);
	case EPROTOTYPE:
		return ixgbe_why_fill(
			why, -EPROTO,
			"%s is no stream socket, so no vfio-user server's; is it a control "
			"socket?",
			path);
	case EAGAIN:
		return ixgbe_why_fill(
			why, -ETIMEDOUT,
			"vfio-user server at %s takes no connection (after %d s); is it "
			"alive?",
			path, VFIO_USER_DEADLINE_S);
	case ECANCELED:
		return ixgbe_why_fill(why, -err,
				      "vfio-user server at %s takes no connection: given up", path);
	default:
		return ixgbe_why_fill(why, -err, "vfio-user socket %s: %s", path, strerror(err));
	}
}

/* connect waits for the server's queue as long as a send would: 0 or an errno. */
static int connect_limited(int sock, const struct sockaddr_un *addr,
			   const struct ixgbe_options *options)
{
	const struct timeval part = {.tv_usec = VU_ASK_MS * 1000};
	uint64_t deadline_ns = vu_now_ns() + VFIO_USER_DEADLINE_S * 1000000000ull;

	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &part, sizeof(part));
	while (connect(sock, (const struct sockaddr *)addr, sizeof(*addr))) {
		if (errno != EAGAIN || vu_now_ns() >= deadline_ns)
			return errno;
		if (options && options->give_up && options->give_up(options->give_up_ctx))
			return ECANCELED;
	}
	return 0;
}

int vfio_user_connect(const char *path, const struct ixgbe_options *options, struct ixgbe_why *why)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int sock, err;

	if (!*path || strlen(path) >= sizeof(addr.sun_path))
		return ixgbe_why_fill(why, -EINVAL,
				      "vfio-user socket '%s': a path of 1 to %zu bytes is wanted",
				      path, sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return ixgbe_why_fill(why, -EINVAL,
				      "%s is not a socket; name the socket of a vfio-user server",
				      path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return connect_error(errno, path, why);
	err = connect_limited(sock, &addr, options);
	if (!err)
		return sock;
	close(sock);
	return connect_error(err, path, why);
}

int vfio_user_inherit(const char *text, struct ixgbe_why *why)
{
	int sock = vu_socket_take(text);

	if (sock == -EINVAL)
		return ixgbe_why_fill(why, -EINVAL,
				      "vfio-user-fd:%s: the number of a connected socket is wanted",
				      text);
	if (sock < 0)
		return ixgbe_why_fill(why, -EINVAL, "vfio-user-fd:%s: not a stream socket", text);
	return sock;
}

int vfio_user_explain(const char *name, const char *what, bool within, int err,
		      struct ixgbe_why *why)
{
	switch (err) {
	case -EPIPE:
	case -EBADMSG:
		return ixgbe_why_fill(
			why, -EPROTO,
			"vfio-user server at %s closed the connection %s (%s); look at its "
			"log",
			name, err == -EPIPE ? "at once" : "in the middle of a message", what);
	case -ETIMEDOUT:
		return ixgbe_why_fill(
			why, err,
			"vfio-user server at %s %s (%s, after %d s); is it a vfio-user "
			"server, and alive?",
			name, within ? "stopped in the middle of a message" : "does not answer",
			what, VFIO_USER_DEADLINE_S);
	case -ECANCELED:
		return ixgbe_why_fill(why, err,
				      "vfio-user server at %s answers too slowly (%s): given up",
				      name, what);
	case -EPROTO:
		return ixgbe_why_fill(
			why, err,
			"what listens at %s does not speak vfio-user (%s); name the socket "
			"of a vfio-user server",
			name, what);
	case -EBUSY:
		return ixgbe_why_fill(
			why, err,
			"vfio-user server at %s serves another client; stop that one first", name);
	default:
		return ixgbe_why_fill(why, err, "vfio-user server at %s refused the %s: %s", name,
				      what, strerror(-err));
	}
}
