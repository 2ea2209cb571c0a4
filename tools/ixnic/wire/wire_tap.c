/* SPDX-License-Identifier: MIT */
/*
 * The wire as a TAP: the kernel's side of it is the link partner.
 *
 * The TAP offers checksum and segmentation offloads: one read() takes up to 64 KiB from a TCP
 * sender. This file fills in checksums and cuts big packets into frames of gso_size before they
 * reach the NIC, and pads short frames, as the partner's NIC would.
 *
 * In the other direction, frames that tso.c cut from one packet are merged again before they are
 * written, as a partner with receive offload merges them (wire_tap_merge.c).
 *
 * While the NIC's packet buffer is full nothing is read, and the kernel holds its packets.
 *
 * The partner's light goes off when its interface goes down. The descriptor tells: a TAP that is
 * down is not writable. That it goes up is an event; that it goes down is none.
 */
#include <errno.h>
#include <net/if.h>
#include <linux/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bridge/service/listen.h"
#include "bridge/service/netns.h"
#include "bridge/service/log.h"
#include "bridge/service/tun.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/data/checksum.h"
#include "tools/ixnic/loop.h"
#include "wire_tap_merge.h"

#define READ_BYTES (65536u + 64u) /* the largest packet, and its tags */
/* Somebody may set the TAP's carrier, and the descriptor cannot tell: it is set again so often. So
 * often, too, we look whether the interface went down. */
#define CARRIER_NS 250000000ull

struct wire_tap {
	struct wire wire;
	int fd;    /* -1: gone */
	int names; /* told when names of namespaces go; -1: they do not matter */
	const char *netns;
	struct netns_id held; /* the namespace that our descriptor keeps alive */
	bool readable;
	bool carrier; /* as told last */
	bool up;      /* the interface, as the NIC was told last */
	bool was_up;  /* at any time */
	bool cutting; /* tso has the rest of the last packet read */
	struct tso tso;
	struct wire_tap_merge merge;
	struct virtio_net_hdr vnet; /* of the packet in buffer */
	uint8_t buffer[READ_BYTES];
};

static struct wire_tap *self(struct wire *wire)
{
	return (struct wire_tap *)wire;
}

/* ---- Its end ---- */

static void close_watched(struct wire_tap *tap, int *fd)
{
	if (*fd < 0)
		return;
	loop_remove(tap->wire.nic->loop, *fd);
	close(*fd);
	*fd = -1;
}

/* The descriptor goes too: it may be all that keeps a namespace alive. */
static void lose(struct wire_tap *tap)
{
	if (tap->fd < 0)
		return;
	tap->readable = false;
	close_watched(tap, &tap->fd);
	log_error("the TAP of the wire was deleted; the link is down for good");
	phy_light_set(tap->wire.nic, false);
}

/* A name went: 'ip netns del' of a namespace that we hold ends it, were it not for us. */
static void names_event(void *ctx, uint32_t events)
{
	struct wire_tap *tap = ctx;
	char notes[4096];

	(void)events;
	if (read(tap->names, notes, sizeof(notes)) > 0 && !netns_is_named(tap->netns, &tap->held))
		lose(tap);
}

/* ---- From the kernel ---- */

/* Fills in a checksum that the kernel left for the NIC to do. */
static bool finish_checksum(const struct virtio_net_hdr *vnet, struct frame *frame, uint8_t *data)
{
	uint32_t start = vnet->csum_start, at = start + vnet->csum_offset;
	uint16_t sum;

	if (start >= frame->head_len || at + sizeof(sum) > frame->head_len)
		return false;
	sum = (uint16_t)~csum_fold(csum_add(0, data + start, frame->head_len - start));
	if (sum == 0)
		sum = 0xffff; /* the same to TCP; to UDP, 0 would say that there is none */
	memcpy(data + at, &sum, sizeof(sum));
	frame->checked = start;
	return true;
}

