/* SPDX-License-Identifier: MIT */
#include "vfio_user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "ixgbe/tables/guard.h"

/* ---- Checks ---- */

/* 0, or -EPROTO: a size below the header's or over VU_MESSAGE_MAX, no known type, unknown flags. */
static int header_check(const struct vu_header *header)
{
	uint32_t type = header->flags & VU_TYPE;

	if (header->size < sizeof(*header) || header->size > VU_MESSAGE_MAX)
		return -EPROTO;
	if (type != VU_COMMAND && type != VU_REPLY)
		return -EPROTO;
	if (header->flags & ~(VU_TYPE | VU_NO_REPLY | VU_ERROR))
		return -EPROTO;
	return 0;
}

static bool one_bit(uint32_t bits)
{
	return bits != 0 && (bits & (bits - 1)) == 0;
}

int vu_irq_set_check(const struct vu_irq_set *set, size_t len, uint32_t fds, uint32_t count)
{
	uint32_t data = set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
	uint32_t action = set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;

	if (set->flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK))
		return -EINVAL;
	if (!one_bit(data) || !one_bit(action) || len < sizeof(*set))
		return -EINVAL;
	if (!vu_within(set->start, set->count, count))
		return -EINVAL;
	/* A count of 0 stands for the whole index, and may only disable it. */
	if (set->count == 0 && (set->start != 0 || data != VFIO_IRQ_SET_DATA_NONE ||
				action != VFIO_IRQ_SET_ACTION_TRIGGER))
		return -EINVAL;
	if (data == VFIO_IRQ_SET_DATA_BOOL && len - sizeof(*set) < set->count)
		return -EINVAL;
	/* There is a descriptor for each of the range, or none at all, which takes them back. */
	if (fds != 0 && (data != VFIO_IRQ_SET_DATA_EVENTFD || fds != set->count))
		return -EINVAL;
	return 0;
}

int vu_dma_access_check(const void *payload, size_t len, bool data, struct vu_dma_access *out)
{
	struct vu_dma_access access;

	if (len < sizeof(access))
		return -EINVAL;
	memcpy(&access, payload, sizeof(access));
	if (access.count == 0 || access.count > VU_DATA_MAX_BYTES)
		return -EINVAL;
	if (data && len - sizeof(access) < access.count)
		return -EINVAL;
	*out = access;
	return 0;
}

/* The areas of the sparse capability at `at`. */
static int sparse_areas(const uint8_t *reply, size_t len, size_t at, uint64_t region_size,
			struct vu_area *area, size_t max)
{
	struct vu_sparse sparse;
	size_t n;

	if (!vu_within(at, sizeof(sparse), len))
		return -EPROTO;
	memcpy(&sparse, reply + at, sizeof(sparse));
	at += sizeof(sparse);
	if (sparse.areas > (len - at) / sizeof(*area))
		return -EPROTO;
	for (n = 0; n < sparse.areas && n < max; n++) {
		memcpy(&area[n], reply + at + n * sizeof(*area), sizeof(*area));
		if (!vu_within(area[n].offset, area[n].size, region_size))
			return -EPROTO;
	}
	return (int)n;
}

int vu_region_areas(const void *reply, size_t len, struct vu_area *area, size_t max)
{
	const uint8_t *bytes = reply;
	struct vu_region_info info;
	struct vu_cap cap;

	if (len < sizeof(info))
		return -EPROTO;
	memcpy(&info, bytes, sizeof(info));
	if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP) || max == 0)
		return 0;

	uint32_t at = info.flags & VFIO_REGION_INFO_FLAG_CAPS ? info.cap_offset : 0;
	/* Each step goes forward, so the chain ends. */
	for (uint32_t last = sizeof(info) - 1; at != 0; last = at, at = cap.next) {
		if (at <= last || !vu_within(at, sizeof(cap), len))
			return -EPROTO;
		memcpy(&cap, bytes + at, sizeof(cap));
		if (cap.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			return sparse_areas(bytes, len, at, info.size, area, max);
	}
	area[0] = (struct vu_area){.offset = 0, .size = info.size};
	return 1;
}

