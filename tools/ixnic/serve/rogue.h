/* SPDX-License-Identifier: MIT */
/*
 * The NIC as a rogue: it masters the bus at any address that the operator names, whatever its
 * driver set up, as a NIC with broken or hostile firmware would. Two things hold it, as they hold
 * hardware: the right to master the bus, and the IOMMU at the client's end.
 *
 *     bus mastering is off                   refused here
 *     memory that the client has shared      read or written in place
 *     any other address                      asked for by message: the client refuses it, and
 *                                            QEMU's IOMMU records the fault
 */
#pragma once

#include "server.h"

#define ROGUE_BYTES_MAX ASK_BYTES_MAX

enum rogue_path { ROGUE_OFF, ROGUE_SHARED, ROGUE_MESSAGE };

struct rogue {
	uint64_t iova;
	uint32_t len; /* 1..ROGUE_BYTES_MAX */
	bool write;
	uint8_t data[ROGUE_BYTES_MAX]; /* to write, or read */
	enum rogue_path path;
	int err; /* 0, -EPERM: ROGUE_OFF, or as ask_fn has it */
	void (*done)(void *ctx);
	void *ctx;
};

/* Calls rogue->done once, maybe before the return. -ENOTCONN: no client, -EBUSY and -EMSGSIZE as
 * server_dma. Until `done`, rogue stays where it is. */
int rogue_start(struct nic *nic, struct server *server, struct rogue *rogue);
