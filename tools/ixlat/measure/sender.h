/* SPDX-License-Identifier: MIT */
/*
 * The socket of a run: probes go out, messages come in, one at a time. To send, wait until
 * sender_ready() returns 0, fill *sender.probe, and call sender_send().
 *
 * `received_ns` is taken right after the system call that received the message. So it has in it the
 * kernel's way to the socket and, unless busy, waking this process. With kernel stamps it is the
 * time at which the driver handed the packet to the kernel: the present less the stamp's age. The
 * stamp is of CLOCK_REALTIME. If its age makes no sense, that clock was set, and it is not used.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/ixlat/command_line.h"
#include "probe.h"

struct sender {
	int fd;
	enum mode mode;
	bool kernel_stamps;
	uint16_t probe_bytes; /* the whole probe, with its header */
	struct probe *probe;  /* the probe to send; it is in `out` */
	int64_t received_ns;
	/* The message to send: the probe, after an Ethernet header if raw. */
	uint8_t *out;
	size_t out_bytes, out_left; /* left: of a TCP message that is not sent whole yet */
	uint8_t *in;
	size_t in_start, in_end; /* TCP: bytes not consumed yet */
	uint8_t own_mac[6];
};

/* 0, or -1 after a line on standard error. After a failure sender_close() does nothing. */
int sender_open(struct sender *sender, const struct ixlat_options *options);
void sender_close(struct sender *sender);

/* 0: the next probe may be sent; -EAGAIN: the one before is not sent whole yet; other -errno. */
int sender_ready(struct sender *sender);
/* Sends *sender.probe: 0; -EAGAIN or -ENOBUFS: the kernel has no room now; other -errno. */
int sender_send(struct sender *sender);
/*
 * The length of the next message; *probe is valid until the next call. -EAGAIN: there is none;
 * -ECONNRESET: the far end has closed; -EPROTO: a TCP stream brings no probes; other -errno.
 */
ssize_t sender_receive(struct sender *sender, const struct probe **probe);
/* Waits for something to receive, or for room to send the rest of a message; at most to `until_ns`.
 */
void sender_wait(const struct sender *sender, int64_t until_ns);