int vu_io_fds_check(const void *payload, size_t len, struct vu_region_io_fds *out)
{
	struct vu_region_io_fds request;

	if (len < sizeof(request))
		return -EINVAL;
	memcpy(&request, payload, sizeof(request));
	if (request.flags != 0 || request.count != 0 || request.argsz < sizeof(request))
		return -EINVAL;
	*out = request;
	return 0;
}

/* Whether all accesses to a region, and nothing else, may go over this one. */
static bool sub_region_is_whole(const struct vu_sub_region *sub, uint64_t region_bytes)
{
	return sub->type == VU_IO_FD_IOREGIONFD && sub->offset == 0 && sub->size == region_bytes &&
	       sub->flags == VU_IOREGION_POSTED_WRITES;
}

int vu_io_fds_whole(const void *reply, size_t len, uint32_t fds, uint32_t index,
		    uint64_t region_bytes, struct vu_sub_region *out)
{
	const uint8_t *bytes = reply;
	struct vu_region_io_fds head;
	struct vu_sub_region sub, whole;
	size_t room, step;
	bool found = false;

	if (len < sizeof(head))
		return -EPROTO;
	memcpy(&head, bytes, sizeof(head));
	if (head.index != index || head.flags != 0 || head.argsz < sizeof(head))
		return -EPROTO;
	if (head.count == 0 || head.argsz > len)
		return 0;
	/* Entries may be longer than ours. The specification's formula has a header of 32 bytes;
	 * its own table, and libvfio-user, have one of 16. */
	room = head.argsz - sizeof(head);
	step = room / head.count;
	if (step < sizeof(sub))
		return -EPROTO;
	for (size_t at = 0; at < head.count * step; at += step) {
		memcpy(&sub, bytes + sizeof(head) + at, sizeof(sub));
		if (!vu_within(sub.offset, sub.size, region_bytes) || sub.fd_index >= fds)
			return -EPROTO;
		if (!found && sub_region_is_whole(&sub, region_bytes)) {
			whole = sub;
			found = true;
		}
	}
	if (found)
		*out = whole;
	return found;
}

int vu_ioregion_check(const struct vu_ioregion_command *command, const struct vu_sub_region *of)
{
	if (command->command != VU_IOREGION_READ && command->command != VU_IOREGION_WRITE)
		return -EPROTO;
	if ((command->how & ~(VU_IOREGION_SIZE | VU_IOREGION_RESPONSE)) != 0 ||
	    (command->how & VU_IOREGION_SIZE) > 3)
		return -EPROTO;
	if (command->user_data != of->user_data ||
	    !vu_within(command->offset, vu_ioregion_bytes(command), of->size))
		return -EPROTO;
	return 0;
}

/* ---- Capabilities of the negotiation ---- */

/* A number from 0 to `max`. -EPROTO: something else. Without one `*out` stays. */
static int cap_number(const json_t *caps, const char *name, uint64_t max, bool *has, uint64_t *out)
{
	const json_t *value = json_object_get(caps, name);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max)
		return -EPROTO;
	*out = (uint64_t)json_integer_value(value);
	*has = true;
	return 0;
}

static int caps_read(const json_t *root, struct vu_capabilities *out)
{
	const json_t *caps = json_object_get(root, "capabilities");
	const json_t *multiple;
	uint64_t fds = out->max_msg_fds;
	int err = 0;

	if (!json_is_object(root) || (caps && !json_is_object(caps)))
		return -EPROTO;
	err |= cap_number(caps, "max_msg_fds", UINT32_MAX, &out->has_max_msg_fds, &fds);
	err |= cap_number(caps, "max_data_xfer_size", UINT64_MAX, &out->has_max_data_xfer_size,
			  &out->max_data_xfer_size);
	err |= cap_number(caps, "max_dma_maps", UINT64_MAX, &out->has_max_dma_maps,
			  &out->max_dma_maps);
	err |= cap_number(caps, "pgsizes", UINT64_MAX, &out->has_pgsizes, &out->pgsizes);
	multiple = json_object_get(caps, "write_multiple");
	if (err || (multiple && !json_is_boolean(multiple)))
		return -EPROTO;
	out->max_msg_fds = (uint32_t)fds;
	out->has_write_multiple = multiple != NULL;
	out->write_multiple = json_is_true(multiple);
	return 0;
}

