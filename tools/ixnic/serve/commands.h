/* SPDX-License-Identifier: MIT */
/* The commands of a vfio-user client: checked, carried out, answered. */
#pragma once

#include "ioregion.h"
#include "ixgbe/vfio_user/vfio_user.h"
#include "pci_function.h"

struct commands {
	struct pci_function *function;
	struct ioregion *ioregion; /* NULL: the client gets no channel to the registers */
	bool negotiated;
	uint64_t data_max; /* bytes that the client takes in one message */
	int reply_fd;      /* goes with the reply, the caller's then; -1: none */
};

/*
 * Carries out a command. Returns the length of the payload that it wrote to `reply`, which has room
 * for the longest (VU_MESSAGE_MAX less the header), or -errno for the client.
 */
int commands_answer(struct commands *c, struct vu_message *m, uint8_t *reply);
