/* SPDX-License-Identifier: MIT */
#include "engine_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "programs.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define ASK_MS        20 /* how often a wait asks whether to go on */
#define MESSAGES_ONCE 64 /* of the driver; others wait for this process, too */
/* How long the word of an end may take, behind that end. The next driver could not come sooner: the
 * same spawner makes it. */
#define WORD_MS 500

static void fd_close_once(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void engine_init(struct engine *engine, const struct options *options, struct patience *patience,
		 struct maker *maker)
{
	*engine = (struct engine){
		.options = options,
		.patience = patience,
		.maker = maker,
		.program_fd = -1,
		.orders_fd = -1,
		.report_fd = -1,
		.socket = -1,
		.driver = {.pid = -1, .pidfd = -1},
	};
	soft_nic_init(&engine->soft, maker);
	if (options->nic_kind == OPTIONS_NIC_SOFT) {
		snprintf(engine->soft_wire, sizeof(engine->soft_wire), "%s",
			 options->nic + strlen("soft:"));
		snprintf(engine->soft_control, sizeof(engine->soft_control), "%.*s.nic",
			 (int)sizeof(engine->soft_control) - 5, options->control);
	}
}

/* ---- The driver's words ---- */

int engine_report_look(struct engine *engine)
{
	struct board_state state;

	if (!board_copy(&engine->report->sequence, &state, &engine->report->state, sizeof(state)))
		return 0;
	if (!board_state_valid(&state))
		return -EBADMSG;
	engine->seen = state;
	return 0;
}

int engine_listen(struct engine *engine)
{
	struct board_message message;
	int err = 0;

	if (engine->socket < 0)
		return -ENODEV;
	for (int i = 0; i < MESSAGES_ONCE && !err; i++) {
		err = board_receive(engine->socket, &message);
		if (!err && ++engine->messages > ENGINE_MESSAGES_MAX)
			return -EMSGSIZE;
		if (!err && message.kind == BOARD_LOG)
			log_line((enum ixgbe_log_level)message.level, "%s", message.text);
	}
	if (!err || err == -EAGAIN || err == -EPIPE) {
		int lie = engine_report_look(engine);

		return lie ? lie : err == -EPIPE ? err : 0;
	}
	return err;
}

bool engine_running(const struct engine *engine)
{
	return engine->socket >= 0 && !engine->ordered && engine->seen.phase == BOARD_RUNNING;
}

/* What a file of /proc begins with; "": it cannot be read. */
static void file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t bytes = fd < 0 ? -1 : read(fd, text, size - 1);

	text[bytes > 0 ? bytes : 0] = '\0';
	fd_close_once(&fd);
}

bool engine_suspended(const struct engine *engine)
{
	char path[32], text[256];
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/stat",
		 (int)(engine->driver.pid > 0 ? engine->driver.pid : engine->spawner.pid));
	file_read(path, text, sizeof(text));
	state = strrchr(text, ')'); /* its name may have anything */
	return state && (!strncmp(state, ") T", 3) || !strncmp(state, ") t", 3));
}

/* The one processor that a thread is bound to; -1: it may run on several, or is gone. */
static int thread_cpu(pid_t tid)
{
	cpu_set_t set;

	if (sched_getaffinity(tid, sizeof(set), &set) || CPU_COUNT(&set) != 1)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			return cpu;
	return -1;
}

void engine_worker_cpus(const struct engine *engine, int cpu[IXGBE_QUEUES_MAX])
{
	char path[64], comm[32];
	const struct dirent *entry;
	unsigned int queue;
	DIR *tasks;

	for (size_t q = 0; q < IXGBE_QUEUES_MAX; q++)
		cpu[q] = -1;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)engine->driver.pid);
	tasks = engine_running(engine) ? opendir(path) : NULL;
	while (tasks && (entry = readdir(tasks))) {
		const int tid = atoi(entry->d_name);

		snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)engine->driver.pid, tid);
		file_read(path, comm, sizeof(comm));
		if (sscanf(comm, WORKER_THREAD, &queue) == 1 && queue < IXGBE_QUEUES_MAX)
			cpu[queue] = thread_cpu(tid);
	}
	if (tasks)
		closedir(tasks);
}

