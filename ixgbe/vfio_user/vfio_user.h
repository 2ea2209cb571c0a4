/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user protocol on the wire, for both of its ends: message formats, checks of what came
 * in, and moving messages with their file descriptors over a stream socket.
 *
 * The protocol is the kernel's VFIO interface as messages (QEMU's docs/interop/vfio-user.rst):
 * a 16-byte header, a payload in host byte order, descriptors as SCM_RIGHTS. Numbers that it
 * shares with VFIO (flags, region and interrupt indices) are those of <linux/vfio.h>.
 *
 * Everything here is a function of its arguments. Nothing trusts the peer: a message is handed
 * out only when whole and well-formed, and descriptors that nobody takes are closed.
 *
 * Who calls whom: one file has code.
 *
 *     vfio_user.c  checks of messages, negotiation, moving messages
 */
#pragma once

#include <assert.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define VU_VERSION_MAJOR 0u
#define VU_VERSION_MINOR 1u

/* What we offer and accept. QEMU refuses more than 16 descriptors. */
#define VU_FDS_MAX        16u
#define VU_DATA_MAX_BYTES 65536u /* of one region access: max_data_xfer_size */
#define VU_MESSAGE_MAX    (VU_DATA_MAX_BYTES + 64u)
#define VU_DMA_MAPS_MAX   65535u
#define VU_PAGE_SIZES     4096u /* the smallest, and with it all larger ones */

/* What holds for a peer that does not say. */
#define VU_DEFAULT_FDS        1u
#define VU_DEFAULT_DATA_BYTES 1048576u

/* ---- Messages ---- */

enum vu_command {
	VU_VERSION = 1,
	VU_DMA_MAP = 2,
	VU_DMA_UNMAP = 3,
	VU_GET_INFO = 4,
	VU_GET_REGION_INFO = 5,
	VU_GET_REGION_IO_FDS = 6,
	VU_GET_IRQ_INFO = 7,
	VU_SET_IRQS = 8,
	VU_REGION_READ = 9,
	VU_REGION_WRITE = 10,
	VU_DMA_READ = 11, /* server to client, as is the next */
	VU_DMA_WRITE = 12,
	VU_RESET = 13,
	VU_REGION_WRITE_MULTI = 15,
	VU_FEATURE = 16,
	VU_MIG_DATA_READ = 17,
	VU_MIG_DATA_WRITE = 18,
};

/* Flags of the header. */
#define VU_TYPE     0x0fu
#define VU_COMMAND  0x00u
#define VU_REPLY    0x01u
#define VU_NO_REPLY 0x10u /* a posted command */
#define VU_ERROR    0x20u /* in a reply: `error` is an errno, or 0 for none in particular */

struct vu_header {
	uint16_t id; /* the sender's choice; the reply repeats it */
	uint16_t command;
	uint32_t size; /* with this header */
	uint32_t flags;
	uint32_t error;
};
static_assert(sizeof(struct vu_header) == 16, "as on the wire");

struct vu_version {
	uint16_t major;
	uint16_t minor;
	/* JSON with its NUL follows, or nothing */
};
static_assert(sizeof(struct vu_version) == 4, "as on the wire");

#define VU_DMA_READABLE 0x1u
#define VU_DMA_WRITABLE 0x2u

struct vu_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset; /* in the descriptor that comes along */
	uint64_t addr;
	uint64_t size;
};
static_assert(sizeof(struct vu_dma_map) == 32, "as on the wire");

#define VU_UNMAP_DIRTY 0x1u
#define VU_UNMAP_ALL   0x2u

struct vu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t addr;
	uint64_t size;
};
static_assert(sizeof(struct vu_dma_unmap) == 24, "as on the wire");

struct vu_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t regions;
	uint32_t irqs;
};
static_assert(sizeof(struct vu_device_info) == 16, "as on the wire");

struct vu_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset; /* of the region in the descriptor that comes along */
};
static_assert(sizeof(struct vu_region_info) == 32, "as on the wire");

/* A region's capability, at cap_offset from the start of its info. */
struct vu_cap {
	uint16_t id;
	uint16_t version;
	uint32_t next; /* likewise; 0: the last one */
};
static_assert(sizeof(struct vu_cap) == 8, "as on the wire");

