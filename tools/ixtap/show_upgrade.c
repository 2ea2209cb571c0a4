/* SPDX-License-Identifier: MIT */
/* ixtap upgrade: another program takes the place of a running ixtapd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/service/control.h"
#include "ixtap.h"

/* The next program is asked first, and a driver may need its time to leave. */
#define UPGRADE_TIMEOUT_MS 30000

static void put_upgrade(const json_t *answer)
{
	bool warm = strcmp(member_text(answer, "start"), "warm") == 0;

	put(COLOUR_GOOD, "upgraded");
	put(COLOUR_NONE, " from %s to %s: ", member_text(answer, "previous"),
	    member_text(answer, "version"));
	if (warm)
		put(COLOUR_NONE, "the NIC ran on, and frames waited %.1f ms\n",
		    (double)member_int(answer, "gap_us") / 1e3);
	else
		put(COLOUR_WARN, "the NIC starts anew\n");
}

/* The request; false after a line on standard error. */
static bool request_make(const struct ixtap *cli, char request[CONTROL_REQUEST_MAX])
{
	char *path = cli->program ? realpath(cli->program, NULL) : NULL;
	int len;

	if (cli->program && !path) {
		fail("cannot find %s: %s", cli->program, strerror(errno));
		return false;
	}
	if (path && strpbrk(path, " \n")) {
		fail("the path %s has a space, which a request cannot have: use another one", path);
		free(path);
		return false;
	}
	len = snprintf(request, CONTROL_REQUEST_MAX, "upgrade%s%s", path ? " " : "",
		       path ? path : "");
	free(path);
	if (len < (int)CONTROL_REQUEST_MAX)
		return true;
	fail("the program's path is too long for a request");
	return false;
}

int ixtap_upgrade(const struct ixtap *cli)
{
	char request[CONTROL_REQUEST_MAX];
	json_t *answer;
	int fd;

	if (!request_make(cli, request))
		return 1;
	fd = client_connect(cli);
	if (fd < 0)
		return 1;
	answer = client_send(fd, request) ? NULL : client_receive(fd, UPGRADE_TIMEOUT_MS);
	close(fd);
	return client_show(cli, answer, put_upgrade);
}
