/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ixgbe/vfio_user/vfio_user.h"

#define AREAS_MAX   256
#define IOVA_FIRST  0x10000000ull
#define PAGE_BYTES  4096ull
#define CONTROL_MAX (256 * 1024)

struct model {
	struct model_options options;
	char dir[32];
	char path[48], wire_path[48], control_path[48]; /* in dir */
	pid_t pid;                                      /* -1: none */
	int wire; /* -1: not connected, as are the following */
	int irq[MODEL_VECTORS];
	uint16_t id; /* of the next message */
	bool posted; /* since the last reply: the program may not have had it yet */
	uint64_t iova;
	struct model_dma area[AREAS_MAX];
	size_t areas;
	struct vu_stream stream; /* sock -1: not connected */
};

uint64_t model_now_ms(void)
{
	return vu_now_ns() / 1000000u;
}

static uint64_t deadline(void)
{
	return vu_now_ns() + MODEL_DEADLINE_MS * 1000000ull;
}

/* ---- The process ---- */

/* Waits until `fd` is readable; false at the deadline. */
static bool readable(int fd, int timeout_ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int n;

	do
		n = poll(&pfd, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/* What `status` of waitpid says, or NULL for an exit with 0. */
static const char *exit_text(int status, char text[64])
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	if (WIFEXITED(status))
		snprintf(text, 64, "exited with %d", WEXITSTATUS(status));
	else
		snprintf(text, 64, "died of signal %d", WTERMSIG(status));
	return text;
}

/* Ends the program. NULL, or what was wrong with its end. */
static const char *process_end(struct model *m, char text[64])
{
	int pidfd, status;

	if (m->pid < 0)
		return NULL;
	pidfd = (int)syscall(SYS_pidfd_open, m->pid, 0);
	kill(m->pid, SIGTERM);
	if (pidfd < 0 || !readable(pidfd, MODEL_DEADLINE_MS)) {
		kill(m->pid, SIGKILL);
		waitpid(m->pid, &status, 0);
		snprintf(text, 64, "did not end on SIGTERM");
	} else {
		waitpid(m->pid, &status, 0);
		if (!exit_text(status, text))
			text = NULL;
	}
	if (pidfd >= 0)
		close(pidfd);
	m->pid = -1;
	return text;
}

/* Fails the test: `what` did not happen, and why, if the program is to blame. */
__attribute__((noreturn, format(printf, 2, 3))) static void give_up(struct model *m,
								    const char *format, ...)
{
	char what[160], text[64];
	const char *end = NULL;
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (m->pid >= 0 && waitpid(m->pid, &status, WNOHANG) == m->pid) {
		m->pid = -1;
		end = exit_text(status, text);
		end = end ? end : "exited with 0";
	}
	fail_msg("%s; ixnic %s", what, end ? end : "runs");
	abort();
}

/* In the child: becomes ixnic. */
static void become_ixnic(const struct model *m, const char *program, int sock, int out)
{
	const char *argv[32] = {program, "--socket"};
	char socket_arg[64];
	int n = 2;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	if (sock >= 0)
		fcntl(sock, F_SETFD, 0);
	snprintf(socket_arg, sizeof(socket_arg), "fd:%d", sock);
	argv[n++] = sock >= 0 ? socket_arg : m->path;
	argv[n++] = "--wire";
	char wire[64];

	snprintf(wire, sizeof(wire), "seqpacket:%s", m->wire_path);
	argv[n++] = m->options.wire ? m->options.wire : wire;
	argv[n++] = "--mac";
	argv[n++] = m->options.mac ? m->options.mac : "02:00:00:00:00:01";
	argv[n++] = "--link";
	argv[n++] = m->options.link_down ? "down" : "up";
	argv[n++] = "--control";
	argv[n++] = m->control_path;
	for (const char *const *more = m->options.more; more && *more && n < 31; more++)
		argv[n++] = *more;
	execv(program, (char **)(uintptr_t)argv);
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

/* Waits for the line "ready". */
static bool wait_ready(int out)
{
	char line[16];
	size_t have = 0;
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;

	while (have < sizeof(line) - 1 && model_now_ms() < end) {
		if (!readable(out, (int)(end - model_now_ms())))
			return false;
		ssize_t n = read(out, line + have, 1);

		if (n <= 0)
			return false;
		if (line[have++] == '\n')
			return have == 6 && memcmp(line, "ready\n", 6) == 0;
	}
	return false;
}

static void process_start(struct model *m)
{
	const char *program = getenv("IXNIC");
	int sock[2] = {-1, -1}, out[2];

	if (!program)
		fail_msg("IXNIC is not set: run this test by meson");
	if (pipe2(out, O_CLOEXEC) ||
	    (!m->options.listen && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock)))
		fail_msg("%s", strerror(errno));
	m->pid = fork();
	if (m->pid == 0)
		become_ixnic(m, program, sock[1], out[1]);
	close(out[1]);
	if (sock[1] >= 0)
		close(sock[1]);
	vu_stream_init(&m->stream, sock[0]);
	bool ready = wait_ready(out[0]);

	/* The pipe closes: ixnic has nothing more to say. */
	close(out[0]);
	if (!ready)
		give_up(m, "no line 'ready'");
}

/* ---- The connection ---- */

static int connect_to(struct model *m, const char *path, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr))) {
		int err = errno;

		close(sock);
		give_up(m, "%s: %s", path, strerror(err));
	}
	return sock;
}

