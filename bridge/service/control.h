/* SPDX-License-Identifier: MIT */
/*
 * service: what a program is to its operator. Programs of bridge/ and tools/ share this folder,
 * which knows nothing of NICs and interfaces.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     control.c        the control socket of a daemon
 *     option_table.c   the command line of a program, as a table
 *     names.c          names of interfaces and namespaces, MAC addresses
 *     notice.c         what happens often is logged once
 *     netns.c          into a network namespace, and back
 *     process.c        signals, "ready", the service manager
 *     tun.c            a TAP is opened
 *       |
 *     log.c            lines on standard error
 *     text_json.c      text of others, and numbers, in JSON
 *       |
 *     listen.c         a socket in the file system, and what a killed program left there
 *     outlet.c         standard output and standard error of a daemon, without waiting
 *     path_walk.c      paths in whose folders others have a say
 *     printable.c      text of others, before people see it
 *     repeat.c         lines of the log that repeat without end
 *     streams.c        standard output of a program that prints a result
 *       |
 *     landlock.c       which files a process may use, and a thread without any right
 *
 * This file: programs ask on a control socket, and the daemon answers in JSON.
 *
 * Protocol. AF_UNIX, SOCK_SEQPACKET, mode 0600. A request is one packet of at most
 * CONTROL_REQUEST_MAX bytes: words of printable ASCII with spaces between them, and a newline at
 * the end or none. The reply is one packet with one JSON object, of at most CONTROL_REPLY_MAX
 * bytes. More requests may follow on the same connection; replies come in order. What fails is
 * answered by
 *
 *     {"error": "what, why, what to do"}
 *
 * A monitor is a client whose request starts a stream of events, one object in each packet, with
 * "time" (CLOCK_REALTIME, seconds) and "event". It sends nothing more. A monitor that reads too
 * slowly misses events, and is told how many as soon as there is room:
 *
 *     {"event": "missed", "count": 3}
 *
 * Busy. While an answer, or anything else of the daemon, waits for its device, the daemon may call
 * control_meanwhile now and then: requests that need no device are answered, others are told why
 * they are not.
 *
 * Limits. The daemon never waits for a client: one that does not read its replies is closed.
 * CONTROL_MONITORS_MAX may monitor, so places are left for who only asks. With CONTROL_CLIENTS_MAX
 * connected, a new client takes the place of the one that was silent longest, monitors apart. A
 * monitor that reads nothing of what is there for CONTROL_SILENT_MS is ended. Who is turned away so
 * finds an error for its answer.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ixgbe/ixgbe.h"

#define CONTROL_REQUEST_MAX  1024u
#define CONTROL_REPLY_MAX    (512u * 1024u)
#define CONTROL_WORDS_MAX    5u
#define CONTROL_CLIENTS_MAX  16u
#define CONTROL_MONITORS_MAX 12u
#define CONTROL_SILENT_MS    300000

struct control;

struct control_request {
	size_t count;                       /* words, at least 1 */
	char *words[CONTROL_WORDS_MAX + 1]; /* NULL behind the last */
	uint64_t client;                    /* who asks, for control_reply */
	uid_t user;                         /* whose program that is */
	bool late;                          /* set by the answer: it comes by control_reply */
	/* Set by the answer: its client monitors from now on, unless too many do. */
	bool monitor;
};

/* What a daemon can be asked: the first word of a request. A table ends with a row without name. */
struct control_command {
	const char *name;
	size_t args_max; /* words behind the name */
	/* A new reference to an object. NULL with request->late: the answer comes by control_reply,
	 * and the client is not heard until then. NULL else: no memory, or text that JSON cannot
	 * hold; the client gets an error. */
	json_t *(*answer)(void *ctx, struct control_request *request);
	bool meanwhile; /* it is answered while the daemon is busy, too: it waits for nothing */
};

/*
 * Listens at `path` (see listen_at) and answers `commands`, which outlive the socket. A directory
 * below /run is made if only that one is missing; any other must be there.
 * -ENOMEM, and the errors of listen_at and mkdir(2); `why` is filled.
 */
int control_open(const char *path, const struct control_command *commands, void *ctx,
		 struct control **out, struct ixgbe_why *why);
/*
 * For the program that this process executes next: what that needs to go on with the socket and its
 * clients, monitors too. Members "fd" are descriptors. The client `asks` waits for its answer,
 * which control_answer_former gives. NULL: no memory.
 */
json_t *control_hand_over(const struct control *control, uint64_t asks);
/* In that program: as control_open. -EBADMSG: `from` is none of control_hand_over's. */
int control_take_over(const char *path, const json_t *from, const struct control_command *commands,
		      void *ctx, struct control **out, struct ixgbe_why *why);
/* Takes the reference. */
void control_answer_former(struct control *control, json_t *answer);
/* The socket's file, which control_close removes if it may. False: there is none. Takes NULL. */
bool control_file(const struct control *control, dev_t *dev, ino_t *ino);
/* Closes all clients, removes the socket. Takes NULL. */
void control_close(struct control *control);
/* Readable when there is something to dispatch. */
int control_fd(const struct control *control);
/* Handles what is there, without waiting. */
void control_dispatch(struct control *control);
/* The same from within whatever takes long, an answer too: what is no `meanwhile` command is
 * answered by the error `busy`. */
void control_meanwhile(struct control *control, const char *busy);
/* The late answer to a request of `client` (a reference that is taken). A client that left gets
 * none. */
void control_reply(struct control *control, uint64_t client, json_t *answer);
/* Sends `event` (a reference that is taken; "time" is added) to all monitors. */
void control_publish(struct control *control, json_t *event);

/* Ends monitors that read nothing. Programs with monitors call it now and then; `now_ms`: clock.h.
 */
void control_end_silent(struct control *control, int64_t now_ms);

/* CLOCK_REALTIME in seconds, to the microsecond. */
json_t *control_time(void);
/* {"error": text}, formatted, and written as printable.h says. */
json_t *control_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
