/* SPDX-License-Identifier: MIT */
/*
 * ixnic: a software Intel 82599, served over vfio-user.
 *
 * One thread, one epoll loop. Nothing here blocks and nothing here trusts the client: every
 * register value, descriptor and IOVA is a claim to be checked. All state is in `struct nic`, and a
 * test builds one without sockets.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     ixnic.c    options, start and stop
 *       |
 *     serve/     the client, by vfio-user, and the operator, by the control socket
 *       |
 *     nic.c      the parts of a NIC, their registers, resets
 *       |
 *     wire/      the far end: a TAP, a cable, a socket for tests
 *       |
 *     data/      frames between the wire and the rings
 *       |
 *     bus/       PCI: configuration space, the client's memory, eventfds
 *       |
 *     chip/      registers, interrupts, link, EEPROM, statistics, rules that the driver broke
 *       |
 *     loop.c         the event loop
 *     factory_mac.c  the address of a NIC that was given none
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/tables/desc.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"

#define NIC_VECTORS   64u                          /* MSI-X vectors (section 7.3.1) */
#define NIC_FRAME_MAX (IXGBE_FRAME_MAX_BYTES + 8u) /* two VLAN tags; FCS included */

static_assert(IXGBE_RXQ_COUNT == IXGBE_TXQ_COUNT, "one loop visits the queues of both directions");

struct dirty;
struct faults;
struct frame;
struct nic;

/* The way to the far end of the cable, which wire.c hands to phy_connect(). */
struct connector {
	/* Hands up to `budget` frames to receive_frame(). True: the budget ended before the frames
	 * did.
	 */
	bool (*poll)(struct nic *nic, uint32_t budget);
	/* 0; -EAGAIN: the far end takes none now, -EBUSY: the wire is held to a rate, and the loop
	 * wakes when it can be tried again; 1: lost on the wire, and counted. The frame's body
	 * stays as it is until flush(). */
	int (*send)(struct nic *nic, const struct frame *frame);
	void (*flush)(struct nic *nic);
	void (*turn_end)(struct nic *nic);         /* flush, also of the capture */
	void (*carrier)(struct nic *nic, bool up); /* this end's laser is on, the cable plugged */
};

struct nic {
	uint32_t reg[IXGBE_BAR0_SIZE / 4]; /* BAR 0 as stored; side effects are hooks */
	uint8_t mac[6];                    /* factory address, as in the EEPROM */
	bool cable;                        /* plugged in by the operator */
	bool light;                        /* sent by the far end of the wire */
	uint32_t fault_bits;               /* FAULT_* that are on: 0 in normal life */

	struct loop *loop;
	struct faults *faults;
	struct regfile *regfile;
	struct memory *memory;
	struct interrupt *interrupt;
	struct eeprom_image *eeprom_image;
	struct spi *spi;
	struct module *module;
	struct phy *phy;
	struct data *data;
	const struct connector *connector; /* NULL: no wire */
	struct wire *wire;
	struct violations *violations;
	struct capture *capture;    /* --pcap; NULL: none */
	struct dirty *dirty;        /* --dirty; NULL: a NIC as new */
	uint64_t reset_at_ns;       /* the last CTRL.RST or link reset; 0: none since power-on */
	bool strict;                /* --strict: a broken rule ends the DMA */
	bool stopped;               /* it did, and no reset has come since */
	bool eeprom_seen, dma_seen; /* EEC.AUTO_RD and RDRXCTL.DMAIDONE, read set since the reset */
	uint64_t register_reads;    /* by the driver: each brings the writes before it to an end */
};

/* Makes all parts but loop, connector, wire and capture, and resets them as at power-on. 0 or
 * -errno. */
int nic_new(const uint8_t mac[6], struct nic **out);
/* As another driver left it, at random from `seed`; short waits are `slow` times as long. 0 or
 * -errno. */
int nic_dirty(struct nic *nic, uint64_t seed, uint32_t slow);
void nic_free(struct nic *nic); /* takes NULL */

enum nic_reset { NIC_RESET_POWER, NIC_RESET_FLR, NIC_RESET_CTRL_RST, NIC_RESET_LINK };
/* The registers and state that each kind of reset touches (section 4.2). */
void nic_reset(struct nic *nic, enum nic_reset kind);

/* A register as stored, without side effects. */
static inline uint32_t reg(const struct nic *nic, uint32_t offset)
{
	return nic->reg[offset / 4];
}

static inline void reg_store(struct nic *nic, uint32_t offset, uint32_t value)
{
	nic->reg[offset / 4] = value;
}
