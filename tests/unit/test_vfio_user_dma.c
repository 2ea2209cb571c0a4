/* SPDX-License-Identifier: MIT */
/* The vfio-user client whose server asks for memory by message. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ixgbe/backends/backend.h"
#include "ixgbe/vfio_user/vfio_user.h"

#define PAGE 4096u

struct question {
	uint16_t command;
	uint32_t flags;
	size_t len; /* of what follows */
	struct vu_dma_access access;
	uint8_t data[8];
};

struct server {
	pthread_t thread;
	/* Asked before the next reply, and what came of it. */
	_Atomic(const struct question *) question;
	_Atomic uint32_t answers;
	struct vu_header answer;
	size_t answer_len;
	uint8_t answer_data[PAGE];
	struct vu_stream stream;
};

struct fixture {
	struct server server;
	struct ixgbe_backend *backend;
};

static uint64_t soon(void)
{
	return vu_now_ns() + 5000000000ull;
}

static void send_to_client(struct server *s, const struct vu_header *header, const void *data,
			   size_t len)
{
	struct iovec part = {(void *)(uintptr_t)data, len};

	(void)vu_send(s->stream.sock, header, &part, 1, NULL, 0, soon());
}

static void answer(struct server *s, const struct vu_message *m)
{
	struct vu_header header = {
		.id = m->header.id, .command = m->header.command, .flags = VU_REPLY};
	union {
		struct vu_version version;
		struct vu_device_info device;
		struct vu_region_info region;
		struct vu_region_io_fds io_fds;
		uint8_t bytes[64];
	} reply = {.bytes = {0}};

	if (m->header.command == VU_GET_INFO)
		reply.device = (struct vu_device_info){
			sizeof(reply.device), VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
			VFIO_PCI_NUM_REGIONS, VFIO_PCI_NUM_IRQS};
	else if (m->header.command == VU_GET_REGION_INFO)
		reply.region.size = 0x80000;
	else if (m->header.command == VU_GET_REGION_IO_FDS)
		reply.io_fds.argsz = sizeof(reply.io_fds); /* none */
	send_to_client(s, &header, &reply,
		       m->header.command == VU_VERSION ? sizeof(reply.version) : sizeof(reply));
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct vu_message m;

	while (vu_stream_wait_limit(&s->stream, &m,
				    &(const struct vu_limit){.deadline_ns = soon()}) == 0) {
		const struct question *q = s->question;

		if ((m.header.flags & VU_TYPE) == VU_REPLY) {
			assert_int_equal(m.header.id, 77);
			s->answer = m.header;
			s->answer_len = m.len;
			memcpy(s->answer_data, m.data, m.len < PAGE ? m.len : PAGE);
			s->answers++;
		} else {
			if (q) {
				struct vu_header header = {
					.id = 77, .command = q->command, .flags = q->flags};

				s->question = NULL;
				send_to_client(s, &header, &q->access, q->len);
			}
			answer(s, &m);
		}
		vu_message_close(&m);
	}
	return NULL;
}

static void start(struct fixture *f)
{
	struct ixgbe_why why;
	int sock[2];
	char arg[16];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	vu_stream_init(&f->server.stream, sock[0]);
	assert_int_equal(pthread_create(&f->server.thread, NULL, serve, &f->server), 0);
	snprintf(arg, sizeof(arg), "%d", sock[1]);
	assert_int_equal(ixgbe_backend_vfio_user_fd.open(arg, NULL, &f->backend, &why), 0);
}

static void stop(struct fixture *f)
{
	f->backend->ops->close(f->backend);
	pthread_join(f->server.thread, NULL);
	vu_stream_close(&f->server.stream);
}

/* The server asks; a command of ours makes us look. True: the answer is there. */
static bool ask(struct fixture *f, const struct question *question)
{
	uint32_t before = f->server.answers;

	f->server.question = question;
	f->backend->ops->read32(f->backend, 0x20);
	f->backend->ops->read32(f->backend, 0x20); /* behind our answer */
	assert_null(f->server.question);
	return f->server.answers > before;
}

