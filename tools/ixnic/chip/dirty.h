/* SPDX-License-Identifier: MIT */
/*
 * What the files of a NIC that is not new share: dirty.c, which others call, has the queues, the
 * resets and the clock; dirty_setup.c what is undefined after a reset, and has to be set up;
 * dirty_board.c the module, the firmware and the way to a link.
 */
#pragma once

#include "chip.h"
#include "tools/ixnic/loop.h"

#define DIRTY_QUEUES ((uint32_t)IXGBE_RXQ_COUNT)
#define DIRTY_US     1000u

struct dirty {
	uint64_t state;
	uint32_t slow; /* how many times as long the short waits are */

	/* Resets and DMA. Times are when something is over. */
	bool fresh;       /* no register was written since the reset */
	bool stuck;       /* the master disable does not come to its end without a flush */
	bool flushing;    /* a flush was begun */
	uint64_t ctrl_ns; /* if a reset follows: it is quiet until then */
	uint64_t flush_ns, pending_ns, quiet_ns, reset_ns, master_ns, eeprom_ns, dma_ns, secrx_ns,
		eerd_ns;
	struct dirty_queue {
		bool late;      /* of the read that is under way: ENABLE shows what was before */
		bool unseen;    /* the end of the queue was not read yet */
		bool head_seen; /* TDH was read since the tail was written */
		uint64_t ns;    /* ENABLE shows the last write */
		uint64_t idle_ns;
	} queue[2][IXGBE_RXQ_COUNT]; /* receive, transmit */

	/* Memory that nobody wrote since the reset. */
	bool undefined[IXGBE_BAR0_SIZE / 4];
	bool dt1c_undefined[IXGBE_TXQ_COUNT];

	/* The board. */
	uint32_t others;            /* of SW_FW_SYNC: what the other port's driver has */
	bool smbi_dead;             /* SWSM.SMBI was taken by a driver that died */
	uint64_t smbi_ns;           /* the other port's driver has it */
	uint64_t guard_free_ns;     /* the guard was given back */
	uint64_t firmware_ns;       /* firmware wants to give back what it has */
	uint32_t hurries;           /* the guard was taken again at once, though it wants to */
	bool settings;              /* CORECTL was written since MAC_CSR was taken */
	uint64_t csr_ns;            /* firmware has its turn at MAC_CSR */
	uint64_t wires_ns, dark_ns; /* the module's wires moved; its light went off */
	uint64_t stretch_ns;        /* the module holds the clock */
	uint32_t module_words;      /* of CORECTL that the module has seen */
	bool two_rates, rate;       /* of the optic; the high one, when the link was restarted */
	bool restarting, pipeline;  /* behind AUTOC: a change is on its way; it has arrived */
	uint64_t an_ns;             /* AN_STATE shows the change */
};

static inline uint32_t dirty_draw(struct dirty *dirty)
{
	dirty->state = dirty->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(dirty->state >> 32);
}

/* A time between `least_us` and `most_us` from now. */
static inline uint64_t dirty_after(struct dirty *dirty, uint32_t least_us, uint32_t most_us)
{
	return loop_now_ns() +
	       DIRTY_US * (uint64_t)(least_us + dirty_draw(dirty) % (most_us - least_us + 1));
}

/* A short wait of the driver's, from now. What is not as short has to be longer than all that a
 * driver does meanwhile. */
static inline uint64_t dirty_slowly(const struct dirty *dirty, uint32_t us)
{
	const uint32_t slow = dirty->slow == 1 ? 1 : us < 50 ? dirty->slow : 10 * dirty->slow;

	return loop_now_ns() + (uint64_t)DIRTY_US * us * slow;
}

static inline bool dirty_under_way(uint64_t end_ns)
{
	return end_ns && loop_now_ns() < end_ns;
}

/* ---- dirty_setup.c ---- */

void dirty_setup_start(struct nic *nic);
/* Random values where no reset leaves any, and where an EEPROM may load others. */
void dirty_setup_reset(struct nic *nic);
void dirty_setup_write(struct nic *nic, const struct ixgbe_register *r, uint32_t offset,
		       uint32_t old, uint32_t written);

/* ---- dirty_board.c ---- */

void dirty_board_start(struct nic *nic);
void dirty_board_reset(struct nic *nic);
uint32_t dirty_board_read(struct nic *nic, uint32_t offset, uint32_t value);
void dirty_board_write(struct nic *nic, uint32_t offset, uint32_t old, uint32_t written);