struct vu_sparse {
	struct vu_cap cap;
	uint32_t areas;
	uint32_t reserved;
	/* struct vu_area[areas] */
};
static_assert(sizeof(struct vu_sparse) == 16, "as on the wire");

struct vu_area {
	uint64_t offset; /* in the region */
	uint64_t size;
};
static_assert(sizeof(struct vu_area) == 16, "as on the wire");

/* GET_REGION_IO_FDS: the request, and its reply, in which sub-regions follow. */
struct vu_region_io_fds {
	uint32_t argsz; /* the longest reply; in the reply: the length of all of it */
	uint32_t flags; /* 0 */
	uint32_t index; /* of the region */
	uint32_t count; /* of the sub-regions; 0 in the request */
};
static_assert(sizeof(struct vu_region_io_fds) == 16, "as on the wire");

#define VU_IO_FD_IOEVENTFD  0u
#define VU_IO_FD_IOREGIONFD 1u

/* Flags of an ioregionfd: KVM_IOREGION_* of the proposal to KVM. */
#define VU_IOREGION_PIO           0x1u
#define VU_IOREGION_POSTED_WRITES 0x2u /* a write needs no answer */

/* A part of a region that has a descriptor. */
struct vu_sub_region {
	uint64_t offset; /* in the region */
	uint64_t size;
	uint32_t fd_index; /* which of the descriptors that come along */
	uint32_t type;     /* VU_IO_FD_* */
	uint32_t flags;
	uint32_t padding;
	uint64_t user_data; /* to be repeated in each command; of an ioeventfd: datamatch */
};
static_assert(sizeof(struct vu_sub_region) == 40, "as on the wire");

struct vu_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
static_assert(sizeof(struct vu_irq_info) == 16, "as on the wire");

struct vu_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
	/* uint8_t[count] with VFIO_IRQ_SET_DATA_BOOL */
};
static_assert(sizeof(struct vu_irq_set) == 20, "as on the wire");

struct vu_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	/* uint8_t[count] in a write, and in the reply to a read */
};
static_assert(sizeof(struct vu_region_access) == 16, "as on the wire");

struct vu_write_multi {
	uint64_t count;
	/* struct vu_write_one[count] */
};
static_assert(sizeof(struct vu_write_multi) == 8, "as on the wire");

struct vu_write_one {
	uint64_t offset;
	uint32_t region;
	uint32_t count; /* 1..8 */
	uint8_t data[8];
};
static_assert(sizeof(struct vu_write_one) == 24, "as on the wire");

/* The protocol's layout. QEMU 11.1 as client has a `count` of 4 bytes with the data right behind,
 * in a message of the same length. Reads and refusals work with both. A write that such a QEMU
 * carries out begins with 4 bytes of zero (our count's upper half) and lacks its last 4 bytes. */
struct vu_dma_access {
	uint64_t addr;
	uint64_t count;
	/* uint8_t[count] in a write, and in the reply to a read */
};
static_assert(sizeof(struct vu_dma_access) == 16, "as on the wire");

/* ---- Accesses over a descriptor of their own ---- */

/*
 * What passes over an ioregionfd: commands one way, answers the other, in order, without headers.
 * Two layouts of the command are about, both of 32 bytes. This one is of the third version of the
 * proposal to KVM (https://lore.kernel.org/kvm/cover.1613828726.git.eafanasova@gmail.com), which
 * the vfio-user specification refers to. The versions before had all bits in one word.
 */
struct vu_ioregion_command {
	uint8_t command; /* VU_IOREGION_READ or VU_IOREGION_WRITE */
	uint8_t how;     /* VU_IOREGION_SIZE, VU_IOREGION_RESPONSE */
	uint8_t padding[6];
	uint64_t user_data; /* of the sub-region */
	uint64_t offset;    /* in the sub-region */
	uint64_t data;      /* to write: the lowest bytes */
};
static_assert(sizeof(struct vu_ioregion_command) == 32, "as on the wire");

