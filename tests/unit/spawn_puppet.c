/* SPDX-License-Identifier: MIT */
/* A driver that tries what it is told to. Its order's only descriptor is the socket of the test.
 * Before it answers, it has what drivers have: a ring, an eventfd, a second thread. */
#include "spawn_puppet.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bridge/spawn/spawn_wire.h"

#define PAGE      4096u
#define BIG_BYTES (4u << 20)
#define ENTRIES   8u

static struct puppet_record told;
static int shared = -1; /* prepare's only descriptor, or -1 */
static char *memory;    /* of a memfd */
static struct io_uring ring;
static int event = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER;
static pthread_t other;
static bool other_acts;

static void speak(enum puppet_prepare what)
{
	struct spawn_word word = {.stage = SPAWN_READY};

	spawn_head_fill(&word.head, NULL);
	if (what == PREPARE_VERSION)
		strcpy(word.head.version, "99.9");
	spawn_send(SPAWN_SOCKET, &word, what == PREPARE_VERSION ? sizeof(word) : sizeof(word) - 1,
		   NULL, 0);
	pause();
}

static int memory_new(void)
{
	int fd = memfd_create("puppet", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGE))
		return -errno;
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? -errno : 0;
}

int driver_prepare(const void *record, size_t bytes, const int *fd, uint32_t fds,
		   struct ixgbe_why *why)
{
	if (bytes != sizeof(told))
		return ixgbe_why_fill(why, -EBADMSG, "a record of %zu bytes", bytes);
	memcpy(&told, record, bytes);
	shared = fds ? fd[0] : -1;
	switch (told.prepare) {
	case PREPARE_FAIL:
		return ixgbe_why_fill(why, -ENODEV, "no: %.60s", told.text);
	case PREPARE_EXIT:
		_exit(7);
	case PREPARE_HANG:
		pause();
		break;
	case PREPARE_NONSENSE:
	case PREPARE_VERSION:
		speak(told.prepare);
		break;
	default:
		break;
	}
	return memory_new();
}

/* ---- What is to be denied ---- */

static int64_t new_ring(void)
{
	struct io_uring_params params = {.flags = 0};

	return syscall(SYS_io_uring_setup, ENTRIES, &params);
}

static void *other_thread(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	while (!other_acts)
		pthread_cond_wait(&asked, &lock);
	new_ring();
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *no_work(void *arg)
{
	return arg;
}

static int64_t ask_other_thread(void)
{
	pthread_mutex_lock(&lock);
	other_acts = true;
	pthread_cond_signal(&asked);
	pthread_mutex_unlock(&lock);
	return pthread_join(other, NULL);
}

static int64_t new_thread(void)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, no_work, NULL);

	return err ? err : pthread_join(thread, NULL);
}

static int64_t memory_of_other(void)
{
	static char bytes[8];
	const struct iovec here = {bytes, sizeof(bytes)}, there = {bytes, sizeof(bytes)};

	return syscall(SYS_process_vm_readv, 1, &here, 1ul, &there, 1ul, 0ul);
}

static int64_t program(void)
{
	static char name[] = "/bin/true";
	char *const words[] = {name, NULL};

	return execv(name, words);
}

