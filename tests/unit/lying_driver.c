/* SPDX-License-Identifier: MIT */
/*
 * A driver that lies to its keeper, in place of ixtap-driver: test_lies.py. The file "lie" beside
 * the program says how. It takes no NIC, and claims to have one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/driver/board.h"
#include "bridge/service/clock.h"
#include "bridge/spawn/spawn.h"

static char lie[32];
static struct board_report *report;
static int keeper;
static uint8_t born; /* when */

static bool is(const char *what)
{
	return !strcmp(lie, what);
}

/* Before main: a spawner that prepares has no file in reach. */
__attribute__((constructor)) static void lie_read(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 5);
	FILE *file = NULL;

	path[len < 0 ? 0 : len] = '\0';
	if (strrchr(path, '/')) {
		strcpy(strrchr(path, '/') + 1, "lie");
		file = fopen(path, "r");
	}
	if (!file || !fgets(lie, sizeof(lie), file))
		*lie = '\0';
	if (file)
		fclose(file);
}

int driver_prepare(const void *record, size_t bytes, const int *fd, uint32_t fds,
		   struct ixgbe_why *why)
{
	(void)record;
	(void)bytes;
	if (!*lie)
		return ixgbe_why_fill(why, -ENOENT, "no lie beside the program");
	if (is("exits in prepare"))
		_exit(3);
	while (is("hangs in prepare"))
		pause();
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, fd[1], 0);
	for (uint32_t i = 0; i < fds; i++)
		close(fd[i]);
	return report == MAP_FAILED ? ixgbe_why_fill(why, -ENOMEM, "no report") : 0;
}

static void look(void)
{
	const struct board_message message = {.version = BOARD_VERSION, .kind = BOARD_LOOK};

	(void)board_send(keeper, &message);
}

/* What an honest driver says, once it has a NIC. */
static struct board_state honest(enum board_phase phase)
{
	struct board_state state = {.phase = phase};

	state.applied.mtu = 1500;
	memcpy(state.applied.mac, "\2\0\0\0\0\1", IXGBE_MAC_BYTES);
	memcpy(state.mac_permanent, state.applied.mac, IXGBE_MAC_BYTES);
	state.device_id = 0x10fb;
	if (is("address") || is("another address")) /* another one whenever a driver starts */
		state.mac_permanent[IXGBE_MAC_BYTES - 1] = born;
	return state;
}

static void say(const struct board_state *state)
{
	board_write(&report->sequence, &report->state, state, sizeof(*state));
	look();
}

/* A state with one field that cannot be. */
static void say_nonsense(void)
{
	struct board_state state = honest(BOARD_RUNNING);

	if (is("phase") || is("address"))
		state.phase = 99;
	else if (is("groups"))
		state.applied.groups = UINT16_MAX;
	else if (is("unicast"))
		state.applied.others = UINT16_MAX;
	else if (is("flag"))
		memset(&state.applied.promiscuous, 0xff, 1);
	else if (is("mtu"))
		state.applied.mtu = UINT16_MAX;
	else if (is("link"))
		state.link_up = 7;
	else if (is("module"))
		state.sfp = UINT32_MAX;
	else if (is("checksum"))
		state.sfp_sum = UINT32_MAX;
	else if (is("queue"))
		state.hung = UINT32_MAX;
	else if (is("filter"))
		memset(&state.last_filter, 0xff, sizeof(state.last_filter));
	else if (is("reason"))
		memset(state.why.text, 'x', sizeof(state.why.text));
	say(&state);
}

static void talk_without_end(void)
{
	struct board_message message = {.version = BOARD_VERSION, .kind = BOARD_LOG};

	strcpy(message.text, "and so on");
	for (;;)
		if (board_send(keeper, &message))
			poll(NULL, 0, 0);
}

static void say_odd_things(void)
{
	static const char junk[4000];

	if (is("short message"))
		send(keeper, junk, 3, MSG_NOSIGNAL);
	else if (is("long message"))
		send(keeper, junk, sizeof(junk), MSG_NOSIGNAL);
	else if (is("version"))
		send(keeper, junk, sizeof(struct board_message), MSG_NOSIGNAL);
	else if (is("floods"))
		talk_without_end();
	else if (is("counts")) {
		report->stats = report->registers = UINT32_MAX;
		memset(report->stat, 0xff, sizeof(report->stat));
		memset(report->reg, 0xff, sizeof(report->reg));
		memset(report->queue, 0xff, sizeof(report->queue));
		look();
	} else if (is("half a word"))
		report->sequence = 1;
	else
		say_nonsense();
}

_Noreturn void driver_main(const int *fd, uint32_t fds)
{
	struct board_state state;

	(void)fds;
	keeper = fd[0];
	born = (uint8_t)(clock_ms() / 100);
	state = honest(BOARD_ATTACHED);
	if (is("exits at once"))
		_exit(5);
	if (is("crashes at once"))
		__builtin_trap();
	if (is("hangs at once"))
		for (;;)
			poll(NULL, 0, -1);
	say(&state);
	poll(NULL, 0, 100); /* for the order to go, which it does not read */
	state = honest(BOARD_RUNNING);
	state.generation = 1;
	say(&state);
	poll(NULL, 0, 300);
	say_odd_things();
	for (;;) {
		if (!is("is silent"))
			report->beats++;
		poll(NULL, 0, 100);
	}
}