bool engine_followed(const struct engine *engine)
{
	return engine->seen.generation == engine->wishes.generation;
}

static void orders_give(struct engine *engine)
{
	const struct board_message message = {.version = BOARD_VERSION, .kind = BOARD_LOOK};

	board_write(&engine->orders->sequence, &engine->orders->wishes, &engine->wishes,
		    sizeof(engine->wishes));
	/* A driver that has messages to read looks anyway. */
	if (engine->socket >= 0)
		(void)board_send(engine->socket, &message);
}

void engine_wish(struct engine *engine, const struct mirror *wanted)
{
	engine->wishes.wanted = *wanted;
	engine->wishes.generation++;
	if (engine->orders)
		orders_give(engine);
}

void engine_receive_set(struct engine *engine, bool coalesce, bool csum_replace)
{
	engine->wishes.coalesce = coalesce;
	engine->wishes.csum_replace = csum_replace;
	if (engine->orders)
		orders_give(engine);
}

/* ---- Drivers ---- */

int engine_driver_come(struct engine *engine)
{
	int err = spawner_take(&engine->spawner, &engine->driver);

	if (err == -EAGAIN)
		return 0;
	if (err)
		return err;
	engine->ordered = false;
	return 1;
}

void engine_driver_kill(const struct engine *engine)
{
	if (engine->driver.pidfd >= 0)
		(void)maker_signal(engine->maker, engine->driver.pidfd, SIGKILL);
}

static bool died(int pidfd)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	return poll(&end, 1, 0) == 1;
}

bool engine_driver_died(const struct engine *engine)
{
	return died(engine->driver.pidfd);
}

bool engine_spawner_died(const struct engine *engine)
{
	return engine->spawner.pid > 0 && died(engine->spawner.pidfd);
}

void engine_driver_bury(struct engine *engine)
{
	if (engine->driver.pidfd >= 0) { /* without a pid: it was dead when it was taken */
		engine->dead_ns = clock_ns();
		engine->dead_number = engine->driver.number;
	}
	(void)engine_listen(engine); /* its last words */
	fd_close_once(&engine->socket);
	fd_close_once(&engine->driver.pidfd);
	engine->driver.pid = -1;
}

bool engine_driver_end(struct engine *engine, struct spawn_end *out)
{
	const int64_t end_ms = clock_ms() + WORD_MS;
	struct pollfd word = {.fd = engine->spawner.sock, .events = POLLIN};

	while (!spawner_ended(&engine->spawner, engine->dead_number, out)) {
		int64_t left = end_ms - clock_ms();

		if (left <= 0 || poll(&word, 1, (int)left) <= 0 || engine_driver_come(engine) < 0)
			return false;
	}
	return true;
}

void engine_driver_fate(struct engine *engine, char text[SPAWN_FATE_BYTES])
{
	struct spawn_end end;

	spawn_fate(engine_driver_end(engine, &end) ? &end : NULL, text);
}

static int driver_order(struct engine *engine, struct ixgbe_why *why)
{
	int pair[2], fd[2], err;
	int channel = ixgbe_device_channel(engine->device);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return ixgbe_why_fill(why, -errno, "cannot make a socket for the driver: %s",
				      strerror(errno));
	fd[0] = pair[1];
	fd[1] = channel;
	/* Before there is a driver: that one may have said more by the time of our next look. */
	engine->seen.phase = BOARD_STARTING;
	engine->report->state.phase = BOARD_STARTING;
	err = spawner_order(&engine->spawner, fd, channel >= 0 ? 2 : 1);
	close(pair[1]);
	if (err) {
		close(pair[0]);
		return ixgbe_why_fill(why, err, "cannot order a driver: %s", strerror(-err));
	}
	fd_close_once(&engine->socket);
	engine->socket = pair[0];
	engine->messages = 0;
	engine->ordered = true;
	return 0;
}

int engine_renew(struct engine *engine, struct ixgbe_why *why)
{
	int err = ixgbe_device_renew(engine->device);

	if (err)
		return ixgbe_why_fill(why, err, "the NIC is gone: %s", strerror(-err));
	return driver_order(engine, why);
}