/* It gets what it could reach in what we mapped, and nothing else. */
static void test_server_asks_for_memory(void **state)
{
	static struct fixture f;
	struct question read = {VU_DMA_READ, 0, 16, {0x10ffe, 2}, {0}};
	struct question write = {VU_DMA_WRITE, 0, 24, {0x10008, 8}, "abcdefg"};
	static const struct question wrong[] = {
		{VU_DMA_READ, 0, 15, {0x10000, 1}, {0}},
		{VU_DMA_READ, 0, 16, {0x10000, 0}, {0}},
		{VU_DMA_READ, 0, 16, {0x10000, VU_DATA_MAX_BYTES + 1}, {0}},
		{VU_DMA_WRITE, 0, 23, {0x10000, 8}, {0}},
		{VU_DMA_WRITE, 0, 0, {0}, {0}},
	};
	static const struct vu_dma_access outside[] = {
		{0xffff, 1}, {0x10fff, 2}, {0x11000, 1}, {0, 8}, {UINT64_MAX, 2}, {0x10000, 0x1001},
	};
	uint8_t *memory = calloc(1, PAGE);
	int fd = memfd_create("memory", MFD_CLOEXEC);

	start(&f);
	const struct ixgbe_backend_ops *ops = f.backend->ops;

	(void)state;
	assert_int_equal(ops->dma_map(f.backend, memory, PAGE, fd, 0, 0x10000), 0);
	memcpy(memory + PAGE - 2, "xy", 2);
	assert_true(ask(&f, &read));
	assert_int_equal(f.server.answer.flags, VU_REPLY);
	assert_int_equal(f.server.answer_len, 18);
	assert_memory_equal(f.server.answer_data + 16, "xy", 2);
	assert_true(ask(&f, &write));
	assert_int_equal(f.server.answer.flags, VU_REPLY);
	assert_memory_equal(memory, "\0\0\0\0\0\0\0\0abcdefg\0\0", 17);
	write.flags = VU_NO_REPLY;
	write.data[0] = 'z';
	assert_false(ask(&f, &write));
	assert_int_equal(memory[8], 'z');
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_true(ask(&f, &wrong[i]));
		assert_int_equal(f.server.answer.error, EINVAL);
	}
	assert_int_equal(ops->dma_refused(f.backend), 0);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		read.access = outside[i];
		assert_true(ask(&f, &read));
		assert_int_equal(f.server.answer.flags, VU_REPLY | VU_ERROR);
		assert_int_equal(f.server.answer.error, EFAULT);
		assert_int_equal(f.server.answer_len, 0);
	}
	assert_int_equal(ops->dma_refused(f.backend), sizeof(outside) / sizeof(outside[0]));
	/* What was unmapped is not there any more. */
	assert_int_equal(ops->dma_unmap(f.backend, 0x10000, PAGE), 0);
	free(memory);
	write.flags = 0;
	assert_true(ask(&f, &write));
	assert_int_equal(f.server.answer.error, EFAULT);
	for (uint64_t i = 0; i < 200; i++)
		assert_int_equal(ops->dma_map(f.backend, NULL, PAGE, fd, 0, 0x100000 + i * PAGE),
				 0);
	close(fd);
	stop(&f);
}

/* ---- Another program goes on with the connection ---- */

/* The server begins a question, and goes on with it when it is asked to. */
static void half_a_question(struct fixture *f, struct backend_handed *handed)
{
	const struct question read = {VU_DMA_READ, 0, 16, {0x10000, 8}, {0}};
	const struct vu_header header = {
		.id = 77, .command = VU_DMA_READ, .size = sizeof(header) + 16};
	const struct ixgbe_backend_ops *ops = f->backend->ops;
	const uint32_t before = f->server.answers;

	assert_int_equal(vu_send_some(f->server.stream.sock, &header, sizeof(header), -1),
			 sizeof(header));
	assert_int_equal(ops->hand_over(f->backend, handed), -EAGAIN);
	assert_int_equal(vu_send_some(f->server.stream.sock, &read.access, 16, -1), 16);
	assert_int_equal(ops->hand_over(f->backend, handed), 0);
	ops->read32(f->backend, 0x20); /* behind our answer */
	assert_int_equal(f->server.answers, before + 1);
	assert_int_equal(ops->hand_over(f->backend, handed), 0);
}

static int take(const struct backend_left *left, struct ixgbe_backend **out)
{
	struct ixgbe_why why = {""};
	int err = ixgbe_backend_vfio_user.take_over(left, NULL, out, &why);

	assert_true(err == 0 || why.text[0]);
	return err;
}

static void wrong_ones_are_refused(const struct backend_left *left)
{
	const uint64_t wrong[BACKEND_WORDS] = {1u << 16, VU_FDS_MAX + 1, 4, UINT64_C(1) << 32};
	struct backend_left other;
	struct ixgbe_backend *none = NULL;
	int fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	for (uint32_t i = 0; i < BACKEND_WORDS; i++) {
		other = *left;
		other.handed.word[i] = wrong[i];
		assert_int_equal(take(&other, &none), -EBADMSG);
	}
	other = *left;
	other.handed.word[1] = 0;
	assert_int_equal(take(&other, &none), -EBADMSG);
	other = *left;
	other.handed.fd[0] = fd;
	assert_int_equal(take(&other, &none), -EBADMSG);
	other = *left;
	other.registers.channel = fd;
	assert_int_equal(take(&other, &none), -EBADMSG);
	/* A window of a file that is too short, and one out of the region. */
	other = *left;
	other.registers.windows = 1;
	other.registers.fd = fd;
	other.registers.window[0] = (struct backend_window){0, PAGE, NULL, 0};
	assert_int_equal(take(&other, &none), -EBADMSG);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	other.registers.window[0].offset = left->registers.bytes;
	assert_int_equal(take(&other, &none), -EBADMSG);
	assert_null(none);
	assert_int_equal(close(fd), 0);
}

