/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * An upgrade executes another program in place: the process, its children and its descriptors stay,
 * its memory goes. So a program tells the next one, in JSON, which descriptor is what, and what has
 * been counted. The memory that drivers share is files, which the next program maps again.
 *
 *     former program               next program                         driver
 *     ---------------------------  -----------------------------------  -----------------------
 *     engine_hand_over, exec   ─►  engine_take_over                     runs
 *                                  engine_former_leave:
 *                                    spawner of its own,               runs
 *                                    BOARD_LEAVE, end of the driver  ─► stops at a batch's end
 *                                  engine_succeed: the next driver   ─► goes on with the rings
 *
 * The next spawner is there before the driver leaves: what takes time is done while frames flow.
 *
 * The driver's orders are sealed against any new writer, so the next program can give the driver
 * none; it makes orders for the next driver. That takes a fraction of a second, in which settings
 * are not followed.
 *
 * What both programs share must be of one version: report, image and state memory. Where it is not,
 * the NIC starts anew.
 */
#include "engine_parts.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"

#define LEAVE_MS 2000 /* how long a driver that leaves may take */

/* ---- To the next program ---- */

static json_t *hex_pack(const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * count + 1);
	json_t *json;

	if (!text)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	json = json_stringn(text, 2 * count);
	free(text);
	return json;
}

static json_t *device_pack(struct engine *engine, struct ixgbe_why *why)
{
	struct ixgbe_device_image image;
	json_t *fd, *json;

	if (ixgbe_device_hand_over(engine->device, &image, why))
		return NULL;
	fd = json_array();
	for (uint32_t i = 0; i < image.fds; i++)
		json_array_append_new(fd, json_integer(image.fd[i]));
	json = json_pack("{s:o,s:o}", "record", hex_pack(image.record, image.bytes), "fd", fd);
	ixgbe_device_image_free(&image);
	return json;
}

static json_t *soft_pack(const struct soft_nic *soft)
{
	return soft->pid < 0 ? json_null()
			     : json_pack("{s:i,s:[i,i]}", "pid", (int)soft->pid, "fd", soft->pidfd,
					 soft->output);
}

static json_t *shown_pack(struct engine *engine)
{
	json_t *queues = json_array();

	for (uint16_t q = 0; q < engine->options->queues; q++) {
		struct bridge_counters now;
		const uint64_t *value = (const uint64_t *)&now;
		json_t *queue = json_object();

		engine_counters(engine, q, &now);

		for (size_t i = 0; i < bridge_counter_count; i++)
			json_object_set_new(queue, bridge_counter_info[i].name,
					    json_integer((json_int_t)value[i]));
		json_array_append_new(queues, queue);
	}
	return queues;
}

static json_t *stats_pack(const struct engine *engine)
{
	json_t *json = json_array();

	for (size_t i = 0; i < engine->stats; i++)
		json_array_append_new(json,
				      json_pack("{s:s,s:I}", "name", engine->stat_name[i], "before",
						(json_int_t)engine->stat_before[i]));
	return json;
}

static json_t *counts_pack(struct engine *engine)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:i,s:o,s:o}", "warm",
			 (json_int_t)engine->starts.warm, "cold", (json_int_t)engine->starts.cold,
			 "upgrade", (json_int_t)engine->starts.upgrade, "tap_reads",
			 (json_int_t)engine->lost.tap_reads, "dead_ns", (json_int_t)engine->dead_ns,
			 "generation", (int)engine->wishes.generation, "shown", shown_pack(engine),
			 "stats", stats_pack(engine));
}

/* With a NIC that is open. */
static json_t *running_pack(struct engine *engine, struct ixgbe_why *why)
{
	const struct spawned *driver = &engine->driver;
	json_t *device = device_pack(engine, why);

	if (!device)
		return NULL;
	return json_pack("{s:o,s:{s:i,s:[i,i]},s:{s:i,s:i,s:[i,i]}}", "device", device, "spawner",
			 "pid", (int)engine->spawner.pid, "fd", engine->spawner.pidfd,
			 engine->spawner.sock, "driver", "pid", (int)driver->pid, "number",
			 (int)driver->number, "fd", driver->pidfd, engine->socket);
}

