/* SPDX-License-Identifier: MIT */
/* ixtap list: every ixtapd that runs, a line each. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/service/printable.h"
#include "bridge/service/text_json.h"
#include "ixtap.h"

struct list {
	const struct ixtap *cli;
	int shown, failed, refused;
};

static void put_head(struct list *list)
{
	if (!list->shown++)
		put(COLOUR_HEAD, "%-15s  %-10s  %8s  %s\n", "name", "state", "pid", "NIC");
}

static void put_one(const char *name, const json_t *status)
{
	const char *state = member_text(status, "state");
	const char *interface = member_text(status, "tap.name");
	bool running = strcmp(state, "running") == 0;
	char *escaped = printable_escape(name); /* as the daemon tells names */

	put(COLOUR_NONE, "%-15s  ", escaped ? escaped : "");
	put(running ? COLOUR_GOOD : COLOUR_WARN, "%-10s", state);
	put(COLOUR_NONE, "  %8" PRId64 "  %s", member_int(status, "pid"),
	    member_text(status, "nic.name"));
	if (escaped && strcmp(interface, escaped) != 0)
		put(COLOUR_NONE, ", renamed to %s", interface);
	put(COLOUR_NONE, "\n");
	free(escaped);
}

static void put_no_answer(const char *name)
{
	put_raw(COLOUR_BAD, 15, name);
	put(COLOUR_BAD, "  no answer\n");
}

static void show(void *ctx, const char *name, int err)
{
	struct list *list = ctx;
	json_t *status = NULL;
	int fd;

	/* A socket without a daemon is what a killed one left. */
	if (err) {
		list->refused += err == -EACCES || err == -EPERM;
		return;
	}
	fd = client_connect_name(name);
	if (fd >= 0) {
		status = client_request(fd, "status");
		close(fd);
	}
	if (!list->cli->json)
		put_head(list);
	if (!status) {
		list->failed++;
		if (!list->cli->json)
			put_no_answer(name);
	} else if (list->cli->json) {
		json_t *row = json_pack("{s:o,s:O}", "name", text_json(name), "status", status);

		put_json(row);
		json_decref(row);
	} else {
		put_one(name, status);
	}
	json_decref(status);
}

int ixtap_list(const struct ixtap *cli)
{
	struct list list = {.cli = cli};
	int err = client_each(show, &list);

	if (err)
		fail("cannot read " IXTAP_RUN_DIR ": %s", strerror(-err));
	else if (list.refused)
		fail("%d more in " IXTAP_RUN_DIR " belong to another user: try as root",
		     list.refused);
	return err || list.refused || list.failed ? 1 : 0;
}