int vu_capabilities_parse(const char *json, size_t len, struct vu_capabilities *out)
{
	struct vu_capabilities caps = {
		.max_msg_fds = VU_DEFAULT_FDS,
		.max_data_xfer_size = VU_DEFAULT_DATA_BYTES,
		.max_dma_maps = VU_DMA_MAPS_MAX,
		.pgsizes = VU_PAGE_SIZES,
	};

	if (len > 0) {
		if (json[len - 1] != '\0')
			return -EPROTO;
		json_t *root = json_loadb(json, strlen(json), 0, NULL);
		int err = root ? caps_read(root, &caps) : -EPROTO;

		json_decref(root);
		if (err)
			return err;
	}
	*out = caps;
	return 0;
}

int vu_capabilities_format(const struct vu_capabilities *caps, char *json, size_t size)
{
	json_t *list = json_object();
	json_t *root = json_pack("{s:o}", "capabilities", list);
	size_t len;

	if (caps->has_max_msg_fds)
		json_object_set_new(list, "max_msg_fds", json_integer(caps->max_msg_fds));
	if (caps->has_max_data_xfer_size)
		json_object_set_new(list, "max_data_xfer_size",
				    json_integer((json_int_t)caps->max_data_xfer_size));
	if (caps->has_max_dma_maps)
		json_object_set_new(list, "max_dma_maps",
				    json_integer((json_int_t)caps->max_dma_maps));
	if (caps->has_pgsizes)
		json_object_set_new(list, "pgsizes", json_integer((json_int_t)caps->pgsizes));
	if (caps->has_write_multiple)
		json_object_set_new(list, "write_multiple", json_boolean(caps->write_multiple));
	len = json_dumpb(root, json, size, JSON_COMPACT);
	json_decref(root);
	if (len == 0 || len >= size)
		return -ENOBUFS;
	json[len] = '\0';
	return (int)len + 1;
}

/* ---- Moving messages ---- */

uint64_t vu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int vu_poll_limit(struct pollfd *pfd, uint32_t count, const struct vu_limit *limit)
{
	for (;;) {
		uint64_t now = vu_now_ns();
		uint64_t left = limit->deadline_ns > now ? limit->deadline_ns - now : 0;
		uint64_t ask = limit->give_up ? VU_ASK_MS * 1000000ull : UINT64_MAX;
		uint64_t wait = left < ask ? left : ask;
		struct timespec timeout = {(time_t)(wait / 1000000000u),
					   (long)(wait % 1000000000u)};
		int n = ppoll(pfd, count, &timeout, NULL);

		if (n > 0)
			return 0;
		if (n == 0 && wait == left)
			return -ETIMEDOUT;
		if (n == 0 && limit->give_up(limit->ctx))
			return -ECANCELED;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* Waits for the socket to be ready. 0, -ETIMEDOUT, -ECANCELED or -errno. */
static int wait_for(int sock, short events, const struct vu_limit *limit)
{
	struct pollfd pfd = {.fd = sock, .events = events};

	return vu_poll_limit(&pfd, 1, limit);
}

void vu_message_close(struct vu_message *message)
{
	for (uint32_t i = 0; i < message->fds; i++) {
		if (message->fd[i] >= 0)
			close(message->fd[i]);
	}
	message->fds = 0;
}

int vu_message_take(struct vu_message *message, uint32_t i)
{
	IXGBE_GUARD(i < message->fds);
	int fd = message->fd[i];

	message->fd[i] = -1;
	return fd;
}

bool vu_is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_STREAM;
}

int vu_socket_take(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);
	int type = 0;
	socklen_t len = sizeof(type);

	/* strtol would take a sign and blanks. */
	if (*text < '0' || *text > '9' || *end || fd > INT32_MAX)
		return -EINVAL;
	if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return -errno;
	if (type != SOCK_STREAM)
		return -ENOTSOCK;
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	return (int)fd;
}