static int driver_ended(struct engine *engine, struct ixgbe_why *why)
{
	char fate[SPAWN_FATE_BYTES];

	if (engine->seen.phase == BOARD_FAILED)
		return ixgbe_why_fill(why, engine->seen.error ? engine->seen.error : -EIO, "%s",
				      engine->seen.why.text);
	engine->dead_number = engine->driver.number;
	engine_driver_fate(engine, fate);
	return ixgbe_why_fill(why, -ECHILD, "the driver %s and did not say why", fate);
}

/* One look at all that may have come, after waiting a moment for it. */
static int driver_wait_once(struct engine *engine, struct ixgbe_why *why)
{
	struct pollfd pfd[] = {
		{.fd = engine->ordered ? engine->spawner.sock : -1, .events = POLLIN},
		{.fd = engine->driver.pidfd, .events = POLLIN},
		{.fd = engine->socket, .events = POLLIN},
		{.fd = ixgbe_device_connection(engine->device), .events = POLLIN},
		{.fd = ixgbe_device_relay(engine->device), .events = POLLIN},
	};
	int err = 0;

	if (poll(pfd, sizeof(pfd) / sizeof(pfd[0]), ASK_MS) <= 0)
		return 0;
	if (pfd[3].revents || pfd[4].revents)
		err = ixgbe_device_serve(engine->device);
	if (err)
		return ixgbe_why_fill(why, err, "the NIC is gone: %s", strerror(-err));
	if (pfd[0].revents) {
		err = engine_driver_come(engine);
		if (err < 0)
			return ixgbe_why_fill(why, err, "cannot make a driver: %s", strerror(-err));
	}
	if (pfd[2].revents || pfd[1].revents)
		err = engine_listen(engine);
	if (engine->seen.phase == BOARD_ENDED)
		return 0;
	if (pfd[1].revents || engine->seen.phase == BOARD_FAILED)
		return driver_ended(engine, why);
	if (err < 0 && err != -EPIPE)
		return ixgbe_why_fill(why, err, "the driver speaks nonsense: %s", strerror(-err));
	return 0;
}

int engine_driver_wait_phase(struct engine *engine, enum board_phase phase, struct ixgbe_why *why)
{
	while (engine->seen.phase < (uint32_t)phase || engine->ordered) {
		int err = driver_wait_once(engine, why);

		if (err)
			return err;
		if (patience_over(engine->patience))
			return ixgbe_why_fill(why, -ECANCELED, "the NIC is not ready");
	}
	return engine->seen.phase == (uint32_t)phase ? 0 : driver_ended(engine, why);
}

/* ---- What keeper and drivers share ---- */