static void post(struct model *m, struct vu_header header, const struct iovec *part, uint32_t parts,
		 const int *fd, uint32_t fds)
{
	int err;

	header.id = m->id++;
	err = vu_send(m->stream.sock, &header, part, parts, fd, fds, deadline());
	if (err)
		give_up(m, "cannot send command %u: %s", header.command, strerror(-err));
	m->posted = true;
}

/* A command in parts, and its reply. */
static int command(struct model *m, uint16_t number, const struct iovec *part, uint32_t parts,
		   const int *fd, uint32_t fds, void *reply, size_t size)
{
	struct vu_message message;
	int err;

	post(m, (struct vu_header){.command = number}, part, parts, fd, fds);
	err = vu_stream_wait_limit(&m->stream, &message,
				   &(const struct vu_limit){.deadline_ns = deadline()});
	if (err)
		give_up(m, "no reply to command %u: %s", number, strerror(-err));
	uint16_t id = message.header.id;
	size_t len = message.len;

	if (len > 0 && len <= size)
		memcpy(reply, message.data, len);
	vu_message_close(&message);
	if (id != (uint16_t)(m->id - 1) || message.header.command != number ||
	    (message.header.flags & VU_TYPE) != VU_REPLY)
		give_up(m, "the reply is not to command %u", number);
	m->posted = false;
	if (message.header.flags & VU_ERROR) {
		if (len > 0 || message.header.error == 0)
			give_up(m, "command %u: an error with a payload, or none", number);
		return -(int)message.header.error;
	}
	if (len > size)
		give_up(m, "command %u: a reply of %zu bytes, not %zu", number, len, size);
	return (int)len;
}

int model_command(struct model *m, uint16_t number, const void *payload, size_t len, const int *fd,
		  uint32_t fds, void *reply, size_t size)
{
	struct iovec part = {(void *)(uintptr_t)payload, len};

	return command(m, number, &part, 1, fd, fds, reply, size);
}

static void negotiate(struct model *m)
{
	static const char json[] = "{\"capabilities\":{\"max_msg_fds\":16}}";
	struct vu_version version = {VU_VERSION_MAJOR, VU_VERSION_MINOR};
	struct iovec part[2] = {{&version, sizeof(version)},
				{(void *)(uintptr_t)json, sizeof(json)}};
	uint8_t reply[512];
	int len = command(m, VU_VERSION, part, 2, NULL, 0, reply, sizeof(reply));

	if (len < (int)sizeof(version))
		give_up(m, "negotiation: %s", len < 0 ? strerror(-len) : "short reply");
}

static void irqs_connect(struct model *m)
{
	for (uint32_t first = 0; first < MODEL_VECTORS; first += VU_FDS_MAX) {
		struct vu_irq_set set = {
			.argsz = sizeof(set),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.start = first,
			.count = VU_FDS_MAX,
		};
		int err = model_command(m, VU_SET_IRQS, &set, sizeof(set), &m->irq[first],
					VU_FDS_MAX, NULL, 0);

		if (err)
			give_up(m, "SET_IRQS: %s", strerror(-err));
	}
}

/* From a connected socket to a function that a driver could take over. */
static void function_enable(struct model *m)
{
	negotiate(m);
	if (!m->options.master_stays)
		model_config_write(m, 0x04, 2, 0x0002); /* memory space */
	model_config_write(m, 0x04, 2, 0x0006);         /* and bus master */
	irqs_connect(m);
}

