/* SPDX-License-Identifier: MIT */
/*
 * Bus accesses by order of the operator (tools/ixnic/serve/rogue.h): what is shared is reached in
 * place, the client is asked for the rest, and the function's registers tell of reads that failed.
 * The client here is the test's own.
 */
#include "harness.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ixgbe/vfio_user/vfio_user.h"

#define PAGE    4096u
#define SHARED  0x100000ull /* two pages, the second read-only */
#define NOWHERE 0xdead0000ull

#define DEVICE_STATUS 0xaau  /* of the PCI Express capability (9.3.10.6) */
#define AER_STATUS    0x104u /* 9.4.2.1 */

struct rig {
	struct model *m;
	struct vu_stream stream;
	uint8_t *mem;
	int control;
};

static uint64_t deadline(void)
{
	return vu_now_ns() + MODEL_DEADLINE_MS * 1000000ull;
}

/* ---- The client's side ---- */

static void client_send(struct rig *r, struct vu_header header, const void *data, size_t len,
			int fd)
{
	struct iovec part = {(void *)(uintptr_t)data, len};

	assert_int_equal(vu_send(r->stream.sock, &header, &part, 1, &fd, fd >= 0, deadline()), 0);
}

static struct vu_message client_next(struct rig *r)
{
	struct vu_message m;

	assert_int_equal(vu_stream_wait_limit(&r->stream, &m,
					      &(const struct vu_limit){.deadline_ns = deadline()}),
			 0);
	return m;
}

/* A command and its reply, which has nothing in front of it. */
static struct vu_message client_command(struct rig *r, uint16_t command, const void *data,
					size_t len, int fd)
{
	struct vu_message m;

	client_send(r, (struct vu_header){.id = 7, .command = command}, data, len, fd);
	m = client_next(r);
	assert_int_equal(m.header.command, command);
	assert_int_equal(m.header.flags, VU_REPLY);
	return m;
}

static uint32_t region_read(struct rig *r, uint32_t region, uint64_t offset, uint32_t len)
{
	struct vu_region_access access = {.offset = offset, .region = region, .count = len};
	struct vu_message m = client_command(r, VU_REGION_READ, &access, sizeof(access), -1);
	uint32_t value = 0;

	assert_int_equal(m.len, sizeof(access) + len);
	memcpy(&value, m.data + sizeof(access), len);
	return value;
}

static void region_write(struct rig *r, uint32_t region, uint64_t offset, uint32_t value,
			 uint32_t len)
{
	struct {
		struct vu_region_access access;
		uint32_t value;
	} write = {{.offset = offset, .region = region, .count = len}, value};

	client_command(r, VU_REGION_WRITE, &write, sizeof(write.access) + len, -1);
}

static uint32_t config_read(struct rig *r, uint64_t offset, uint32_t len)
{
	return region_read(r, VFIO_PCI_CONFIG_REGION_INDEX, offset, len);
}

static void config_write(struct rig *r, uint64_t offset, uint32_t value, uint32_t len)
{
	region_write(r, VFIO_PCI_CONFIG_REGION_INDEX, offset, value, len);
}

static bool master_abort(struct rig *r)
{
	return config_read(r, PCI_STATUS, 2) & PCI_STATUS_REC_MASTER_ABORT;
}

