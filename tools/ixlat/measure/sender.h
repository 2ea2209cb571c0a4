/* SPDX-License-Identifier: MIT */
/*
 * The sender's side of a connection: probes go out, messages come in, one at a time.
 *
 *   sender_ready() == 0  →  fill *sender.probe  →  sender_send()
 *   sender_receive()     →  a message, and when it was received
 *
 * `received_ns` is taken right after the system call that brought the message, so it includes the
 * kernel's way to the socket and, unless busy, waking this process. With kernel stamps it is when
 * the driver handed the packet to the kernel, by a clock that is set (CLOCK_REALTIME), counted back
 * from now; when that makes no sense, because the clock was set just then, it is taken as above.
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
	uint16_t probe_bytes; /* from the header to the end */
	struct probe *probe;  /* the one to send, in `out` */
	int64_t received_ns;
	/* The message to send: the probe, and the Ethernet header before it. */
	uint8_t *out;
	size_t out_bytes, out_left; /* left: of a TCP message, not taken by the kernel yet */
	uint8_t *in;
	size_t in_start, in_end; /* TCP: bytes not consumed yet */
	uint8_t own_mac[6];
};

/* 0, or -1 after a line on standard error. A sender that was not opened may be closed. */
int sender_open(struct sender *sender, const struct ixlat_options *options);
void sender_close(struct sender *sender);

/* 0: a probe may be written and sent; -EAGAIN: the one before is not out yet; other -errno. */
int sender_ready(struct sender *sender);
/* Sends *sender.probe: 0, -EAGAIN or -ENOBUFS (not now), or what else the kernel says. */
int sender_send(struct sender *sender);
/* The length of the next message and where it is, valid until the next call; -EAGAIN when there is
 * none, -ECONNRESET when the far end has closed, -EPROTO when a TCP stream makes no sense. */
ssize_t sender_receive(struct sender *sender, const struct probe **probe);
/* Waits until there may be something to receive (or a probe can go out), until `until_ns` at most.
 */
void sender_wait(const struct sender *sender, int64_t until_ns);
