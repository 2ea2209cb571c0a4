/* SPDX-License-Identifier: MIT */
/*
 * A channel of its own for accesses to the registers: an ioregionfd, whose messages are in
 * ixgbe/vfio_user/vfio_user.h. Who has its far end reaches BAR 0 and nothing else.
 *
 * Accesses are carried out in the order in which they came, and what came before a message of the
 * connection is carried out before that message is. So whole commands of a driver that is dead take
 * effect before the next one has a channel, as posted writes reach hardware whatever becomes of the
 * processor that posted them.
 *
 * There is one channel at a time. A new one ends the former; half a command in that is dropped.
 *
 * A client that does not take its answers is not listened to meanwhile. Whoever sends anything that
 * is no command within BAR 0 loses the channel, and the connection stays.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/vfio_user/vfio_user.h"
#include "pci_function.h"

#define IOREGION_COMMANDS 256u /* that are read at once, at most */

struct ioregion {
	struct pci_function *function;
	int sock;                 /* ours; -1: no channel */
	bool deaf;                /* nobody can take answers any more */
	struct vu_sub_region sub; /* as the client knows it: user_data is another in each channel */
	size_t in_len, out_len, out_sent;
	uint8_t in[IOREGION_COMMANDS * sizeof(struct vu_ioregion_command)];
	uint8_t out[IOREGION_COMMANDS * sizeof(struct vu_ioregion_response)];
};

void ioregion_init(struct ioregion *ioregion, struct pci_function *function);

/*
 * Ends the channel that there is, and makes another, run by nic->loop. 0: `*theirs` is the client's
 * end, the caller's now, and ioregion->sub says what to tell the client. -errno: there is none.
 */
int ioregion_new(struct ioregion *ioregion, int *theirs);
/* Carries out what has come until now; for whoever is about to handle a message. */
void ioregion_serve(struct ioregion *ioregion);
/* Drops the channel and what is in it. */
void ioregion_close(struct ioregion *ioregion);