static void areas_forget(struct model *m)
{
	for (size_t i = 0; i < m->areas; i++)
		munmap(m->area[i].addr, m->area[i].len);
	m->areas = 0;
	m->iova = IOVA_FIRST;
}

static void connections_close(struct model *m)
{
	vu_stream_close(&m->stream);
	if (m->wire >= 0)
		close(m->wire);
	m->wire = -1;
	for (uint32_t i = 0; i < MODEL_VECTORS; i++) {
		if (m->irq[i] >= 0)
			close(m->irq[i]);
		m->irq[i] = -1;
	}
	areas_forget(m);
}

static void connections_open(struct model *m)
{
	for (uint32_t i = 0; i < MODEL_VECTORS; i++) {
		m->irq[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (m->irq[i] < 0)
			give_up(m, "eventfd: %s", strerror(errno));
	}
	if (m->stream.sock < 0)
		vu_stream_init(&m->stream, connect_to(m, m->path, SOCK_STREAM));
	if (m->wire < 0 && !m->options.wire)
		m->wire = connect_to(m, m->wire_path, SOCK_SEQPACKET);
	function_enable(m);
}

/* ---- Life ---- */

/* Of the group: a test that fails in its setup has no teardown. The program dies with us. */
int model_start(void **state, const struct model_options *options)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		return -1;
	*state = m;
	if (options)
		m->options = *options;
	m->iova = IOVA_FIRST;
	m->wire = -1;
	for (uint32_t i = 0; i < MODEL_VECTORS; i++)
		m->irq[i] = -1;
	strcpy(m->dir, "/tmp/ixnic-model-XXXXXX");
	if (!mkdtemp(m->dir))
		fail_msg("%s: %s", m->dir, strerror(errno));
	snprintf(m->path, sizeof(m->path), "%s/nic", m->dir);
	snprintf(m->wire_path, sizeof(m->wire_path), "%s/wire", m->dir);
	snprintf(m->control_path, sizeof(m->control_path), "%s/control", m->dir);
	process_start(m);
	connections_open(m);
	return 0;
}

int model_setup(void **state)
{
	return model_start(state, NULL);
}

int model_stop(void **state)
{
	struct model *m = *state;
	char text[64];
	const char *bad;

	if (!m)
		return 0;
	bad = process_end(m, text);
	connections_close(m);
	/* ixnic removes its sockets; what it left would be in the way of rmdir. */
	if (rmdir(m->dir)) {
		if (!bad)
			bad = "left a socket file behind";
		unlink(m->path);
		unlink(m->wire_path);
		unlink(m->control_path);
		rmdir(m->dir);
	}
	free(m);
	*state = NULL;
	if (bad)
		print_error("ixnic %s\n", bad);
	return bad ? -1 : 0;
}

void model_restart(struct model *m)
{
	char text[64];
	const char *bad = process_end(m, text);

	connections_close(m);
	if (bad)
		fail_msg("ixnic %s", bad);
	process_start(m);
	connections_open(m);
}

void model_disconnect(struct model *m)
{
	vu_stream_close(&m->stream);
}

void model_reconnect(struct model *m)
{
	assert_true(m->options.listen);
	vu_stream_close(&m->stream);
	areas_forget(m);
	vu_stream_init(&m->stream, connect_to(m, m->path, SOCK_STREAM));
	function_enable(m);
}

const char *model_path(const struct model *m)
{
	return m->path;
}

const char *model_dir(const struct model *m)
{
	return m->dir;
}

int model_pid(const struct model *m)
{
	return m->pid;
}

bool model_ended(struct model *m)
{
	int pidfd = (int)syscall(SYS_pidfd_open, m->pid, 0), status;
	char text[64];

	if (pidfd < 0 || !readable(pidfd, MODEL_DEADLINE_MS))
		give_up(m, "it does not end");
	close(pidfd);
	waitpid(m->pid, &status, 0);
	m->pid = -1;
	return !exit_text(status, text);
}

/* ---- Registers and configuration space ---- */

int model_region_read(struct model *m, uint32_t region, uint64_t offset, void *data, uint32_t len)
{
	struct vu_region_access access = {.offset = offset, .region = region, .count = len};
	uint8_t *reply = malloc(sizeof(access) + len);
	int n = model_command(m, VU_REGION_READ, &access, sizeof(access), NULL, 0, reply,
			      sizeof(access) + len);

	if (n >= 0 && n != (int)(sizeof(access) + len))
		give_up(m, "a read of %u bytes brought %d", len, n);
	if (n >= 0)
		memcpy(data, reply + sizeof(access), len);
	free(reply);
	return n < 0 ? n : 0;
}