#define VU_IOREGION_READ     0u
#define VU_IOREGION_WRITE    1u
#define VU_IOREGION_SIZE     0x0fu /* the exponent of the bytes: 0 to 3 */
#define VU_IOREGION_RESPONSE 0x10u /* a write is answered, too; a read always is */

/* The size of an access to one register. */
#define VU_IOREGION_32BIT 2u

struct vu_ioregion_response {
	uint64_t data; /* that was read, in the lowest bytes; 0 for a write */
	uint8_t padding[24];
};
static_assert(sizeof(struct vu_ioregion_response) == 32, "as on the wire");

/* ---- Checks ---- */

/* Whether `len` bytes at `offset` lie within `size`; nothing wraps. */
static inline bool vu_within(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

/*
 * A SET_IRQS command of `len` bytes with `fds` descriptors, for an index of `count` interrupts.
 * 0, or -EINVAL: too short, not one data and one action flag, a range outside the index, a data
 * field or a number of descriptors that does not fit the range.
 */
int vu_irq_set_check(const struct vu_irq_set *set, size_t len, uint32_t fds, uint32_t count);

/*
 * A DMA_READ or DMA_WRITE command of `len` bytes: `data` whether the bytes come along. 0, or
 * -EINVAL: too short, no bytes, or more than VU_DATA_MAX_BYTES.
 */
int vu_dma_access_check(const void *payload, size_t len, bool data, struct vu_dma_access *out);

/*
 * The areas that can be mapped, of a GET_REGION_INFO reply of `len` bytes: those of the sparse
 * capability, or the whole region when it has none. Fills up to `max` and returns how many;
 * -EPROTO when the chain leaves the reply, does not move forward, or an area leaves the region.
 */
int vu_region_areas(const void *reply, size_t len, struct vu_area *area, size_t max);

/* A GET_REGION_IO_FDS command of `len` bytes. 0, or -EINVAL: too short, flags, a count, or no room
 * for a reply without sub-regions. */
int vu_io_fds_check(const void *payload, size_t len, struct vu_region_io_fds *out);

/*
 * The sub-region that makes the whole of a region reachable over one ioregionfd, of a reply of
 * `len` bytes with `fds` descriptors; `index` and `region_bytes` are the region's. It covers the
 * region, is memory, and its writes are posted. 1, or 0: there is none, or the reply says that it
 * is not complete. -EPROTO: another region, an array that leaves the reply, a sub-region that
 * leaves the region, or a descriptor that did not come.
 */
int vu_io_fds_whole(const void *reply, size_t len, uint32_t fds, uint32_t index,
		    uint64_t region_bytes, struct vu_sub_region *out);

/*
 * A command that came over the ioregionfd of a sub-region. 0, or -EPROTO: no known command, bits
 * without a meaning, the user_data of another, or bytes outside the sub-region.
 */
int vu_ioregion_check(const struct vu_ioregion_command *command, const struct vu_sub_region *of);
/* Bytes of a command's access: 1, 2, 4 or 8. */
static inline uint32_t vu_ioregion_bytes(const struct vu_ioregion_command *command)
{
	return 1u << (command->how & VU_IOREGION_SIZE);
}

/* ---- Capabilities of the negotiation ---- */

struct vu_capabilities {
	uint32_t max_msg_fds;
	uint64_t max_data_xfer_size;
	uint64_t max_dma_maps;
	uint64_t pgsizes;
	bool write_multiple;
	/* Which values the peer gave. A reply gives none that the request did not give. */
	bool has_max_msg_fds, has_max_data_xfer_size, has_max_dma_maps, has_pgsizes;
	bool has_write_multiple;
};

/* Reads capabilities from `len` bytes: JSON with its NUL, or nothing (then the defaults hold).
 * Unknown names are ignored. -EPROTO: no JSON, or a value that makes no sense. */
int vu_capabilities_parse(const char *json, size_t len, struct vu_capabilities *out);
/* Writes the capabilities with has_* as JSON. Returns the bytes, with the NUL, or -ENOBUFS. */
int vu_capabilities_format(const struct vu_capabilities *caps, char *json, size_t size);

/* ---- Moving messages ---- */

struct vu_message {
	struct vu_header header;
	const uint8_t *data; /* the payload, until the next call; aligned to nothing */
	size_t len;
	int fd[VU_FDS_MAX]; /* the message's, until taken: then -1 */
	uint32_t fds;
};

/* Closes the descriptors that were not taken. */
void vu_message_close(struct vu_message *message);
/* Takes descriptor `i`: the caller's now. */
int vu_message_take(struct vu_message *message, uint32_t i);

/*
 * One end of a connection: bytes and descriptors that were received and not yet handed out. One
 * read takes all bytes that there are: a run of posted writes costs one system call. The kernel
 * ends a read at the bytes that carried descriptors, so these belong to the message of the read's
 * last byte.
 */
struct vu_stream {
	int sock;
	size_t start, end; /* of the bytes in buf that nobody has had */
	uint64_t taken;    /* bytes handed out before buf[start] */
	uint32_t fds;
	struct {
		int fd;
		uint64_t last; /* the last byte of the read that brought it */
	} pending[2 * VU_FDS_MAX];
	/* Set before bytes are received, and cleared if none come; who handles them clears it.
	 * NULL: nobody asks. */
	uint32_t *within;
	uint8_t buf[2 * VU_MESSAGE_MAX];
};

/* The number of a connected stream socket, which is closed at an exec from now on. -EINVAL: `text`
 * is no number; -EBADF; -ENOTSOCK: anything else, sockets of other types too. */
int vu_socket_take(const char *text);
/* Whether it is a stream socket. */
bool vu_is_stream(int fd);

/* `sock` passes to the stream. */
void vu_stream_init(struct vu_stream *stream, int sock);
void vu_stream_close(struct vu_stream *stream);
/* Whether bytes are there that were not handed out. */
bool vu_stream_partial(const struct vu_stream *stream);
/* Whether vu_stream_next would answer from what is there, without receiving. */
bool vu_stream_ready(const struct vu_stream *stream);

/*
 * The next message, without waiting; receives at most once. The caller closes it.
 * -EAGAIN: not yet; -EPIPE: the peer closed; -EBADMSG: it closed within a message;
 * -EPROTO: malformed, or too many descriptors; else the socket's error.
 */
int vu_stream_next(struct vu_stream *stream, struct vu_message *out);

/* How long a wait may take. At `deadline_ns` (vu_now_ns) the wait ends with -ETIMEDOUT. `give_up`
 * is asked every VU_ASK_MS of the wait, and ends it with -ECANCELED. */
#define VU_ASK_MS 50u
struct vu_limit {
	uint64_t deadline_ns;
	bool (*give_up)(void *ctx); /* may be NULL */
	void *ctx;
};
/* vu_stream_next and vu_send, waiting with such a limit. */
int vu_stream_wait_limit(struct vu_stream *stream, struct vu_message *out,
			 const struct vu_limit *limit);
int vu_send_limit(int sock, const struct vu_header *header, const struct iovec *part,
		  uint32_t parts, const int *fd, uint32_t fds, const struct vu_limit *limit);

/*
 * Sends one message; header.size is filled in. Waits for room until the deadline. After an
 * error the stream is of no use any more: part of the message may have gone.
 * -EPIPE: the peer closed; -ETIMEDOUT; -EMSGSIZE; else the socket's error.
 */
int vu_send(int sock, const struct vu_header *header, const struct iovec *part, uint32_t parts,
	    const int *fd, uint32_t fds, uint64_t deadline_ns);

/* Sends as many of `len` bytes as there is room for, with the descriptor `fd` if it is one, and
 * returns how many; at least one. -EAGAIN: no room; -EPIPE: the peer closed; else the socket's
 * error. */
ssize_t vu_send_some(int sock, const void *data, size_t len, int fd);

/*
 * Waits until one of the descriptors is ready for its events, and fills in revents; descriptors of
 * -1 are left out. 0, -ETIMEDOUT, -ECANCELED (give_up) or -errno.
 */
int vu_poll_limit(struct pollfd *pfd, uint32_t count, const struct vu_limit *limit);

/* Monotonic nanoseconds. */
uint64_t vu_now_ns(void);