void vu_stream_init(struct vu_stream *stream, int sock)
{
	stream->sock = sock;
	stream->start = stream->end = 0;
	stream->taken = 0;
	stream->fds = 0;
	stream->within = NULL;
}

void vu_stream_close(struct vu_stream *stream)
{
	for (uint32_t i = 0; i < stream->fds; i++)
		close(stream->pending[i].fd);
	stream->fds = 0;
	stream->start = stream->end = 0;
	if (stream->sock >= 0)
		close(stream->sock);
	stream->sock = -1;
}

bool vu_stream_partial(const struct vu_stream *stream)
{
	return stream->end != stream->start;
}

bool vu_stream_ready(const struct vu_stream *stream)
{
	size_t have = stream->end - stream->start;
	struct vu_header header;

	if (have < sizeof(header))
		return false;
	memcpy(&header, stream->buf + stream->start, sizeof(header));
	return header_check(&header) || have >= header.size;
}

/* Room for the descriptors of one message. */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
};

/* Keeps the descriptors of a read whose last byte is number `last`. All that came are kept or
 * closed. */
static int keep_fds(struct vu_stream *stream, struct msghdr *msg, uint64_t last)
{
	int err = msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
	size_t came = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			came++;
			if (stream->fds == 2 * VU_FDS_MAX) {
				close(fd);
				err = -EPROTO;
				continue;
			}
			stream->pending[stream->fds].fd = fd;
			stream->pending[stream->fds].last = last;
			stream->fds++;
		}
	}
	/* There was room for more: the process may have no further descriptors. */
	return msg->msg_flags & MSG_CTRUNC && came < VU_FDS_MAX ? -EMFILE : err;
}

/* Moves what is left to the front of the buffer; returns how many bytes that is. */
static size_t compact(struct vu_stream *stream)
{
	size_t have = stream->end - stream->start;

	if (stream->start != 0) {
		memmove(stream->buf, stream->buf + stream->start, have);
		stream->taken += stream->start;
		stream->start = 0;
		stream->end = have;
	}
	return have;
}

/* For whoever finds this process dead. */
static void within_note(struct vu_stream *stream, bool within)
{
	if (stream->within)
		__atomic_store_n(stream->within, within, __ATOMIC_RELEASE);
}

/* One read, as much as there is and fits. */
static int receive(struct vu_stream *stream)
{
	union control control;
	size_t have = compact(stream);
	ssize_t n;

	struct iovec iov = {stream->buf + have, sizeof(stream->buf) - have};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	within_note(stream, true);
	do
		n = recvmsg(stream->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNRESET) /* the peer closed with messages of ours unread */
		n = 0;
	if (n < 0) {
		n = -errno;
		within_note(stream, have > 0);
		return (int)n;
	}
	if (n == 0)
		return have ? -EBADMSG : -EPIPE;
	stream->end += (size_t)n;
	return keep_fds(stream, &msg, stream->taken + stream->end - 1);
}

/* Hands the message at the start of the buffer out, if it is whole. */
static int take_message(struct vu_stream *stream, struct vu_message *out)
{
	size_t have = stream->end - stream->start;
	const uint8_t *at = stream->buf + stream->start;
	uint32_t fds = 0, kept = 0;
	int err;

	if (have < sizeof(out->header))
		return -EAGAIN;
	memcpy(&out->header, at, sizeof(out->header));
	err = header_check(&out->header);
	if (err)
		return err;
	if (have < out->header.size)
		return -EAGAIN;
	out->data = at + sizeof(out->header);
	out->len = out->header.size - sizeof(out->header);

	uint64_t next = stream->taken + stream->start + out->header.size;

	for (uint32_t i = 0; i < stream->fds; i++) {
		if (stream->pending[i].last >= next)
			stream->pending[kept++] = stream->pending[i];
		else if (fds < VU_FDS_MAX)
			out->fd[fds++] = stream->pending[i].fd;
		else {
			close(stream->pending[i].fd);
			err = -EPROTO;
		}
	}
	out->fds = fds;
	stream->fds = kept;
	stream->start += out->header.size;
	if (err)
		vu_message_close(out);
	return err;
}