/* A sealed file of whole pages, mapped. */
static void *shared_new(const char *name, size_t bytes, int seals, int *fd)
{
	void *at;

	*fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0 || ftruncate(*fd, (off_t)bytes))
		return NULL;
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, *fd, 0);
	if (at == MAP_FAILED ||
	    fcntl(*fd, F_ADD_SEALS, seals | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return NULL;
	return at;
}

int engine_board_open(struct engine *engine, struct ixgbe_why *why)
{
	if (!engine->orders)
		engine->orders = shared_new("ixtap-orders", sizeof(*engine->orders),
					    F_SEAL_FUTURE_WRITE, &engine->orders_fd);
	if (!engine->report) {
		engine->report =
			shared_new("ixtap-report", sizeof(*engine->report), 0, &engine->report_fd);
		for (uint16_t q = 0; engine->report && q < engine->options->queues; q++)
			engine->report->queue[q].counters = engine->shown[q];
	}
	if (!engine->orders || !engine->report)
		return ixgbe_why_fill(why, -ENOMEM, "no memory to share with a driver: %s",
				      strerror(errno));
	return 0;
}

/* ---- Opening ---- */

/* Gives each worker a processor, from the last one allowed downwards: interrupts and all else
 * gather on the first. With one processor pinning gains nothing. */
static void choose_cpus(const struct engine *engine, int32_t out[])
{
	cpu_set_t set;
	int allowed[CPU_SETSIZE], count = 0;

	if (!sched_getaffinity(0, sizeof(set), &set))
		for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
			if (CPU_ISSET(cpu, &set))
				allowed[count++] = cpu;
	for (uint16_t q = 0; q < engine->options->queues; q++)
		out[q] = count > 1 ? allowed[q % count] : -1;
}

static struct nic_words soft_words(const struct engine *engine)
{
	return (struct nic_words){
		.wire = engine->soft_wire,
		.control = engine->soft_control,
		.log_level = log_level_name(engine->options->log_level),
		.outlives = engine->outlives,
	};
}

int engine_maker_config(const struct engine *engine, char path[2][PATH_MAX],
			struct maker_config *out, struct ixgbe_why *why)
{
	const struct options *options = engine->options;
	const bool soft = options->nic_kind == OPTIONS_NIC_SOFT;
	int err = programs_driver(path[0], why);

	if (!err && soft)
		err = programs_ixnic(path[1], why);
	*out = (struct maker_config){
		.isolation = options->isolation,
		.user = options->driver_user,
		.name = options->tap,
		.control = options->control,
		.driver = path[0],
		.nic = soft ? path[1] : NULL,
		.words = soft_words(engine),
	};
	return err;
}

static int open_device(struct engine *engine, uint16_t mtu, struct ixgbe_why *why)
{
	const struct options *options = engine->options;
	const struct ixgbe_options port = {
		.queues = options->queues,
		.rx_ring = options->rings,
		.tx_ring = options->rings,
		.mtu = mtu,
		.log = log_library,
		.give_up = patience_over,
		.give_up_ctx = engine->patience,
	};
	const struct nic_words words = soft_words(engine);
	struct ixgbe_pool_plan plan[WORKER_POOLS * IXGBE_QUEUES_MAX];
	const char *name = options->nic;
	char soft_name[32];
	int err;

	for (uint32_t q = 0; q < options->queues; q++)
		worker_pools(options->rings, options->rings, &plan[WORKER_POOLS * q]);
	if (options->nic_kind == OPTIONS_NIC_SOFT) {
		err = soft_nic_start(&engine->soft, &words, engine->patience, why);
		if (err)
			return err;
		snprintf(soft_name, sizeof(soft_name), "vfio-user-fd:%d", engine->soft.socket);
		engine->soft.socket = -1; /* the library's from here on */
		name = soft_name;
	}
	err = ixgbe_device_open(name, &port, plan, WORKER_POOLS * options->queues, &engine->device,
				why);
	if (!err) {
		err = ixgbe_device_bus_master_set(engine->device, true);
		ixgbe_why_fill(err ? why : NULL, err, "cannot let the NIC use the bus: %s",
			       strerror(-err));
	}
	return err;
}

/* The record of a spawner: the plan, and the device's own record behind it. */
static void *plan_record_new(const struct engine *engine, uint16_t mtu,
			     const struct ixgbe_device_image *image, size_t *bytes)
{
	const struct options *options = engine->options;
	struct driver_plan plan = {
		.version = BOARD_VERSION,
		.queues = options->queues,
		.rx_ring = options->rings,
		.tx_ring = options->rings,
		.poll = (uint16_t)options->poll,
		.mtu = mtu,
		.log_level = options->log_level,
		.device_bytes = (uint32_t)image->bytes,
	};
	uint8_t *record = malloc(sizeof(plan) + image->bytes);

	if (!record)
		return NULL;
	choose_cpus(engine, plan.cpu);
	memcpy(record, &plan, sizeof(plan));
	memcpy(record + sizeof(plan), image->record, image->bytes);
	*bytes = sizeof(plan) + image->bytes;
	return record;
}

/* The program stays the one that this ixtapd was installed with, whatever replaces the file. */
static int program_find(struct engine *engine, struct ixgbe_why *why)
{
	int err;

	if (engine->program_fd >= 0 || engine->maker->driver)
		return 0;
	err = programs_driver(engine->program, why);
	if (err || maker_there(engine->maker))
		return err ? err : maker_open(engine->maker, MAKER_DRIVER, engine->program, why);
	engine->program_fd = spawner_program_open(engine->program, why);
	return engine->program_fd < 0 ? engine->program_fd : 0;
}

int engine_spawner_open(struct engine *engine, uint16_t mtu, const int tap_fd[],
			struct ixgbe_why *why)
{
	const uint16_t queues = engine->options->queues;
	struct spawn_config config = {
		.program = engine->program,
		.name = engine->options->tap,
		.isolation = engine->options->isolation,
		.user = engine->options->driver_user,
	};
	int fd[2 + IXGBE_QUEUES_MAX + IXGBE_IMAGE_FDS_MAX];
	struct ixgbe_device_image image;
	void *record;
	int err = program_find(engine, why);

	if (!err)
		err = ixgbe_device_export(engine->device, &image, why);
	if (err)
		return err;
	record = plan_record_new(engine, mtu, &image, &config.bytes);
	fd[0] = engine->orders_fd;
	fd[1] = engine->report_fd;
	memcpy(&fd[2], tap_fd, queues * sizeof(*fd));
	memcpy(&fd[2 + queues], image.fd, image.fds * sizeof(*fd));
	config.program_fd = engine->program_fd;
	config.record = record ? spawner_record_new(record, config.bytes) : -ENOMEM;
	free(record);
	config.fd = fd;
	config.fds = 2u + queues + image.fds;
	err = config.record < 0
		      ? ixgbe_why_fill(why, config.record, "no memory for the spawner's record: %s",
				       strerror(-config.record))
		      : maker_spawner_start(engine->maker, &engine->spawner, &config, why);
	fd_close_once(&config.record);
	ixgbe_device_image_free(&image);
	return err;
}

int engine_stats_room(struct engine *engine, size_t count)
{
	engine->stat_name = calloc(count + 1, sizeof(*engine->stat_name));
	engine->stat_before = calloc(count + 1, sizeof(*engine->stat_before));
	if (!engine->stat_name || !engine->stat_before)
		return -ENOMEM;
	engine->stats = count;
	return 0;
}

/* Names and counts outlive the device: a recovery must not lose them. */
static int keep_stat_names(struct engine *engine, struct ixgbe_why *why)
{
	uint32_t count = engine->report->stats;

	if (engine->stat_name)
		return 0;
	if (count > BOARD_STATS_MAX)
		count = BOARD_STATS_MAX;
	if (engine_stats_room(engine, count))
		return ixgbe_why_fill(why, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		memcpy(engine->stat_name[i], engine->report->stat[i].name, BOARD_NAME_BYTES);
		engine->stat_name[i][BOARD_NAME_BYTES - 1] = '\0';
	}
	return 0;
}

void engine_report_clear(struct engine *engine)
{
	engine->report->state = (struct board_state){.rx_repeated = engine->seen.rx_repeated};
	engine->report->sequence = 0;
	for (size_t i = 0; i < engine->stats; i++) {
		engine->stat_before[i] += engine->report->stat[i].value;
		engine->report->stat[i].value = 0;
	}
}

int engine_open(struct engine *engine, uint16_t mtu, const int tap_fd[], struct ixgbe_why *why)
{
	int err = engine_board_open(engine, why);

	engine->wishes.go = 0;
	engine->wishes.end = BOARD_GO_ON;
	if (!err) {
		engine_report_clear(engine);
		orders_give(engine);
	}
	if (!err)
		err = open_device(engine, mtu, why);
	if (!err)
		err = engine_spawner_open(engine, mtu, tap_fd, why);
	if (!err)
		err = driver_order(engine, why);
	if (!err)
		err = engine_driver_wait_phase(engine, BOARD_ATTACHED, why);
	if (!err)
		err = keep_stat_names(engine, why);
	if (err)
		engine_close(engine);
	return err;
}

int engine_start(struct engine *engine, const struct mirror *wanted, struct ixgbe_why *why)
{
	int err;

	engine->wishes.go = 1;
	engine_wish(engine, wanted);
	err = engine_driver_wait_phase(engine, BOARD_RUNNING, why);
	if (!err)
		engine->starts.cold++;
	return err;
}

/* ---- Closing ---- */

void engine_spawner_stop(const struct engine *engine, struct spawner *spawner)
{
	maker_spawner_stop(engine->maker, spawner);
}

static void driver_stop(struct engine *engine)
{
	struct ixgbe_why why = {""};
	int err = 0;

	if (engine->driver.pid < 0 || engine->seen.phase == BOARD_FAILED)
		return;
	engine->wishes.end = BOARD_STOP;
	orders_give(engine);
	while (engine->seen.phase != BOARD_ENDED && !err) {
		err = driver_wait_once(engine, &why);
		if (!err && patience_over(engine->patience))
			err = ixgbe_why_fill(&why, -ETIMEDOUT,
					     "the NIC answers too slowly, or the driver hangs");
	}
	/* What else there is to say of a NIC that failed has been said. */
	if (err == -ETIMEDOUT)
		log_info("%s: the driver did not stop in order, and the NIC is reset: %s",
			 engine->options->tap, why.text);
}

static void reset_await(struct engine *engine)
{
	struct pollfd over = {.fd = function_reset_fd(engine->reset), .events = POLLIN};
	struct ixgbe_why why;
	bool waits = true;

	while (waits && poll(&over, 1, ASK_MS) != 1)
		waits = !patience_over(engine->patience);
	if (waits) {
		(void)function_reset_end(engine->reset, &why);
	} else {
		log_warning("%s: the reset of the NIC does not come back: the NIC is left to it",
			    engine->options->tap);
		function_reset_leave(engine->reset);
		engine->device = NULL;
	}
	engine->reset = NULL;
}

void engine_close(struct engine *engine)
{
	if (engine->reset)
		reset_await(engine);
	if (engine->device)
		driver_stop(engine);
	engine_spawner_stop(engine, &engine->spawner); /* and the driver, which may hang */
	engine_driver_bury(engine);
	if (engine->report)
		engine_report_clear(engine);
	engine->ordered = false;
	ixgbe_device_close(engine->device);
	engine->device = NULL;
	soft_nic_stop(&engine->soft);
}

static void shared_free(void *at, size_t bytes, int *fd)
{
	if (at)
		munmap(at, bytes);
	fd_close_once(fd);
}

void engine_free(struct engine *engine)
{
	engine_close(engine);
	shared_free(engine->orders, sizeof(*engine->orders), &engine->orders_fd);
	shared_free(engine->report, sizeof(*engine->report), &engine->report_fd);
	fd_close_once(&engine->program_fd);
	engine->orders = NULL;
	engine->report = NULL;
	free(engine->stat_name);
	free(engine->stat_before);
	engine->stat_name = NULL;
	engine->stat_before = NULL;
	engine->stats = 0;
}

/* ---- Counts ---- */

void engine_counters(struct engine *engine, uint16_t queue, struct bridge_counters *out)
{
	uint64_t *shown = (uint64_t *)&engine->shown[queue];
	struct bridge_counters now;

	bridge_counters_read(&engine->report->queue[queue].counters, &now);
	for (size_t i = 0; i < bridge_counter_count; i++)
		if (((const uint64_t *)&now)[i] > shown[i])
			shown[i] = ((const uint64_t *)&now)[i];
	*out = engine->shown[queue];
}

int engine_ask(struct engine *engine, uint32_t what)
{
	const int64_t end_ms = clock_ms() + ENGINE_ASK_MS;
	struct ixgbe_why why;

	if (!engine_running(engine))
		return -ENODEV;
	engine->wishes.ask = what;
	engine->wishes.asked++;
	orders_give(engine);
	while (engine->seen.answered != engine->wishes.asked) {
		if (driver_wait_once(engine, &why))
			return -ENODEV;
		if (clock_ms() >= end_ms)
			return -ETIMEDOUT;
	}
	return 0;
}

uint64_t engine_stat(const struct engine *engine, size_t i)
{
	return engine->stat_before[i] +
	       __atomic_load_n(&engine->report->stat[i].value, __ATOMIC_RELAXED);
}
