/* SPDX-License-Identifier: MIT */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "bridge/service/names.h"
#include "bridge/service/text_json.h"

#define PARTS_MAX 1024u /* of a handover, that are not yet looked at */

/* ---- Descriptors that go along ---- */

struct visit {
	handover_fd_fn fn;
	void *ctx;
};

/* One number, in an object with a "pid" or in one without. */
static int number_visit(const struct visit *visit, json_t *number, pid_t pid)
{
	const json_int_t fd = json_integer_value(number);
	int now;

	if (!json_is_integer(number) || fd < -1 || fd > INT_MAX)
		return -EBADF;
	if (fd < 0)
		return 0;
	now = visit->fn(visit->ctx, (int)fd, pid);
	if (now < 0)
		return now;
	json_integer_set(number, now);
	return 0;
}

static int member_visit(const struct visit *visit, json_t *fd, pid_t pid)
{
	int first = json_is_array(fd) ? 0 : number_visit(visit, fd, pid);

	for (size_t i = 0; i < json_array_size(fd); i++) {
		int err = number_visit(visit, json_array_get(fd, i), pid);

		first = first ? first : err;
	}
	return first;
}

int handover_fds(json_t *json, handover_fd_fn fn, void *ctx)
{
	const struct visit visit = {fn, ctx};
	json_t *part[PARTS_MAX] = {json}, *value;
	size_t parts = 1, i;
	const char *name;
	int err, first = 0;

	while (parts > 0 &&
	       parts + json_array_size(part[parts - 1]) + json_object_size(part[parts - 1]) <
		       PARTS_MAX) {
		json_t *at = part[--parts];
		const pid_t pid = (pid_t)json_integer_value(json_object_get(at, "pid"));

		json_object_foreach(at, name, value)
		{
			if (strcmp(name, "fd") != 0) {
				part[parts++] = value;
				continue;
			}
			err = member_visit(&visit, value, pid);
			first = first ? first : err;
		}
		json_array_foreach(at, i, value) part[parts++] = value;
	}
	return parts ? -E2BIG : first;
}

static int fd_flag(void *ctx, int fd, pid_t pid)
{
	(void)pid;
	return fcntl(fd, F_SETFD, *(const int *)ctx) ? -errno : fd;
}

int handover_fds_flag(json_t *json, int flag)
{
	return handover_fds(json, fd_flag, &flag);
}

/* ---- What stands in it ---- */

static json_t *options_pack(const struct options *options)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:i,s:i}", "nic", text_json(options->nic), "tap",
			 text_json(options->tap), "netns", text_json(options->netns), "control",
			 text_json(options->control), "queues", (int)options->queues, "rings",
			 (int)options->rings);
}

static json_t *settings_pack(const struct options *options)
{
	char mac[NAMES_MAC_TEXT] = "", prefix[NETLINK_PREFIX_TEXT];
	json_t *addresses = json_array();

	if (options->mac_given)
		names_mac_format(options->mac, mac);
	for (size_t i = 0; i < options->addresses; i++) {
		netlink_prefix_format(&options->address[i], prefix);
		json_array_append_new(addresses, json_string(prefix));
	}
	return json_pack("{s:s,s:i,s:o,s:b,s:b,s:s}", "mac", mac, "mtu", (int)options->mtu,
			 "address", addresses, "up", options->up, "persist", options->persist,
			 "rx-checksum", options_rx_checksum_name(options->rx_checksum));
}

static json_t *process_pack(const struct options *options)
{
	return json_pack("{s:s,s:I}", "isolation", options_isolation_name(options->isolation),
			 "driver-user", (json_int_t)options->driver_user);
}

static json_t *daemon_pack(const struct daemon *daemon)
{
	return json_pack(
		"{s:I,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:I}", "started_at_ms",
		(json_int_t)daemon->started_at_ms, "state", (int)daemon->state, "recoveries",
		(int)daemon->recoveries, "attempt", (int)daemon->attempt, "rx_checksum",
		(int)daemon->rx_checksum, "dma_refused", (json_int_t)daemon->dma_refused.count,
		"dma_timeout", (json_int_t)daemon->dma_timeout.count, "irqs_lost",
		(json_int_t)daemon->irqs_lost, "reason", text_json(daemon->reason.text),
		"tx_timeouts", (json_int_t)daemon->tx_timeouts, "counters_full",
		(json_int_t)daemon->counters_full, "retry_at_ms", (json_int_t)daemon->retry_at_ms,
		"opened_at_ms", (json_int_t)daemon->opened_at_ms);
}

