/* SPDX-License-Identifier: MIT */
/*
 * The maker's side: one thread, one loop, that waits for the keeper alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/spawn/capability_sets.h"
#include "denied_calls.h"
#include "maker_requests.h"

/* A spawner's namespaces, users, bounding set and memory, what ends it, ixnic's interface, and its
 * sockets in folders of others. */
#define KEPT                                                                                       \
	(CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) |             \
	 CAPABILITY(CAP_SETPCAP) | CAPABILITY(CAP_KILL) | CAPABILITY(CAP_IPC_LOCK) |               \
	 CAPABILITY(CAP_NET_ADMIN) | CAPABILITY(CAP_DAC_OVERRIDE))

bool maker_is(int argc, char **argv)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return argc >= 2 && !strcmp(argv[1], MAKER_WORD) &&
	       !getsockopt(MAKER_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) &&
	       type == SOCK_SEQPACKET;
}

/* A text of a fixed room, with an end. */
static bool text_ends(const char *text, size_t room)
{
	return memchr(text, '\0', room);
}

static bool hello_sound(const struct maker_hello *hello, ssize_t got, uint32_t fds)
{
	return got == sizeof(*hello) && !fds && hello->head.magic == MAKER_MAGIC &&
	       hello->head.layout == MAKER_LAYOUT && hello->head.kind == MAKER_HELLO &&
	       hello->isolation <= ISOLATION_OFF && hello->outlives <= 1 &&
	       text_ends(hello->name, sizeof(hello->name)) &&
	       text_ends(hello->control, sizeof(hello->control)) &&
	       text_ends(hello->wire, sizeof(hello->wire)) &&
	       text_ends(hello->nic_control, sizeof(hello->nic_control)) &&
	       text_ends(hello->log_level, sizeof(hello->log_level)) &&
	       text_ends(hello->driver, sizeof(hello->driver)) &&
	       text_ends(hello->nic, sizeof(hello->nic));
}

static bool request_sound(const struct maker_request *request, ssize_t got, uint32_t fds)
{
	return got == sizeof(*request) && request->head.magic == MAKER_MAGIC &&
	       request->head.layout == MAKER_LAYOUT && request->fds == fds &&
	       text_ends(request->path, sizeof(request->path)) &&
	       text_ends(request->version, sizeof(request->version));
}

static void answer_send(const struct maker_head *head, int err, const struct ixgbe_why *why,
			struct maker_answer *answer, int *fd)
{
	const uint32_t fds = err ? 0 : answer->fds;

	answer->head = (struct maker_head){
		.magic = MAKER_MAGIC,
		.layout = MAKER_LAYOUT,
		.kind = head->kind,
		.number = head->number,
	};
	answer->error = err;
	answer->fds = fds;
	if (err)
		snprintf(answer->why, sizeof(answer->why), "%s", why->text);
	/* A keeper that does not read has no use for a maker. */
	if (spawn_send(MAKER_SOCKET, answer, sizeof(*answer), fd, fds))
		_exit(1);
	spawn_close_all(fd, fds);
}

static void request_take(void)
{
	struct maker_answer answer = {.fds = 0};
	int fd[MAKER_FDS_MAX], out[MAKER_ANSWER_FDS_MAX];
	struct maker_request request = {.fds = 0};
	struct ixgbe_why why = {""};
	uint32_t fds;
	int err;
	ssize_t got =
		spawn_receive(MAKER_SOCKET, &request, sizeof(request), fd, MAKER_FDS_MAX, &fds, 0);

	if (got == 0)
		_exit(0); /* the keeper has ended, and so do our children */
	if (got < 0 && got != -EPROTO)
		_exit(1);
	if (got < 0 || !request_sound(&request, got, fds))
		err = ixgbe_why_fill(&why, -EPROTO, "the maker does not understand its keeper");
	else
		err = maker_requests_serve(&request, fd, &answer, out, &why);
	spawn_close_all(fd, fds);
	answer_send(&request.head, err, &why, &answer, out);
}

static void hello_take(void)
{
	struct maker_answer answer = {.fds = 0};
	struct ixgbe_why why = {""};
	static struct maker_hello hello;
	uint32_t fds;
	ssize_t got = spawn_receive(MAKER_SOCKET, &hello, sizeof(hello), NULL, 0, &fds, 0);
	int err;

	if (!hello_sound(&hello, got, got > 0 ? fds : 0))
		_exit(1);
	err = maker_requests_begin(&hello, &answer, &why);
	answer_send(&hello.head, err, &why, &answer, NULL);
	if (err)
		_exit(1);
}

/* Best effort, and nothing of it is asked for by anybody: what matters is what children are denied,
 * which they report themselves. */
static void rights_reduce(void)
{
	uint64_t left;

	(void)capability_sets_bounding(KEPT);
	(void)capability_sets_reduce(KEPT, &left);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)denied_calls(DENIED_TO_MAKER);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void maker_main(void)
{
	const pid_t keeper = getppid();
	sigset_t all;

	prctl(PR_SET_NAME, "ixtap-maker");
	fcntl(MAKER_SOCKET, F_SETFD, FD_CLOEXEC);
	/* A service manager's SIGTERM is for the keeper, which needs us for its end in order. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	rights_reduce();
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* once more: a change of rights may take it back */
	if (getppid() != keeper)
		_exit(1);
	hello_take();
	if (chdir("/"))
		_exit(1);
	for (;;)
		request_take();
}