json_t *engine_hand_over(struct engine *engine, bool nic, struct ixgbe_why *why)
{
	json_t *running = nic && engine->device ? running_pack(engine, why) : json_null();

	if (!running)
		return NULL;
	ixgbe_why_fill(why, -ENOMEM, "out of memory");
	return json_pack("{s:i,s:{s:i,s:I},s:o,s:o,s:o,s:o}", "board", (int)BOARD_VERSION, "report",
			 "fd", engine->report_fd, "bytes", (json_int_t)sizeof(*engine->report),
			 "seen", hex_pack((const uint8_t *)&engine->seen, sizeof(engine->seen)),
			 "counts", counts_pack(engine), "soft",
			 nic ? soft_pack(&engine->soft) : json_null(), "running", running);
}

/* ---- From the former one ---- */

static int strange(struct ixgbe_why *why, const char *what)
{
	return ixgbe_why_fill(why, -EBADMSG, "the running version speaks of %s in another way",
			      what);
}

static json_t *member(const json_t *from, const char *name)
{
	return json_object_get(from, name);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint8_t *hex_unpack(const json_t *json, size_t *count)
{
	const char *text = json_string_value(json);
	const size_t len = json_string_length(json);
	uint8_t *bytes = text && len % 2 == 0 ? malloc(len / 2 + 1) : NULL;

	*count = len / 2;
	for (size_t i = 0; bytes && i < len / 2; i++) {
		const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return bytes;
}

/* The descriptors of "fd", as many as there are room for, or -1. */
static int fds_unpack(const json_t *from, int *fd, size_t room)
{
	const json_t *array = member(from, "fd");
	const size_t count = json_array_size(array);

	if (!json_is_array(array) || count > room)
		return -1;
	for (size_t i = 0; i < count; i++)
		fd[i] = (int)json_integer_value(json_array_get(array, i));
	return (int)count;
}

int engine_hand_over_check(const json_t *from, struct ixgbe_why *why)
{
	const json_t *device = member(member(from, "running"), "device");
	const size_t fds = json_array_size(member(device, "fd"));
	uint8_t *record;
	size_t bytes;
	int err;

	if (json_integer_value(member(from, "board")) != BOARD_VERSION ||
	    json_integer_value(member(member(from, "report"), "bytes")) !=
		    (json_int_t)sizeof(struct board_report))
		return strange(why, "its driver's memory");
	if (!device)
		return 0; /* the NIC is not open */
	record = hex_unpack(member(device, "record"), &bytes);
	if (!record)
		return strange(why, "its device");
	err = ixgbe_device_record_check(record, bytes, (uint32_t)fds, why);
	free(record);
	return err;
}

static int device_unpack(struct engine *engine, const json_t *from, struct ixgbe_why *why)
{
	const struct ixgbe_options callbacks = {
		.log = log_library,
		.give_up = patience_over,
		.give_up_ctx = engine->patience,
	};
	int fd[IXGBE_IMAGE_FDS_MAX], fds = fds_unpack(from, fd, IXGBE_IMAGE_FDS_MAX), err;
	size_t bytes;
	uint8_t *record = hex_unpack(member(from, "record"), &bytes);

	if (!record || fds < 0)
		err = strange(why, "its device");
	else
		err = ixgbe_device_take_over(record, bytes, fd, (uint32_t)fds, &callbacks,
					     &engine->device, why);
	free(record);
	return err;
}

static int processes_unpack(struct engine *engine, const json_t *from, struct spawner *former,
			    struct ixgbe_why *why)
{
	const json_t *spawner = member(from, "spawner"), *driver = member(from, "driver");
	int of_spawner[2], of_driver[2];

	if (fds_unpack(spawner, of_spawner, 2) != 2 || fds_unpack(driver, of_driver, 2) != 2)
		return strange(why, "its processes");
	*former = (struct spawner){
		.pid = (pid_t)json_integer_value(member(spawner, "pid")),
		.pidfd = of_spawner[0],
		.sock = of_spawner[1],
	};
	engine->driver = (struct spawned){
		.pid = (pid_t)json_integer_value(member(driver, "pid")),
		.pidfd = of_driver[0],
		.number = (uint32_t)json_integer_value(member(driver, "number")),
	};
	engine->socket = of_driver[1];
	return 0;
}

static void soft_unpack(struct soft_nic *soft, const json_t *from)
{
	int fd[2];

	if (fds_unpack(from, fd, 2) != 2)
		return;
	soft->pid = (pid_t)json_integer_value(member(from, "pid"));
	soft->pidfd = fd[0];
	soft->output = fd[1];
}

static void shown_unpack(struct engine *engine, const json_t *from)
{
	for (uint16_t q = 0; q < engine->options->queues; q++) {
		const json_t *queue = json_array_get(from, q);
		uint64_t *value = (uint64_t *)&engine->shown[q];

		for (size_t i = 0; i < bridge_counter_count; i++)
			value[i] = (uint64_t)json_integer_value(
				member(queue, bridge_counter_info[i].name));
	}
}

static int stats_unpack(struct engine *engine, const json_t *from, struct ixgbe_why *why)
{
	const size_t count = json_array_size(from);

	if (count > BOARD_STATS_MAX)
		return strange(why, "its counters");
	if (!count) /* the NIC was never open */
		return 0;
	if (engine_stats_room(engine, count))
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const json_t *row = json_array_get(from, i);
		const char *name = json_string_value(member(row, "name"));

		snprintf(engine->stat_name[i], BOARD_NAME_BYTES, "%s", name ? name : "");
		engine->stat_before[i] = (uint64_t)json_integer_value(member(row, "before"));
	}
	return 0;
}

static int counts_unpack(struct engine *engine, const json_t *from, struct ixgbe_why *why)
{
	json_int_t warm, cold, upgrade, reads, dead_ns;
	int generation;

	if (json_unpack((json_t *)(uintptr_t)from, "{s:I,s:I,s:I,s:I,s:I,s:i}", "warm", &warm,
			"cold", &cold, "upgrade", &upgrade, "tap_reads", &reads, "dead_ns",
			&dead_ns, "generation", &generation))
		return strange(why, "its counters");
	engine->starts = (struct engine_starts){(uint64_t)warm, (uint64_t)cold, (uint64_t)upgrade};
	engine->lost.tap_reads = (uint64_t)reads;
	engine->dead_ns = dead_ns;
	engine->wishes.generation = (uint32_t)generation;
	shown_unpack(engine, member(from, "shown"));
	return stats_unpack(engine, member(from, "stats"), why);
}

static int report_unpack(struct engine *engine, const json_t *from, struct ixgbe_why *why)
{
	const int fd = (int)json_integer_value(member(from, "fd"));
	struct stat st;
	void *at;

	if (fstat(fd, &st) || st.st_size != (off_t)sizeof(*engine->report))
		return strange(why, "its driver's memory");
	at = mmap(NULL, sizeof(*engine->report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		  fd, 0);
	if (at == MAP_FAILED)
		return ixgbe_why_fill(why, -errno, "cannot map the driver's report: %s",
				      strerror(errno));
	engine->report = at;
	engine->report_fd = fd;
	return engine_report_look(engine) ? strange(why, "its driver's state") : 0;
}

/* What the former program had seen, where the report is torn: its driver died in the middle of it,
 * and the program before it could be read. */
static void seen_unpack(struct engine *engine, const json_t *from)
{
	struct board_state state;
	size_t bytes;
	uint8_t *seen = hex_unpack(from, &bytes);

	if (seen && bytes == sizeof(state)) {
		memcpy(&state, seen, sizeof(state));
		if (board_state_valid(&state))
			engine->seen = state;
	}
	free(seen);
}

/* Without a driver a report of another layout begins anew. */
static int board_take_over(struct engine *engine, const json_t *from, bool running,
			   struct ixgbe_why *why)
{
	struct ixgbe_why ignored;
	const bool same = !engine_hand_over_check(from, &ignored);
	int err;

	if (same)
		seen_unpack(engine, member(from, "seen"));
	err = same ? report_unpack(engine, member(from, "report"), why) : 0;

	if (!same && running)
		return strange(why, "its driver's memory");
	if (!err)
		err = engine_board_open(engine, why);
	return err;
}

int engine_take_over(struct engine *engine, const json_t *from, struct spawner *former,
		     struct ixgbe_why *why)
{
	const json_t *running = member(from, "running");
	int err = counts_unpack(engine, member(from, "counts"), why);

	if (!err)
		err = board_take_over(engine, from, json_is_object(running), why);
	if (err)
		return err;
	soft_unpack(&engine->soft, member(from, "soft"));
	if (!json_is_object(running))
		return 0;
	err = processes_unpack(engine, running, former, why);
	return err ? err : device_unpack(engine, member(running, "device"), why);
}

/* ---- One driver after the other ---- */

/* Serves the device while the driver comes to its end. */
static void end_await(struct engine *engine, int64_t end_ms)
{
	struct pollfd pfd[] = {
		{.fd = engine->driver.pidfd, .events = POLLIN},
		{.fd = ixgbe_device_connection(engine->device), .events = POLLIN},
		{.fd = ixgbe_device_relay(engine->device), .events = POLLIN},
	};
	int64_t left;

	while ((left = end_ms - clock_ms()) > 0 && !pfd[0].revents)
		if (poll(pfd, 3, (int)left) > 0 && (pfd[1].revents || pfd[2].revents) &&
		    ixgbe_device_serve(engine->device))
			return; /* the next driver finds the device gone */
}

/* One that hangs is killed: what that costs is counted, as at any other death. */
static void driver_leave_await(struct engine *engine)
{
	const struct board_message leave = {.version = BOARD_VERSION, .kind = BOARD_LEAVE};

	if (engine->driver.pidfd < 0)
		return;
	(void)board_send(engine->socket, &leave);
	end_await(engine, clock_ms() + LEAVE_MS);
	engine_driver_kill(engine);
	end_await(engine, clock_ms() + LEAVE_MS);
	engine_driver_bury(engine);
}

int engine_former_leave(struct engine *engine, const int tap_fd[], const struct mirror *wanted,
			struct ixgbe_why *why)
{
	int err = engine_spawner_open(engine, wanted->mtu, tap_fd, why);

	if (err)
		return err;
	engine->wishes.go = 1;
	engine->wishes.end = BOARD_GO_ON;
	engine_wish(engine, wanted);
	driver_leave_await(engine);
	return 0;
}

bool engine_former_end(struct engine *engine, struct spawner *former, struct spawn_end *out)
{
	const struct spawner own = engine->spawner;
	bool known;

	engine->spawner = *former;
	known = engine_driver_end(engine, out);
	*former = engine->spawner;
	engine->spawner = own;
	/* With the word may come a driver that a dead keeper had ordered. That one ends with the
	 * former spawner, and is not ours. */
	if (engine->driver.pidfd >= 0)
		close(engine->driver.pidfd);
	engine->driver = (struct spawned){.pid = -1, .pidfd = -1};
	return known;
}

int engine_succeed(struct engine *engine, struct ixgbe_why *why)
{
	int err = engine_renew(engine, why);

	if (!err)
		err = engine_driver_wait_phase(engine, BOARD_RUNNING, why);
	if (err) {
		engine_spawner_stop(engine, &engine->spawner);
		engine_driver_bury(engine);
		engine->ordered = false;
	}
	return err;
}