static void client_connect(struct rig *r, const char *json)
{
	struct {
		struct vu_version version;
		char json[100];
	} hello = {{VU_VERSION_MAJOR, VU_VERSION_MINOR}, ""};
	struct vu_dma_map map = {sizeof(map), VU_DMA_READABLE | VU_DMA_WRITABLE, 0, SHARED, PAGE};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = memfd_create("rogue", MFD_CLOEXEC);
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(hello.json, json);
	strcpy(address.sun_path, model_path(r->m));
	assert_int_equal(connect(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	vu_stream_init(&r->stream, sock);
	client_command(r, VU_VERSION, &hello,
		       sizeof(hello.version) + (*json ? strlen(json) + 1 : 0), -1);
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	r->mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	client_command(r, VU_DMA_MAP, &map, sizeof(map), fd);
	map.flags = VU_DMA_READABLE;
	map.addr += PAGE;
	map.offset += PAGE;
	client_command(r, VU_DMA_MAP, &map, sizeof(map), fd);
	close(fd);
	config_write(r, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static void client_leave(struct rig *r)
{
	vu_stream_close(&r->stream);
	munmap(r->mem, 2 * PAGE);
}

static struct rig rig;

static int setup(void **state)
{
	static const struct model_options options = {.listen = true};

	if (model_start((void **)&rig.m, &options))
		return -1;
	model_disconnect(rig.m);
	client_connect(&rig, "");
	rig.control = model_control_connect(rig.m);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	client_leave(r);
	close(r->control);
	return model_stop((void **)&r->m);
}

/* ---- The operator's side ---- */

static void control_send(const struct rig *r, const char *request)
{
	assert_true(send(r->control, request, strlen(request), MSG_NOSIGNAL) > 0);
}

/* Whether the reply is that one; the reply comes by then. */
static void control_expect(const struct rig *r, const char *path, const char *refused,
			   const char *data)
{
	struct pollfd pfd = {.fd = r->control, .events = POLLIN};
	char text[2048];
	json_t *reply;
	ssize_t n;

	/* The server waits for the client, too. */
	assert_int_equal(poll(&pfd, 1, 2 * MODEL_DEADLINE_MS), 1);
	n = recv(r->control, text, sizeof(text), 0);
	assert_true(n > 0);
	reply = json_loadb(text, (size_t)n, 0, NULL);
	if (!path) {
		const char *error = json_string_value(json_object_get(reply, "error"));

		assert_non_null(error);
		assert_non_null(strstr(error, refused));
	} else {
		const char *why = json_string_value(json_object_get(reply, "refused"));
		const char *bytes = json_string_value(json_object_get(reply, "data"));

		assert_string_equal(json_string_value(json_object_get(reply, "path")), path);
		assert_true(refused ? why && strstr(why, refused) : !why);
		assert_true(data ? bytes && !strcmp(bytes, data) : !bytes);
	}
	json_decref(reply);
}

/* What the server asks, checked. */
static struct vu_header asked(struct rig *r, uint16_t command, uint64_t addr, uint64_t count,
			      const void *data)
{
	struct vu_message m = client_next(r);
	struct vu_dma_access access;

	assert_int_equal(m.header.command, command);
	assert_int_equal(m.header.flags, VU_COMMAND);
	assert_int_equal(m.len, sizeof(access) + (data ? count : 0));
	memcpy(&access, m.data, sizeof(access));
	assert_int_equal(access.addr, addr);
	assert_int_equal(access.count, count);
	if (data)
		assert_memory_equal(m.data + sizeof(access), data, count);
	return m.header;
}

static void refuse(struct rig *r, struct vu_header header, uint32_t error)
{
	header.flags = VU_REPLY | VU_ERROR;
	header.error = error;
	client_send(r, header, NULL, 0, -1);
}

static void grant(struct rig *r, struct vu_header header, const void *data, size_t len,
		  uint64_t count)
{
	uint8_t reply[sizeof(struct vu_dma_access) + 64];
	struct vu_dma_access access = {NOWHERE, count};

	header.flags = VU_REPLY;
	memcpy(reply, &access, sizeof(access));
	if (len)
		memcpy(reply + sizeof(access), data, len);
	client_send(r, header, reply, sizeof(access) + len, -1);
}

static bool dropped(struct rig *r)
{
	struct pollfd pfd = {.fd = r->stream.sock, .events = POLLRDHUP};

	return poll(&pfd, 1, MODEL_DEADLINE_MS) == 1;
}

/* ---- Tests ---- */

static void shared_memory_is_reached_in_place(void **state)
{
	struct rig *r = *state;

	memcpy(r->mem + PAGE - 2, "\x12\x34\x56\x78", 4);
	control_send(r, "dma read 0x100ffe 4");
	control_expect(r, "shared", NULL, "12345678");
	control_send(r, "dma write 0x100010 00fFa5");
	control_expect(r, "shared", NULL, NULL);
	assert_memory_equal(r->mem + 16, "\x00\xff\xa5\x00", 4);
	assert_false(master_abort(r));
}

static void the_client_is_asked_for_the_rest(void **state)
{
	struct rig *r = *state;

	control_send(r, "dma read 0xdead0000 4");
	grant(r, asked(r, VU_DMA_READ, NOWHERE, 4, NULL), "\1\2\3\4", 4, 4);
	control_expect(r, "message", NULL, "01020304");
	control_send(r, "dma write 0xdead0000 0a0b");
	grant(r, asked(r, VU_DMA_WRITE, NOWHERE, 2, "\x0a\x0b"), NULL, 0, 2);
	control_expect(r, "message", NULL, NULL);
	/* Memory that is shared in part only, or not for this. */
	control_send(r, "dma read 0x101fff 2");
	refuse(r, asked(r, VU_DMA_READ, SHARED + 2 * PAGE - 1, 2, NULL), EFAULT);
	control_expect(r, "message", "Bad address", NULL);
	control_send(r, "dma write 0x100fff 0102");
	refuse(r, asked(r, VU_DMA_WRITE, SHARED + PAGE - 1, 2, "\1\2"), EPERM);
	control_expect(r, "message", "not permitted", NULL);
	assert_int_equal(r->mem[PAGE - 1], 0);
}

/* QEMU (11.1) grants reads in a form of its own: a count of four bytes, and four more at the end.
 */
static void qemus_replies_are_understood(void **state)
{
	struct rig *r = *state;
	struct {
		uint64_t addr;
		uint32_t count;
		uint8_t data[4 + 4];
	} __attribute__((packed)) reply = {NOWHERE, 4, {1, 2, 3, 4}};
	struct vu_header header;

	control_send(r, "dma read 0xdead0000 4");
	header = asked(r, VU_DMA_READ, NOWHERE, 4, NULL);
	header.flags = VU_REPLY;
	client_send(r, header, &reply, sizeof(reply), -1);
	control_expect(r, "message", NULL, "01020304");
	assert_false(master_abort(r));
}

/* The client's commands and the replies to them go on around the question. */
static void commands_go_on_meanwhile(void **state)
{
	struct rig *r = *state;
	struct vu_header header;

	control_send(r, "dma read 0xdead0000 1");
	header = asked(r, VU_DMA_READ, NOWHERE, 1, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(config_read(r, PCI_VENDOR_ID, 4), 0x10fb8086);
	grant(r, header, "\x77", 1, 1);
	control_expect(r, "message", NULL, "77");
	assert_int_equal(config_read(r, PCI_VENDOR_ID, 4), 0x10fb8086);
}

/* Received Master Abort, and nothing else: the requester of an unsupported request. */
static void a_refused_read_shows_in_the_status(void **state)
{
	struct rig *r = *state;

	assert_false(master_abort(r));
	control_send(r, "dma read 0xdead0000 4");
	refuse(r, asked(r, VU_DMA_READ, NOWHERE, 4, NULL), EFAULT);
	control_expect(r, "message", "Bad address", NULL);
	assert_int_equal(config_read(r, PCI_STATUS, 2),
			 PCI_STATUS_CAP_LIST | PCI_STATUS_REC_MASTER_ABORT);
	assert_int_equal(config_read(r, DEVICE_STATUS, 2), 0);
	assert_int_equal(config_read(r, AER_STATUS, 4), 0);
	assert_int_equal(region_read(r, 0, IXGBE_PICAUSE, 4), 0);
	config_write(r, PCI_COMMAND, config_read(r, PCI_COMMAND, 2), 2);
	assert_true(master_abort(r)); /* another register */
	config_write(r, PCI_STATUS, PCI_STATUS_REC_MASTER_ABORT, 2);
	assert_false(master_abort(r));

	control_send(r, "dma read 0xdead0000 4");
	refuse(r, asked(r, VU_DMA_READ, NOWHERE, 4, NULL), 0);
	control_expect(r, "message", "error", NULL);
	assert_true(master_abort(r));
	client_command(r, VU_RESET, NULL, 0, -1);
	assert_false(master_abort(r));
}

static void a_refused_write_does_not(void **state)
{
	struct rig *r = *state;

	control_send(r, "dma write 0xdead0000 01");
	refuse(r, asked(r, VU_DMA_WRITE, NOWHERE, 1, "\1"), EFAULT);
	control_expect(r, "message", "Bad address", NULL);
	assert_int_equal(config_read(r, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
}

/* A read that nobody completes is the requester's error; one that comes too late, nobody's. */
static void an_answer_has_a_deadline(void **state)
{
	struct rig *r = *state;
	struct vu_header late;

	region_write(r, 0, IXGBE_PIENA, IXGBE_PIENA_TO, 4);
	control_send(r, "dma read 0xdead0000 1");
	late = asked(r, VU_DMA_READ, NOWHERE, 1, NULL);
	control_expect(r, "message", "timed out", NULL);
	assert_false(master_abort(r));
	assert_int_equal(config_read(r, DEVICE_STATUS, 2), PCI_EXP_DEVSTA_NFED);
	assert_int_equal(config_read(r, AER_STATUS, 4), PCI_ERR_UNC_COMP_TIME);
	assert_int_equal(region_read(r, 0, IXGBE_PICAUSE, 4), IXGBE_PIENA_TO);
	assert_int_equal(region_read(r, 0, IXGBE_EICR, 4) & IXGBE_EICR_PCI, IXGBE_EICR_PCI);
	region_write(r, 0, IXGBE_PICAUSE, IXGBE_PIENA_TO, 4);
	assert_int_equal(region_read(r, 0, IXGBE_PICAUSE, 4), 0);
	grant(r, late, "\1", 1, 1);
	control_send(r, "dma read 0xdead0000 1");
	grant(r, asked(r, VU_DMA_READ, NOWHERE, 1, NULL), "\2", 1, 1);
	control_expect(r, "message", NULL, "02");
}

static void without_bus_master_nothing_goes_out(void **state)
{
	struct rig *r = *state;

	config_write(r, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	control_send(r, "dma write 0x100000 01");
	control_expect(r, "off", "bus mastering is off", NULL);
	control_send(r, "dma read 0xdead0000 1");
	control_expect(r, "off", "bus mastering is off", NULL);
	assert_int_equal(r->mem[0], 0);
	assert_false(master_abort(r));
}

static void a_client_that_leaves_ends_it(void **state)
{
	struct rig *r = *state;

	control_send(r, "dma read 0xdead0000 1");
	asked(r, VU_DMA_READ, NOWHERE, 1, NULL);
	client_leave(r);
	control_expect(r, "message", "the client left", NULL);
	control_send(r, "dma read 0xdead0000 1");
	control_expect(r, NULL, "no client", NULL);
	client_connect(r, "{\"capabilities\":{\"max_data_xfer_size\":16}}");
	control_send(r, "dma read 0xdead0000 17");
	control_expect(r, NULL, "more bytes than the client takes", NULL);
	control_send(r, "dma read 0xdead0000 16");
	refuse(r, asked(r, VU_DMA_READ, NOWHERE, 16, NULL), EFAULT);
	control_expect(r, "message", "Bad address", NULL);
}

/* Replies without sense end the connection, as everything does that leaves none in the stream. */
static void wrong_replies_drop_the_client(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 5; i++) {
		struct vu_header header = {.command = VU_DMA_READ, .id = 99};

		if (i > 0) {
			control_send(r, "dma read 0xdead0000 4");
			header = asked(r, VU_DMA_READ, NOWHERE, 4, NULL);
		}
		if (i == 1)
			header.command = VU_DMA_WRITE;
		if (i == 2)
			header.command = VU_REGION_READ;
		if (i == 3)
			grant(r, header, "\1\2\3", 3, 4);
		else
			grant(r, header, "\1\2\3\4\5", 5, i == 4 ? 5 : 4);
		assert_true(dropped(r));
		if (i > 0)
			control_expect(r, "message", "the client left", NULL);
		client_leave(r);
		client_connect(r, "");
	}
}

static void operators_take_turns(void **state)
{
	struct rig *r = *state;
	int first = r->control, second = model_control_connect(r->m);
	struct vu_header header;

	control_send(r, "dma read 0xdead0000 1");
	header = asked(r, VU_DMA_READ, NOWHERE, 1, NULL);
	r->control = second;
	control_send(r, "dma read 0x100000 1");
	control_expect(r, NULL, "another access", NULL);
	/* Who waits is answered in order, and may leave. */
	r->control = first;
	control_send(r, "status and more");
	grant(r, header, "\1", 1, 1);
	control_expect(r, "message", NULL, "01");
	control_expect(r, NULL, "takes no words behind it", NULL);
	control_send(r, "dma read 0xdead0000 1");
	header = asked(r, VU_DMA_READ, NOWHERE, 1, NULL);
	close(first);
	r->control = second;
	grant(r, header, "\1", 1, 1);
	assert_int_equal(config_read(r, PCI_VENDOR_ID, 4), 0x10fb8086);
	control_send(r, "dma read 0x100000 1");
	control_expect(r, "shared", NULL, "00");
	/* The program ends with a question open: teardown looks at how. */
	control_send(r, "dma read 0xdead0000 1");
	asked(r, VU_DMA_READ, NOWHERE, 1, NULL);
}

static void nonsense_gets_an_error(void **state)
{
	static const char *const words[] = {"dma",
					    "dma read",
					    "dma read 0",
					    "dma read 0 0",
					    "dma read 0 257",
					    "dma read x 4",
					    "dma read -1 4",
					    "dma read 0 4x",
					    "dma read 0xffffffffffffffff 2",
					    "dma read 0x10000000000000000 1",
					    "dma write 0",
					    "dma write 0 0",
					    "dma write 0 xx",
					    "dma write 0 +1",
					    "dma erase 0 00",
					    "dma read 0 4 4"};
	struct rig *r = *state;
	char request[32 + 2 * 257] = "dma write 0 ";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		control_send(r, words[i]);
		control_expect(r, NULL, "", NULL);
	}
	memset(request + strlen(request), '0', 2 * 257);
	control_send(r, request);
	control_expect(r, NULL, "not understood", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(shared_memory_is_reached_in_place),
		TEST(the_client_is_asked_for_the_rest),
		TEST(qemus_replies_are_understood),
		TEST(commands_go_on_meanwhile),
		TEST(a_refused_read_shows_in_the_status),
		TEST(a_refused_write_does_not),
		TEST(an_answer_has_a_deadline),
		TEST(without_bus_master_nothing_goes_out),
		TEST(a_client_that_leaves_ends_it),
		TEST(wrong_replies_drop_the_client),
		TEST(operators_take_turns),
		TEST(nonsense_gets_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
