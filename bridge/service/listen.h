/* SPDX-License-Identifier: MIT */
/*
 * UNIX sockets with a name in the file system: where they are, and who listens there. `what` is the
 * socket's name in messages, e.g. "--socket".
 *
 * Of several programs that start at one path at one moment, one gets the path: a program locks the
 * directory (flock(2)) while it looks at the path and takes it. Anybody who may read the directory
 * can hold that lock. So the wait for the lock has an end, one for all sockets of a program, and a
 * start then goes on without the lock.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "ixgbe/ixgbe.h"

#define LISTEN_BACKLOG 16 /* connections that wait to be accepted */
/* How long a program may wait for what a killed one still has: a process that was killed lets go of
 * its sockets, interfaces and devices a moment later. */
#define LISTEN_BUSY_MS 1000
#define LISTEN_NEXT_MS 20   /* between two attempts */
#define LISTEN_LOCK_MS 1000 /* at most, for locks, all together */

struct listen_socket {
	int fd;    /* non-blocking; -1: it does not listen */
	int spare; /* a descriptor to give up when there are no more: see listen_accept */
	dev_t dev; /* the socket's file: no other is removed at the end */
	ino_t ino;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* -EINVAL (an empty path, which would be no file) and -ENAMETOOLONG, explained in `why`. */
int listen_address(const char *what, const char *path, struct sockaddr_un *out,
		   struct ixgbe_why *why);
/*
 * Whether a program has the socket at that address: 0; -ECONNREFUSED or -ENOENT: none has; -EACCES:
 * it can't be told, the socket is another user's. The program does not notice the question.
 */
int listen_probe(const struct sockaddr_un *address);
/* The lock for the path's directory, which goes with the descriptor that is returned; -EWOULDBLOCK:
 * somebody had it all the time; and the errors of open(2). */
int listen_lock(const char *path, int wait_ms);

/*
 * Listens at `path` with a socket of `type`, whose file is private to the user (0600). A socket
 * that nobody has is what a killed program left: the new one replaces the old. One that is in use
 * may become free for `wait_ms`.
 * 0, or, explained in `why`: those of listen_address, -EADDRINUSE (a program has it), -EACCES (it
 * is another user's), -EEXIST (the file is no socket), and the errors of socket(2), bind(2) and
 * listen(2). *out has no descriptor then.
 */
int listen_at(const char *what, const char *path, int type, int wait_ms, struct listen_socket *out,
	      struct ixgbe_why *why);
/* The same without a wait, for whoever has the lock. */
int listen_locked(const char *what, const char *path, int type, struct listen_socket *out,
		  struct ixgbe_why *why);
/* Whether the socket is still the one at its path. */
bool listen_is_there(const struct listen_socket *listener);
/*
 * The next connection, non-blocking, or -errno. Without a descriptor for it, it is closed: one that
 * nobody takes would wake the program without end. It is told `refusal` then, unless that is NULL.
 */
int listen_accept(struct listen_socket *listener, const char *refusal);
/* Removes the socket's file, unless it is another by now, and closes the socket, in this order:
 * once it is closed, the next program may have made its own there. Takes one without descriptor. */
void listen_close(struct listen_socket *listener);