/* Begins to cut a packet that the kernel left whole. */
static bool start_cutting(struct wire_tap *tap, uint32_t len)
{
	static const struct parse_config config = {ETHERTYPE_VLAN, ETHERTYPE_QINQ};
	const struct virtio_net_hdr *vnet = &tap->vnet;
	uint8_t type = vnet->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	bool tcp = type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6;
	struct tso_plan plan = {.tcp = tcp, .mss = vnet->gso_size, .pseudo_right = true};
	struct parsed packet;
	const uint8_t *l3;

	if (!tcp && type != VIRTIO_NET_HDR_GSO_UDP_L4)
		return false;
	packet_parse(&packet, &config, tap->buffer, len, len);
	if (!packet.l4 || packet.l4_protocol != (tcp ? IPPROTO_TCP : IPPROTO_UDP) ||
	    !(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || vnet->csum_start != packet.l4)
		return false;
	l3 = tap->buffer + packet.l3;
	plan.ipv4 = packet.ip == PARSE_IPV4;
	plan.l2_bytes = packet.l3;
	plan.l3_bytes = packet.l4 - packet.l3;
	plan.l4_bytes = packet.payload - packet.l4;
	plan.pseudo = csum_pseudo(l3, plan.ipv4, packet.l4_protocol, 0);
	/* Masks of the TCP flags, which the NIC has in DTXTCPFLG*. */
	plan.flags_first = 0x0ff6;  /* not FIN, PSH */
	plan.flags_middle = 0x0f76; /* nor CWR */
	plan.flags_last = 0x0f7f;
	return tso_start(&tap->tso, &plan, tap->buffer, packet.l4 + packet.l4_len) == 0;
}

/* A packet of `len` bytes is in the buffer: hands it on, or begins to cut it. */
static void take(struct wire_tap *tap, uint32_t len)
{
	struct nic *nic = tap->wire.nic;
	struct frame frame = {.head = tap->buffer, .head_len = len};
	bool right = true;

	if (tap->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		tap->cutting = start_cutting(tap, len);
		if (!tap->cutting)
			count(nic, COUNTER_wire_drop_vnet);
		return;
	}
	if (tap->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		right = finish_checksum(&tap->vnet, &frame, tap->buffer);
	else if (tap->vnet.flags & VIRTIO_NET_HDR_F_DATA_VALID)
		frame.checked = FRAME_CHECKED_ANY;
	if (!right) {
		count(nic, COUNTER_wire_drop_vnet);
		return;
	}
	frame_pad(&frame, tap->buffer);
	wire_receive(&tap->wire, &frame);
}

/* Reads the next packet into the buffer: its length, or 0 if there is none. */
static uint32_t tap_read(struct wire_tap *tap)
{
	struct iovec part[] = {{&tap->vnet, sizeof(tap->vnet)}, {tap->buffer, sizeof(tap->buffer)}};
	ssize_t len = readv(tap->fd, part, 2);

	if (len > (ssize_t)sizeof(tap->vnet))
		return (uint32_t)len - (uint32_t)sizeof(tap->vnet);
	if (len < 0 && errno == EINTR)
		return 0;
	tap->readable = false;
	if (len < 0 && errno == EBADFD)
		lose(tap);
	return 0;
}

static bool tap_poll(struct wire *wire, uint32_t budget)
{
	struct wire_tap *tap = self(wire);
	uint8_t padded[FRAME_MIN];
	struct frame frame;

	while (budget > 0 && receive_ready(wire->nic)) {
		uint32_t len;

		if (tap->cutting) {
			tap->cutting = tso_next(&tap->tso, &frame);
			if (tap->cutting) {
				frame_pad(&frame, padded);
				wire_receive(wire, &frame);
				budget--;
			}
			continue;
		}
		if (!tap->readable)
			return false;
		len = tap_read(tap);
		if (len > 0) {
			take(tap, len);
			budget--;
		}
	}
	return budget == 0;
}

/* An interface that nobody has brought up yet does not count: many a wire is made before its other
 * end is. */
static void follow_interface(struct wire_tap *tap, bool up)
{
	tap->was_up |= up;
	if (up == tap->up || !tap->was_up)
		return;
	tap->up = up;
	phy_light_set(tap->wire.nic, up);
}

static void tap_event(void *ctx, uint32_t events)
{
	struct wire_tap *tap = ctx;

	tap->readable = true;
	follow_interface(tap, events & EPOLLOUT);
}

/* ---- To the kernel ---- */

/* One packet in two parts, which counts as `frames`. */
static void write_packet(struct wire *wire, const struct virtio_net_hdr *vnet, struct slice head,
			 struct slice body, uint32_t frames)
{
	struct iovec out[] = {
		{(void *)(uintptr_t)vnet, sizeof(*vnet)},
		{(void *)(uintptr_t)head.data, head.len},
		{(void *)(uintptr_t)body.data, body.len},
	};

	if (writev(self(wire)->fd, out, sizeof(out) / sizeof(out[0])) >= 0)
		return;
	/* the frames were counted as sent when they were taken */
	wire->nic->data->counter[COUNTER_tx_sent] -= frames;
	count_add(wire->nic, errno == EIO ? COUNTER_wire_drop_down : COUNTER_wire_drop_error,
		  frames);
}

/* Writes the frames that wait to be continued. */
static void tap_flush(struct wire *wire)
{
	struct wire_tap_merge *merge = &self(wire)->merge;
	struct virtio_net_hdr vnet;
	uint32_t frames = wire_tap_merge_end(merge, &vnet);

	if (frames == 0)
		return;
	if (frames > 1)
		count_add(wire->nic, COUNTER_wire_merged, frames);
	write_packet(wire, &vnet, (struct slice){merge->head, merge->head_len}, merge->body,
		     frames);
}

static int tap_send(struct wire *wire, const struct frame *frame)
{
	static const struct virtio_net_hdr plain;
	struct wire_tap_merge *merge = &self(wire)->merge;

	if (wire_tap_merge_join(merge, frame))
		return 0;
	tap_flush(wire);
	if (!wire_tap_merge_begin(merge, frame))
		write_packet(wire, &plain, (struct slice){frame->head, frame->head_len},
			     (struct slice){frame->body, frame->body_len}, 1);
	return 0;
}

static int carrier_set(const struct wire_tap *tap)
{
	int carrier = tap->carrier;

	return ioctl(tap->fd, TUNSETCARRIER, &carrier);
}

static void carrier_keep(void *ctx, uint32_t events)
{
	struct wire_tap *tap = ctx;
	struct pollfd pfd = {.fd = tap->fd, .events = POLLOUT};

	(void)events;
	if (tap->fd < 0)
		return;
	if (poll(&pfd, 1, 0) >= 0)
		follow_interface(tap, pfd.revents & POLLOUT);
	if (!carrier_set(tap))
		loop_timer_set(tap->wire.nic->loop, LOOP_TIMER_WIRE, loop_now_ns() + CARRIER_NS,
			       carrier_keep, tap);
	else if (errno == EBADFD) /* the kernel wakes readers just before the end, and once */
		lose(tap);
}

static void tap_carrier(struct wire *wire, bool up)
{
	self(wire)->carrier = up;
	if (self(wire)->fd >= 0 && carrier_set(self(wire)))
		log_warning("cannot set the carrier of the TAP: %s", strerror(errno));
}

static void tap_free(struct wire *wire)
{
	struct wire_tap *tap = self(wire);

	loop_timer_set(wire->nic->loop, LOOP_TIMER_WIRE, 0, NULL, NULL);
	close_watched(tap, &tap->fd);
	close_watched(tap, &tap->names);
	free(tap);
}

static const struct wire_ops tap_ops = {
	.poll = tap_poll,
	.send = tap_send,
	.flush = tap_flush,
	.carrier = tap_carrier,
	.free = tap_free,
};

/* ---- Start ---- */

/* The TAP's descriptor; /dev/net/tun makes it in the namespace of the thread. */
static int open_here(const char *name, struct ixgbe_why *why)
{
	char who[sizeof("wire tap:") + IFNAMSIZ];
	const struct tun_request request = {
		.name = name,
		.who = who,
		.other = "choose another name",
		.header_bytes = sizeof(struct virtio_net_hdr),
	};
	int fd, left_ms = LISTEN_BUSY_MS;

	snprintf(who, sizeof(who), "wire tap:%s", name);
	fd = tun_open(&request, why);
	for (; fd == -EBUSY && left_ms > 0; left_ms -= LISTEN_NEXT_MS) {
		usleep(LISTEN_NEXT_MS * 1000);
		fd = tun_open(&request, why);
	}
	if (fd >= 0)
		tun_offloads_set(fd);
	return fd;
}

/* Of a namespace that our descriptor keeps alive: hears when a name goes. */
static int watch_names(struct wire_tap *tap, struct ixgbe_why *why)
{
	int err;

	tap->names = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	err = tap->names < 0 || inotify_add_watch(tap->names, NETNS_NAMES,
						  IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0
		      ? -errno
		      : loop_add(tap->wire.nic->loop, tap->names, EPOLLIN, names_event, tap);
	return err ? ixgbe_why_fill(why, err, "cannot watch " NETNS_NAMES ": %s", strerror(-err))
		   : 0;
}

/*
 * A TAP's descriptor keeps the namespace alive where /dev/net/tun was opened. So a new TAP is made
 * in a namespace that is nobody's, and moved: it goes with the namespace `there`. One that is there
 * already can be taken only from there.
 */
static int open_there(struct wire_tap *tap, const char *name, int there, struct ixgbe_why *why)
{
	int fd, err = netns_enter(there, why);

	if (err)
		return err;
	if (if_nametoindex(name)) {
		err = netns_identify(there, &tap->held) ? watch_names(tap, why) : -EBADF;
		return err ? err : open_here(name, why);
	}
	err = netns_enter_new(why);
	if (err)
		return err;
	fd = open_here(name, why);
	err = fd < 0 ? fd : netns_interface_move(name, there);
	if (!err)
		return fd;
	if (fd < 0)
		return fd;
	close(fd);
	return ixgbe_why_fill(why, err, "wire tap:%s: cannot move it to its network namespace: %s",
			      name, strerror(-err));
}

static int open_in(struct wire_tap *tap, const char *name, struct ixgbe_why *why)
{
	int fd, err, there, home = netns_current(why);

	if (home < 0)
		return home;
	there = netns_open(tap->netns, why);
	fd = there;
	if (there >= 0) {
		fd = open_there(tap, name, there, why);
		close(there);
		err = netns_enter(home, why);
		if (err && fd >= 0)
			close(fd);
		fd = err ? err : fd;
	}
	close(home);
	return fd;
}

/*
 * The far end's address follows from the NIC's, so that a TAP made anew after a crash is the one
 * that the neighbours know. One that was there keeps its own.
 */
static void address_set(int fd, const uint8_t mac[6])
{
	struct ifreq request = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

	if (tun_persists(fd))
		return;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	/* Locally administered, and not the NIC's. */
	request.ifr_hwaddr.sa_data[0] = (char)((mac[0] ^ 0x04) | 0x02);
	ioctl(fd, SIOCSIFHWADDR, &request);
}

int wire_tap_new(struct nic *nic, const char *name, const char *netns, struct wire **out,
		 struct ixgbe_why *why)
{
	struct wire_tap *tap = calloc(1, sizeof(*tap));
	int err;

	if (!tap)
		return ixgbe_why_fill(why, -ENOMEM, "wire tap:%s: no memory", name);
	tap->wire = (struct wire){&tap_ops, nic};
	tap->names = -1;
	tap->netns = netns;
	tap->fd = netns ? open_in(tap, name, why) : open_here(name, why);
	if (tap->fd < 0) {
		err = tap->fd;
		goto out_close;
	}
	err = loop_add(nic->loop, tap->fd, EPOLLIN | EPOLLOUT | EPOLLET, tap_event, tap);
	if (err) {
		ixgbe_why_fill(why, err, "wire tap:%s: %s", name, strerror(-err));
		goto out_close;
	}
	address_set(tap->fd, nic->mac);
	tap_carrier(&tap->wire, false);
	*out = &tap->wire;
	tap->up = true;
	phy_light_set(nic, true);
	carrier_keep(tap, 0);
	return 0;
out_close:
	if (tap->fd >= 0)
		close(tap->fd);
	close_watched(tap, &tap->names);
	free(tap);
	return err;
}