static void test_a_connection_is_handed_over(void **state)
{
	static struct fixture f;
	struct question read = {VU_DMA_READ, 0, 16, {0x10000, 8}, {0}};
	uint8_t *memory = calloc(1, PAGE);
	int fd = memfd_create("memory", MFD_CLOEXEC);
	const struct backend_memory mapped = {memory, 0x10000, PAGE};
	struct backend_left left = {.memory = &mapped, .memories = 1};
	struct ixgbe_backend *next;

	(void)state;
	start(&f);
	assert_int_equal(f.backend->ops->dma_map(f.backend, memory, PAGE, fd, 0, 0x10000), 0);
	read.access.addr = 0;
	assert_true(ask(&f, &read)); /* refused */
	half_a_question(&f, &left.handed);
	f.backend->ops->registers(f.backend, &left.registers);
	assert_int_equal(left.registers.channel, -1);
	/* The first one closes its own descriptor, and with it nothing of the connection. */
	left.handed.fd[0] = fcntl(left.handed.fd[0], F_DUPFD_CLOEXEC, 0);
	wrong_ones_are_refused(&left);
	assert_int_equal(take(&left, &next), 0);
	f.backend->ops->close(f.backend);
	f.backend = next;
	assert_int_equal(next->ops->dma_refused(next), 1);
	assert_int_equal(next->ops->connection(next), left.handed.fd[0]);
	memcpy(memory, "abcdefgh", 8);
	read.access.addr = 0x10000;
	assert_true(ask(&f, &read));
	assert_int_equal(f.server.answer.flags, VU_REPLY);
	assert_memory_equal(f.server.answer_data + 16, "abcdefgh", 8);
	assert_int_equal(next->ops->dma_unmap(next, 0x10000, PAGE), 0);
	assert_true(ask(&f, &read));
	assert_int_equal(f.server.answer.error, EFAULT);
	/* A connection that is lost is nobody's any more. */
	shutdown(f.server.stream.sock, SHUT_RDWR);
	assert_int_equal(next->ops->hand_over(next, &left.handed), -ENODEV);
	stop(&f);
	free(memory);
	close(fd);
}

/* The connection of a client that asked for a register and died; with its journal, or without. */
static struct ixgbe_backend *bereft(struct fixture *f, struct ixgbe_journal *journal)
{
	struct ixgbe_backend *next = NULL;
	struct backend_left left = {.memories = 0};
	struct vu_region_access access = {.region = VFIO_PCI_BAR0_REGION_INDEX, .count = 4};
	struct vu_header header = {.command = VU_REGION_READ};
	struct iovec part = {&access, sizeof(access)};
	uint32_t asked = journal->asked;

	f->backend->ops->journal(f->backend, journal);
	assert_int_equal(journal->used, 1);
	f->backend->ops->read32(f->backend, 0x20);
	assert_int_equal(journal->asked, 0);
	assert_int_equal(journal->within, 0);
	assert_int_equal(f->backend->ops->hand_over(f->backend, &left.handed), 0);
	assert_int_equal(left.handed.word[0], journal->next);
	f->backend->ops->registers(f->backend, &left.registers);
	/* What it does behind the record is known by the journal alone. */
	f->backend->ops->read32(f->backend, 0x20);
	header.id = (uint16_t)journal->next++;
	journal->asked = header.id | 1u << 16;
	assert_int_equal(asked, 0);
	assert_int_equal(vu_send(left.handed.fd[0], &header, &part, 1, NULL, 0, soon()), 0);
	left.handed.fd[0] = fcntl(left.handed.fd[0], F_DUPFD_CLOEXEC, 0);
	assert_int_equal(take(&left, &next), 0);
	return next;
}

static void test_a_reply_to_the_dead_is_dropped(void **state)
{
	static const struct ixgbe_journal new;
	struct ixgbe_journal journal = new;
	struct ixgbe_backend *next;
	static struct fixture f;
	uint32_t word;

	(void)state;
	for (int serves = 0; serves < 3; serves++) {
		journal = new;
		start(&f);
		next = bereft(&f, &journal);
		if (serves < 2)
			next->ops->journal(next, &journal);
		if (serves == 1) { /* it comes while nothing is asked */
			struct pollfd pfd = {.fd = next->ops->connection(next), .events = POLLIN};

			assert_int_equal(poll(&pfd, 1, 5000), 1);
			assert_int_equal(next->ops->serve(next), 0);
		}
		/* A stranger's reply, without a journal, is the connection's end. */
		assert_int_equal(next->ops->config_read(next, 0, &word, sizeof(word)) != 0,
				 serves == 2);
		f.backend->ops->close(f.backend);
		f.backend = next;
		stop(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_asks_for_memory),
		cmocka_unit_test(test_a_connection_is_handed_over),
		cmocka_unit_test(test_a_reply_to_the_dead_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
