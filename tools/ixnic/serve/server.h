/* SPDX-License-Identifier: MIT */
/*
 * serve: the client, which has the NIC by vfio-user, and the operator, who looks at it.
 *
 * The server offers the PCI function around the NIC to one client after the other. What a client
 * sends is checked before it is used. A client that breaks the protocol is dropped with one line in
 * the log; the NIC is reset as by FLR and the next one may come.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     operator.c      the control socket: status, link, counters, bus accesses
 *       |
 *     rogue.c         bus accesses by order of the operator, past the driver
 *     fault_words.c   faults by order of the operator
 *       |
 *     server.c        the client: its connection, its messages, its deadlines
 *       |
 *     commands.c      what the client's commands do
 *     ask.c           questions of the server to its client
 *       |
 *     ioregion.c      a channel of the client's for the registers alone
 *       |
 *     pci_function.c  regions, interrupts and resets of the function
 */
#pragma once

#include "ask.h"
#include "ixgbe/ixgbe.h"
#include "tools/ixnic/nic.h"

struct server;

struct server_options {
	bool no_io_fds; /* GET_REGION_IO_FDS is a command that the server does not know */
};

/*
 * Serves `nic` on `name`: a path to listen on (see listen_at), or "fd:N", a connected stream socket
 * that passes to the server. nic->loop runs the server; with fd:N the loop is stopped when the
 * client has gone. Interrupts are delivered to the client.
 * Errors, each explained in `why`: -EINVAL (N is no number), -EBADF, -ENOTSOCK, those of
 * listen_at, -ENOMEM.
 */
int server_new(struct nic *nic, const char *name, const struct server_options *options,
	       struct server **out, struct ixgbe_why *why);

/* Drops the client, removes the socket file. Takes NULL. Before nic_free and loop_free. */
void server_free(struct server *server);

/*
 * Asks the client for `len` bytes at `iova`, or, with `data`, hands it those to write there, and
 * calls `done` once, maybe before the return. A read that is refused or not answered shows in the
 * function's registers, as on hardware. -ENOTCONN: no client; -EBUSY: another access is under way;
 * -EMSGSIZE: more than the client takes in one message, or than ASK_BYTES_MAX.
 */
int server_dma(struct server *server, uint64_t iova, size_t len, const void *data, ask_fn done,
	       void *ctx);
/* `done` is not called any more. */
void server_dma_cancel(struct server *server);

/* Whether a client is connected and past the negotiation. */
bool server_client(const struct server *server);
/* Whether the client has a channel for the registers. */
bool server_channel(const struct server *server);