int model_region_write(struct model *m, uint32_t region, uint64_t offset, const void *data,
		       uint32_t len)
{
	struct vu_region_access access = {.offset = offset, .region = region, .count = len};
	struct iovec part[2] = {{&access, sizeof(access)}, {(void *)(uintptr_t)data, len}};
	int n = command(m, VU_REGION_WRITE, part, 2, NULL, 0, &access, sizeof(access));

	return n < 0 ? n : 0;
}

uint32_t model_read(struct model *m, uint32_t offset)
{
	uint32_t value;
	int err = model_region_read(m, VFIO_PCI_BAR0_REGION_INDEX, offset, &value, 4);

	if (err)
		give_up(m, "read of register %#x: %s", offset, strerror(-err));
	return value;
}

void model_write(struct model *m, uint32_t offset, uint32_t value)
{
	struct vu_region_access access = {
		.offset = offset, .region = VFIO_PCI_BAR0_REGION_INDEX, .count = 4};
	struct iovec part[2] = {{&access, sizeof(access)}, {&value, 4}};

	post(m, (struct vu_header){.command = VU_REGION_WRITE, .flags = VU_NO_REPLY}, part, 2, NULL,
	     0);
}

/* The program has had all that was posted: before something comes to it by another way. */
static void settle(struct model *m)
{
	if (m->posted && m->stream.sock >= 0)
		(void)model_config_read(m, 0, 4);
}

