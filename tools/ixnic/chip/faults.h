/* SPDX-License-Identifier: MIT */
/*
 * Faults of the hardware, by order of the operator: what is on, and how much is left of it.
 *
 * nic->fault_bits is 0 in normal life. The parts of the NIC test it by fault_on() where a fault
 * would show, and ask further only then. fault_play.c begins and ends faults, and has those that
 * act by themselves.
 */
#pragma once

#include "tools/ixnic/nic.h"

/* The faults that last, each a bit of nic->fault_bits, in the order of fault_names[]. */
enum fault {
	FAULT_TX_HANG = 1u << 0,     /* transmit queues do not fetch; their heads stand */
	FAULT_RX_STUCK = 1u << 1,    /* receive queues write nothing back; frames wait */
	FAULT_IRQ_LOST = 1u << 2,    /* messages do not arrive */
	FAULT_IRQ_STORM = 1u << 3,   /* messages without a cause */
	FAULT_ONES = 1u << 4,        /* registers read all ones, and ignore writes */
	FAULT_GONE = 1u << 5,        /* the card is out of its slot */
	FAULT_LINK_FLAP = 1u << 6,   /* the link comes and goes */
	FAULT_MODULE_CODE = 1u << 7, /* the module names no kind of Ethernet */
	FAULT_MODULE_SUM = 1u << 8,  /* its checksum is wrong */
	FAULT_EEPROM_SUM = 1u << 9,  /* the EEPROM's is */
	FAULT_DD = 1u << 10,         /* all descriptors are written back */
};
#define FAULTS 11u

/* The least that ends a hang. */
enum fault_cure {
	FAULT_CURE_QUEUE,    /* the queue goes off and on */
	FAULT_CURE_RESET,    /* CTRL.RST, or more */
	FAULT_CURE_FUNCTION, /* a reset of the PCI function */
};

struct fault_hang {
	enum fault_cure cure;
	uint64_t queue[IXGBE_RXQ_COUNT / 64];
};

/* What the bus does, in pci_function.c. */
enum fault_bus { FAULT_BUS_MASTER_OFF, FAULT_BUS_POWER };
typedef void (*fault_bus_fn)(void *ctx, enum fault_bus what);

struct faults {
	struct fault_hang tx, rx;
	uint32_t irqs_left;                 /* messages to lose; 0: all */
	uint32_t storm_vector, storm_per_s; /* NIC_VECTORS: that of the other causes */
	uint32_t flap_changes;              /* of the link, that are left */
	uint64_t flap_step_ns;
	/* When each acts next: a storm's message, a change of the link, the end of all ones or of
	 * an absence. 0: not at all. */
	uint64_t at_ns[FAULTS];
	fault_bus_fn bus;
	void *bus_ctx;
};

/* Whether one of these faults is on. */
static inline bool fault_on(const struct nic *nic, uint32_t which)
{
	return __builtin_expect((nic->fault_bits & which) != 0, 0);
}

int faults_new(struct nic *nic);
void faults_free(struct nic *nic);
void faults_bus_set(struct nic *nic, fault_bus_fn bus, void *ctx);

/* The bit of a name, or 0; the name of a bit. */
uint32_t faults_find(const char *name);
const char *faults_name(uint32_t which);
/* What is left of a fault, as a request would say it; "off" without. */
#define FAULT_TEXT 48
const char *faults_text(const struct nic *nic, uint32_t which, char text[FAULT_TEXT]);

/* `which` is FAULT_TX_HANG or FAULT_RX_STUCK. */
bool faults_hung(const struct nic *nic, uint32_t which, uint32_t queue);
/* A queue went on, which cures it or not. */
void faults_queue_on(struct nic *nic, uint32_t which, uint32_t queue);
/* The NIC is reset: ends the hangs that this cures. */
void faults_reset(struct nic *nic, enum nic_reset kind);
/* A message goes out, with FAULT_IRQ_LOST or FAULT_GONE: whether it is lost. */
bool faults_message_lost(struct nic *nic);
/* A byte of the module's identity, with FAULT_MODULE_CODE or FAULT_MODULE_SUM. */
uint8_t faults_module_byte(const struct nic *nic, const uint8_t *page, uint8_t at);