int vu_stream_next(struct vu_stream *stream, struct vu_message *out)
{
	int err = take_message(stream, out);

	if (err != -EAGAIN)
		return err;
	err = receive(stream);
	return err ? err : take_message(stream, out);
}

int vu_stream_wait_limit(struct vu_stream *stream, struct vu_message *out,
			 const struct vu_limit *limit)
{
	for (;;) {
		int err = vu_stream_next(stream, out);

		if (err != -EAGAIN)
			return err;
		err = wait_for(stream->sock, POLLIN, limit);
		if (err)
			return err;
	}
}

/* Drops the first `n` bytes of a vector. */
static void iov_advance(struct msghdr *msg, size_t n)
{
	while (msg->msg_iovlen > 0 && n >= msg->msg_iov->iov_len) {
		n -= msg->msg_iov->iov_len;
		msg->msg_iov++;
		msg->msg_iovlen--;
	}
	if (msg->msg_iovlen > 0) {
		msg->msg_iov->iov_base = (uint8_t *)msg->msg_iov->iov_base + n;
		msg->msg_iov->iov_len -= n;
	}
}

/* Lets descriptors go with a message. */
static void fds_attach(struct msghdr *msg, union control *control, const int *fd, uint32_t fds)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(fds * sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fds * sizeof(int));
	memcpy(CMSG_DATA(c), fd, fds * sizeof(int));
}

ssize_t vu_send_some(int sock, const void *data, size_t len, int fd)
{
	union control control;
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fd >= 0)
		fds_attach(&msg, &control, &fd, 1);
	do
		n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return n;
}

/* Sends all of it, waiting for room within the limit. */
static int send_whole(int sock, struct msghdr *msg, const struct vu_limit *limit)
{
	while (msg->msg_iovlen > 0) {
		ssize_t n = sendmsg(sock, msg, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			iov_advance(msg, (size_t)n);
			msg->msg_control = NULL; /* the descriptors went with the first byte */
			msg->msg_controllen = 0;
		} else if (errno == EAGAIN) {
			int err = wait_for(sock, POLLOUT, limit);

			if (err)
				return err;
		} else if (errno == ECONNRESET) {
			return -EPIPE;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

#define PARTS_MAX 3u

int vu_send(int sock, const struct vu_header *header, const struct iovec *part, uint32_t parts,
	    const int *fd, uint32_t fds, uint64_t deadline_ns)
{
	const struct vu_limit limit = {.deadline_ns = deadline_ns};

	return vu_send_limit(sock, header, part, parts, fd, fds, &limit);
}

int vu_send_limit(int sock, const struct vu_header *header, const struct iovec *part,
		  uint32_t parts, const int *fd, uint32_t fds, const struct vu_limit *limit)
{
	union control control;
	struct vu_header head = *header;
	struct iovec iov[1 + PARTS_MAX] = {{&head, sizeof(head)}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 1 + parts};
	size_t size = sizeof(head);

	IXGBE_GUARD(parts <= PARTS_MAX);
	for (uint32_t i = 0; i < parts; i++) {
		iov[1 + i] = part[i];
		size += part[i].iov_len;
	}
	if (size > VU_MESSAGE_MAX || fds > VU_FDS_MAX)
		return -EMSGSIZE;
	head.size = (uint32_t)size;
	if (fds > 0)
		fds_attach(&msg, &control, fd, fds);
	return send_whole(sock, &msg, limit);
}