/* A little time between looks: for what takes the other process more than one of its turns. */
static void breathe(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

uint32_t model_wait(struct model *m, uint32_t offset, uint32_t mask, uint32_t value)
{
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;
	uint32_t got;

	while (((got = model_read(m, offset)) & mask) != value) {
		if (model_now_ms() > end)
			give_up(m, "register %#x is %#x, not %#x under %#x", offset, got, value,
				mask);
		breathe();
	}
	return got;
}

void model_change(struct model *m, const struct model_change *change, uint32_t most)
{
	for (uint32_t i = 0; i < most && change[i].at; i++)
		model_write(m, change[i].at,
			    (model_read(m, change[i].at) & ~change[i].clear) | change[i].set);
}

uint32_t model_config_read(struct model *m, uint32_t offset, uint32_t len)
{
	uint32_t value = 0;
	int err = model_region_read(m, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, len);

	if (err)
		give_up(m, "read of configuration space at %#x: %s", offset, strerror(-err));
	return value;
}

void model_config_write(struct model *m, uint32_t offset, uint32_t len, uint32_t value)
{
	int err = model_region_write(m, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, len);

	if (err)
		give_up(m, "write of configuration space at %#x: %s", offset, strerror(-err));
}

void model_reset(struct model *m)
{
	int err = command(m, VU_RESET, NULL, 0, NULL, 0, NULL, 0);

	if (err)
		give_up(m, "reset: %s", strerror(-err));
}

void model_software_reset(struct model *m)
{
	model_set(m, IXGBE_CTRL, IXGBE_CTRL_RST);
	model_read(m, IXGBE_CTRL); /* writes are posted: now it began */
	nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* ---- DMA memory ---- */

struct model_dma model_dma_new(struct model *m, size_t len)
{
	struct vu_dma_map map = {.argsz = sizeof(map), .flags = VU_DMA_READABLE | VU_DMA_WRITABLE};
	struct model_dma dma = {.len = (len + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES};
	int fd, err;

	if (m->areas == AREAS_MAX)
		fail_msg("more than %d areas of DMA memory", AREAS_MAX);
	fd = memfd_create("model", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)dma.len))
		fail_msg("memfd: %s", strerror(errno));
	dma.addr = mmap(NULL, dma.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (dma.addr == MAP_FAILED)
		fail_msg("mmap: %s", strerror(errno));
	dma.iova = m->iova;
	m->iova += dma.len + PAGE_BYTES;
	map.addr = dma.iova;
	map.size = dma.len;
	err = model_command(m, VU_DMA_MAP, &map, sizeof(map), &fd, 1, NULL, 0);
	close(fd);
	if (err)
		give_up(m, "DMA_MAP: %s", strerror(-err));
	m->area[m->areas++] = dma;
	return dma;
}

void model_dma_free(struct model *m, struct model_dma *dma)
{
	struct vu_dma_unmap unmap = {.argsz = sizeof(unmap), .addr = dma->iova, .size = dma->len};
	int n = model_command(m, VU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, &unmap,
			      sizeof(unmap));

	if (n < 0)
		give_up(m, "DMA_UNMAP: %s", strerror(-n));
	for (size_t i = 0; i < m->areas; i++) {
		if (m->area[i].iova == dma->iova) {
			m->area[i] = m->area[--m->areas];
			break;
		}
	}
	munmap(dma->addr, dma->len);
	dma->addr = NULL;
}

/* ---- Interrupts ---- */

static bool irq_within(struct model *m, uint32_t vector, int timeout_ms)
{
	uint64_t count;

	assert_true(vector < MODEL_VECTORS);
	return readable(m->irq[vector], timeout_ms) &&
	       read(m->irq[vector], &count, sizeof(count)) == sizeof(count);
}

bool model_irq_wait(struct model *m, uint32_t vector)
{
	return irq_within(m, vector, MODEL_DEADLINE_MS);
}

bool model_irq_pending(struct model *m, uint32_t vector)
{
	(void)model_read(m, IXGBE_STATUS);
	return irq_within(m, vector, 0);
}

bool model_irq_quiet(struct model *m, uint32_t vector)
{
	settle(m);
	return !irq_within(m, vector, MODEL_QUIET_MS);
}

/* ---- The wire ---- */

void model_wire_send(struct model *m, const void *frame, size_t len)
{
	struct pollfd pfd = {.fd = m->wire, .events = POLLOUT};

	settle(m);
	if (poll(&pfd, 1, MODEL_DEADLINE_MS) != 1 ||
	    send(m->wire, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		give_up(m, "the wire took no frame of %zu bytes: %s", len, strerror(errno));
}

size_t model_wire_recv(struct model *m, void *frame, size_t size)
{
	ssize_t n;

	if (!readable(m->wire, MODEL_DEADLINE_MS))
		give_up(m, "no frame on the wire");
	n = recv(m->wire, frame, size, MSG_TRUNC);
	if (n <= 0)
		give_up(m, "the wire closed");
	if ((size_t)n > size)
		give_up(m, "a frame of %zd bytes, longer than %zu", n, size);
	return (size_t)n;
}

bool model_wire_quiet(struct model *m)
{
	settle(m);
	return !readable(m->wire, MODEL_QUIET_MS);
}

/* ---- Control ---- */

int model_control_connect(struct model *m)
{
	return connect_to(m, m->control_path, SOCK_SEQPACKET);
}

json_t *model_control(struct model *m, const char *request)
{
	int sock = model_control_connect(m);
	char *reply = malloc(CONTROL_MAX);
	json_error_t error;
	json_t *json;
	ssize_t n = -1;

	settle(m);
	if (send(sock, request, strlen(request), MSG_NOSIGNAL) > 0 &&
	    readable(sock, MODEL_DEADLINE_MS))
		n = recv(sock, reply, CONTROL_MAX, 0);
	close(sock);
	if (n <= 0)
		give_up(m, "control '%s': no reply", request);
	json = json_loadb(reply, (size_t)n, 0, &error);
	free(reply);
	if (!json)
		give_up(m, "control '%s': %s", request, error.text);
	return json;
}

/* False: the answer has no such integer. */
static bool control_int(struct model *m, const char *request, const char *path, long long *out)
{
	json_t *json = model_control(m, request), *at = json;
	char *copy = strdup(path), *save = NULL;
	bool found;

	for (char *name = strtok_r(copy, ".", &save); name; name = strtok_r(NULL, ".", &save))
		at = json_object_get(at, name);
	free(copy);
	found = json_is_integer(at);
	*out = found ? json_integer_value(at) : 0;
	json_decref(json);
	return found;
}

long long model_control_int(struct model *m, const char *request, const char *path)
{
	long long value;

	if (!control_int(m, request, path, &value))
		give_up(m, "control '%s': no integer '%s'", request, path);
	return value;
}

long long model_broken(struct model *m, const char *rule)
{
	char path[64];

	snprintf(path, sizeof(path), "counts.%s", rule);
	return model_control_int(m, "violations", path);
}

void model_control_wait(struct model *m, const char *request, const char *path, long long value)
{
	uint64_t end = model_now_ms() + MODEL_DEADLINE_MS;
	long long got;

	/* A rule has no count before it is broken. */
	while (!control_int(m, request, path, &got) || got != value) {
		if (model_now_ms() > end)
			give_up(m, "control '%s': %s is %lld, not %lld", request, path, got, value);
		breathe();
	}
}