static int64_t denied(enum deed deed)
{
	switch (deed) {
	case DEED_OPEN:
		return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	case DEED_IO_URING:
		return new_ring();
	case DEED_NAME:
		return prctl(PR_SET_NAME, "another");
	case DEED_THREAD:
		return new_thread();
	case DEED_OTHER_THREAD:
		return ask_other_thread();
	case DEED_SOCKET:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case DEED_KILL:
		return kill(1, SIGKILL);
	case DEED_PTRACE:
		return ptrace(PTRACE_ATTACH, 1, NULL, NULL);
	case DEED_MMAP_EXEC:
		return (int64_t)(uintptr_t)mmap(NULL, PAGE, PROT_READ | PROT_EXEC,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	case DEED_MPROTECT_EXEC:
		return mprotect(memory, PAGE, PROT_READ | PROT_EXEC);
	case DEED_EXECVE:
		return program();
	case DEED_UNSHARE:
		return unshare(CLONE_NEWUSER);
	case DEED_CLONE_NAMESPACE:
		return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	case DEED_IOCTL:
		return ioctl(shared, FIONREAD, &event);
	case DEED_FALLOCATE:
		return fallocate(shared, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
	case DEED_MADVISE_REMOVE:
		return madvise(memory, PAGE, MADV_REMOVE);
	case DEED_MEMFD:
		return memfd_create("more", MFD_CLOEXEC);
	case DEED_MOUNT:
		return mount("none", "/", "tmpfs", 0, NULL);
	case DEED_SETUID:
		return syscall(SYS_setuid, 0); /* libc asks other threads to follow */
	case DEED_PROCESS_VM:
		return memory_of_other();
	case DEED_PIDFD_GETFD:
		return syscall(SYS_pidfd_getfd, event, 0, 0);
	case DEED_BPF:
		return syscall(SYS_bpf, 0, NULL, 0);
	case DEED_SEAL:
		return fcntl(event, F_ADD_SEALS, F_SEAL_WRITE);
	default:
		return -ENOSYS;
	}
}

/* ---- What a driver does ---- */

static int frames(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct io_uring_cqe *cqe;
	uint64_t count = 1;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_nop(sqe);
	if (io_uring_submit_and_wait(&ring, 1) != 1 || io_uring_peek_cqe(&ring, &cqe))
		return -EIO;
	io_uring_cqe_seen(&ring, cqe);
	sched_yield();
	if (write(event, &count, sizeof(count)) != sizeof(count) ||
	    read(event, &count, sizeof(count)) != sizeof(count))
		return -errno;
	return 0;
}

static int waits(void)
{
	const struct timespec moment = {.tv_nsec = 1000};
	struct pollfd none = {.fd = event, .events = POLLIN};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
	return poll(&none, 1, 1) || ppoll(&none, 1, &moment, NULL) ? -EIO : 0;
}

/* As liburing asks for that up to 2.3, and as from 2.4 on: by the ring's registered number. */
static void files_let_go(void)
{
	syscall(SYS_io_uring_register, ring.ring_fd, IORING_UNREGISTER_FILES, NULL, 0);
	syscall(SYS_io_uring_register, 0, IORING_UNREGISTER_FILES | 1u << 31, NULL, 0);
}

static int work(void)
{
	struct ixgbe_why why;
	char *big = malloc(BIG_BYTES);
	int err = big ? frames() : -ENOMEM;

	if (big)
		memset(big, 1, BIG_BYTES);
	free(big);
	if (!err)
		err = waits();
	files_let_go();
	ixgbe_why_fill(&why, 0, "%d words", 2);
	return err;
}

static int begin(void)
{
	cpu_set_t set;
	int err;

	err = io_uring_queue_init(ENTRIES, &ring, 0);
	if (err)
		return err;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = io_uring_register_files(&ring, &event, 1);
	if (err)
		return err;
	err = -pthread_create(&other, NULL, other_thread, NULL);
	if (err)
		return err;
	pthread_setname_np(other, "other"); /* whatever comes of it */
	memset(&set, 0xff, sizeof(set));    /* the kernel takes those that it may use */
	return -pthread_setaffinity_np(other, sizeof(set), &set);
}

static int64_t act(enum deed deed, struct puppet_answer *answer)
{
	int64_t value;

	switch (deed) {
	case DEED_PID:
		return syscall(SYS_getpid);
	case DEED_SHARED:
		return shared < 0 ? -EBADF : write(shared, "shared", 6);
	case DEED_RECORD:
		memcpy(answer->text, told.text, sizeof(answer->text));
		return 0;
	case DEED_REPORT:
		return 0;
	case DEED_WORK:
		return work();
	case DEED_EXIT:
		_exit(9);
	default:
		value = denied(deed);
		return value < 0 ? -errno : value;
	}
}

_Noreturn void driver_main(const int *fd, uint32_t fds)
{
	static struct puppet_answer answer;
	static struct isolation_report report;
	uint8_t deed;

	if (fds != 1)
		_exit(2);
	if (begin())
		_exit(3);
	if (told.last && isolation_last(&report))
		_exit(4);
	while (read(fd[0], &deed, 1) == 1) {
		memset(&answer, 0, sizeof(answer));
		answer.report = report;
		answer.value = act(deed, &answer);
		if (write(fd[0], &answer, sizeof(answer)) < 0)
			break;
	}
	_exit(0);
}