json_t *handover_new(struct daemon *daemon, struct ixgbe_why *why)
{
	json_t *engine = engine_hand_over(&daemon->engine, !daemon->anew, why);
	json_t *json;

	if (!engine)
		return NULL;
	json = json_pack("{s:i,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "handover", HANDOVER_VERSION,
			 "version", IXTAP_VERSION, "options", options_pack(daemon->options),
			 "process", process_pack(daemon->options), "settings",
			 settings_pack(daemon->options), "interface",
			 interface_hand_over(&daemon->iface), "engine", engine, "daemon",
			 daemon_pack(daemon));
	if (!json)
		ixgbe_why_fill(why, -ENOMEM, "out of memory");
	return json;
}

/* What was changed since the start, in the configuration file, and takes a new start. Gives `now`
 * up. */
static int options_compare(json_t *now, const json_t *then, struct ixgbe_why *why)
{
	const char *name;
	json_t *value;
	int err = 0;

	json_object_foreach(now, name, value)
	{
		if (!err && !json_equal(value, json_object_get(then, name)))
			err = ixgbe_why_fill(why, -EINVAL,
					     "the configuration has another --%s than at the "
					     "start: that takes a new start of ixtapd",
					     name);
	}
	json_decref(now);
	return err;
}

int handover_options_check(const struct options *options, const json_t *handover,
			   struct ixgbe_why *why)
{
	return options_compare(options_pack(options), json_object_get(handover, "options"), why);
}

int handover_process_check(const struct options *options, const json_t *handover,
			   struct ixgbe_why *why)
{
	const json_t *then = json_object_get(handover, "process");

	/* A version that does not say it. */
	return then ? options_compare(process_pack(options), then, why) : 0;
}

void handover_settings_tell(const struct options *options, const json_t *handover)
{
	const json_t *then = json_object_get(handover, "settings");
	json_t *now = settings_pack(options), *value;
	const char *name;

	json_object_foreach(now, name, value)
	{
		if (then && !json_equal(value, json_object_get(then, name)))
			log_warning("%s: --%s has changed, which takes a new start of ixtapd, or "
				    "is set on the interface: not applied",
				    options->tap, name);
	}
	json_decref(now);
}

/* ---- As text ---- */

int handover_write(const json_t *json)
{
	char *text = text_json_dump(json, JSON_COMPACT);
	int fd = memfd_create("ixtap-handover", MFD_CLOEXEC);
	size_t len = text ? strlen(text) : 0, done = 0;

	while (fd >= 0 && done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0) {
			close(fd);
			fd = -1;
		}
		done += (size_t)n;
	}
	free(text);
	return len && fd >= 0 ? fd : -ENOMEM;
}

json_t *handover_parse(const char *text, size_t bytes, struct ixgbe_why *why)
{
	json_t *json = json_loadb(text, bytes, 0, NULL);

	if (json_integer_value(json_object_get(json, "handover")) == HANDOVER_VERSION)
		return json;
	ixgbe_why_fill(why, -EBADMSG,
		       "%s cannot read what the running version has to say: stop ixtapd and start "
		       "it again",
		       IXTAP_VERSION);
	json_decref(json);
	return NULL;
}

json_t *handover_read(int fd, struct ixgbe_why *why)
{
	struct stat st;
	json_t *json;
	char *text = NULL;
	size_t bytes = 0;

	if (!fstat(fd, &st) && st.st_size > 0 && st.st_size <= (off_t)HANDOVER_BYTES)
		text = malloc((size_t)st.st_size);
	if (text && pread(fd, text, (size_t)st.st_size, 0) == st.st_size)
		bytes = (size_t)st.st_size;
	json = handover_parse(text ? text : "", bytes, why);
	free(text);
	return json;
}
