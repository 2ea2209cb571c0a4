/* SPDX-License-Identifier: MIT */
/*
 * ixnic: a software Intel 82599, and what its parts share.
 *
 *   client ── server.c ─┬─ config_space.c            PCI configuration, FLR
 *                       ├─ regfile.c ── hooks ──┬─ eeprom.c spi.c sfp.c link.c paths.c
 *                       │                       ├─ irq.c     EICR..EITR, MSI-X
 *                       ├─ dma.c  (IOVA)        ├─ rx.c tx.c the rings
 *                       │     └── rings, frames ┘    │
 *   wire_tap.c / wire_cable.c / wire_seqpacket.c ────┘   frames to and from the wire
 *   control.c: the operator's side          violations.c: rules the driver broke
 *     └── rogue.c: bus accesses by order of the operator, past the driver
 *
 * One thread, one epoll loop (loop.c). Nothing here blocks and nothing here
 * trusts the client: every register value, descriptor and IOVA is a claim to be
 * checked. All state is in `struct nic`, so a test builds one without sockets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"
#include "ixgbe/tables/desc.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"

#define NIC_BAR0_BYTES 0x80000u
#define NIC_VECTORS    64u                          /* MSI-X vectors (section 7.3.1) */
#define NIC_QUEUES     128u                         /* of each direction */
#define NIC_FRAME_MAX  (IXGBE_FRAME_MAX_BYTES + 8u) /* two VLAN tags; FCS included */

struct frame;
struct nic;

/* What the far end of the cable does for the NIC, handed to phy_connect() by wire.c. */
struct connector {
	/* Hands up to `budget` frames to rx_frame(). True: the budget ended before the frames did.
	 */
	bool (*poll)(struct nic *nic, uint32_t budget);
	/* 0; -EAGAIN: not now, and the loop wakes when it can be tried again; 1: lost on the wire,
	 * and counted. What the frame points to stays as it is until flush(). */
	int (*send)(struct nic *nic, const struct frame *frame);
	void (*flush)(struct nic *nic);
	void (*turn_end)(struct nic *nic); /* flush, and whatever is done once for many frames */
	void (*carrier)(struct nic *nic, bool up); /* this end's laser is on, the cable plugged */
};

struct nic {
	uint32_t reg[NIC_BAR0_BYTES / 4]; /* BAR 0 as stored; side effects are hooks */
	uint8_t mac[6];                   /* factory address, as in the EEPROM */
	bool cable;                       /* plugged in by the operator */
	bool light;                       /* sent by the far end of the wire */

	struct loop *loop;
	struct regfile *regfile;
	struct dma *dma;
	struct irq *irq;
	struct eeprom *eeprom;
	struct spi *spi;
	struct sfp *sfp;
	struct link *link;
	struct datapath *datapath;
	const struct connector *connector; /* NULL: no wire */
	struct wire *wire;
	struct violations *violations;
	struct capture *capture; /* --pcap; NULL: none */
	uint64_t reset_at_ns;    /* the last CTRL.RST or link reset; 0: none since power-on */
};

int nic_new(const uint8_t mac[6], struct nic **out); /* all parts but loop, wire, capture */
void nic_free(struct nic *nic);

/* Each part makes its own state (nic->dma by dma_new, and so on): 0 or -errno. nic_new calls all
 * of them, then nic_reset(NIC_RESET_POWER); nic_free takes them apart, also a half-built nic. */
int violations_new(struct nic *nic);
int irq_new(struct nic *nic);
int eeprom_new(struct nic *nic);
int spi_new(struct nic *nic);
int sfp_new(struct nic *nic);
int link_new(struct nic *nic);
int dma_new(struct nic *nic);
int datapath_new(struct nic *nic);
void violations_free(struct nic *nic);
void irq_free(struct nic *nic);
void eeprom_free(struct nic *nic);
void spi_free(struct nic *nic);
void sfp_free(struct nic *nic);
void link_free(struct nic *nic);
void dma_free(struct nic *nic);
void datapath_free(struct nic *nic);

enum nic_reset { NIC_RESET_POWER, NIC_RESET_FLR, NIC_RESET_CTRL_RST, NIC_RESET_LINK };
/* The registers and state that each kind of reset touches (section 4.2). */
void nic_reset(struct nic *nic, enum nic_reset kind);

/* ---- log.c: standard error, one line each ---- */

enum nic_log_level { NIC_LOG_ERROR, NIC_LOG_WARNING, NIC_LOG_INFO, NIC_LOG_DEBUG };
void nic_log_level_set(enum nic_log_level level); /* what is shown; NIC_LOG_INFO at start */
/* Words of others may have ends of lines and a terminal's commands: they become "?". */
void nic_log_printable(char *text);
void nic_log(enum nic_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- regfile.c ---- */

static inline uint32_t reg(const struct nic *nic, uint32_t offset)
{
	return nic->reg[offset / 4];
}

static inline void reg_set(struct nic *nic, uint32_t offset, uint32_t value)
{
	nic->reg[offset / 4] = value;
}

/* An access by the driver, with access class, side effects, trace and rules. */
uint32_t regfile_read(struct nic *nic, uint32_t offset);
void regfile_write(struct nic *nic, uint32_t offset, uint32_t value);
/* All registers back to their reset values, but for those that live through this kind. */
void regfile_reset(struct nic *nic, enum nic_reset kind);

/* What an access does besides loading and storing. `index` is that of the register in its row.
 * read: called before the load, may update the stored value; what is returned is
 * what the driver sees. write: called after the access class was applied; `old` is
 * the stored value before. Either may be NULL. */
struct reg_hook {
	uint32_t offset; /* of index 0: IXGBE_<NAME> */
	uint32_t (*read)(struct nic *nic, uint32_t index, uint32_t value);
	void (*write)(struct nic *nic, uint32_t index, uint32_t old, uint32_t written);
};
/* Each part's hooks; ended by a row without functions. */
extern const struct reg_hook eeprom_hooks[], spi_hooks[], sfp_hooks[], link_hooks[], irq_hooks[],
	path_hooks[], rx_hooks[], tx_hooks[], filter_hooks[], fdir_hooks[];
/* The register file with the hooks of `count` parts, in this order. */
int regfile_new(struct nic *nic, const struct reg_hook *const *parts, size_t count);
void regfile_free(struct nic *nic);

/* ---- dma.c: the client's memory ---- */

/* A host pointer to `len` bytes at `iova`, contiguous and with the right to read
 * (and to write, if `write`); NULL if not mapped so, or not contiguous here. Valid until the loop
 * runs again. */
void *dma_at(struct nic *nic, uint64_t iova, size_t len, bool write);
/* Whether the function may master the bus: without, every access fails, and none is a fault of the
 * driver. A kernel takes the right away before it resets a device. */
bool dma_enabled(const struct nic *nic);
/* Copies, over several mappings if need be. 0 or -EFAULT, counted. */
int dma_read(struct nic *nic, uint64_t iova, void *to, size_t len);
int dma_write(struct nic *nic, uint64_t iova, const void *from, size_t len);
/* A read of the data path found no memory: the bus answers it with Unsupported Request. */
void dma_refused(struct nic *nic);

/* ---- irq.c ---- */

/* Sets causes in EICR and fires what they are mapped to, if unmasked and as EITR allows. */
void irq_raise(struct nic *nic, uint32_t eicr_bits);
void irq_raise_rx(struct nic *nic, uint32_t queue); /* by IVAR */
void irq_raise_tx(struct nic *nic, uint32_t queue);
/* Called by irq.c to deliver an MSI-X message; server.c sets it (an eventfd write). */
typedef void (*irq_deliver_fn)(void *ctx, uint32_t vector);
void irq_deliver_set(struct nic *nic, irq_deliver_fn deliver, void *ctx);
/* Sets causes in PICAUSE; those that PIENA lets through raise EICR's (sections 8.2.3.4.14, 15). */
void irq_pci_exception(struct nic *nic, uint32_t picause_bits);
void irq_reset(struct nic *nic); /* state beside the registers: pending causes, throttles */

/* ---- eeprom.c, sfp.c ---- */

#define EEPROM_WORDS 1024u
uint16_t eeprom_word(const struct nic *nic, uint32_t address);           /* 0xffff beyond the end */
void eeprom_word_set(struct nic *nic, uint32_t address, uint16_t value); /* nothing beyond */
void eeprom_load(struct nic *nic); /* the automatic read after a reset: registers of the image */
void sfp_reset(struct nic *nic);
bool sfp_laser(const struct nic *nic); /* the module's own TX_DISABLE is clear */

/* ---- loop.c ---- */

typedef void (*loop_fn)(void *ctx, uint32_t epoll_events);
int loop_new(struct loop **out);
void loop_free(struct loop *loop);
int loop_add(struct loop *loop, int fd, uint32_t epoll_events, loop_fn fn, void *ctx);
int loop_modify(struct loop *loop, int fd, uint32_t epoll_events);
void loop_remove(struct loop *loop, int fd);
/* Called once per turn, after the events, until it returns false (then the loop may
 * sleep): the data path does a bounded piece of work per call. */
void loop_work_set(struct loop *loop, bool (*work)(void *ctx), void *ctx);
/* A one-shot deadline per `slot`, for EITR, the link and so on: monotonic nanoseconds; 0: none. */
enum loop_timer {
	LOOP_TIMER_ITR,
	LOOP_TIMER_LINK,
	LOOP_TIMER_TCP,
	LOOP_TIMER_CLIENT,
	LOOP_TIMER_WIRE,
	LOOP_TIMER_ASK,
	LOOP_TIMERS
};
void loop_timer_set(struct loop *loop, enum loop_timer timer, uint64_t at_ns, loop_fn fn,
		    void *ctx);
uint64_t loop_now_ns(void);
int loop_run(struct loop *loop); /* until loop_stop; 0 or -errno */
/* One turn, which sleeps at most `timeout_ns` (< 0: until something happens). */
int loop_turn(struct loop *loop, int64_t timeout_ns);
void loop_stop(struct loop *loop);

/* ---- datapath: rx.c, tx.c ---- */

/* A frame on the wire, without FCS: `head` has all headers, `body` (or NULL) follows it, so that
 * frames cut from a bigger one share its payload. */
struct frame {
	const uint8_t *head;
	const uint8_t *body;
	uint32_t head_len;
	uint32_t body_len;
	uint32_t checked; /* offset of a TCP or UDP header whose checksum is known to be right */
	bool looped;      /* HLREG0.LPBK: it never was on the wire */
};

#define FRAME_CHECKED_ANY UINT32_MAX /* `checked`: wherever it is */

void rx_frame(struct nic *nic, const struct frame *frame);
/* Whether a frame would find room: a wire that can wait, waits. */
bool rx_ready(const struct nic *nic);
/* One bounded turn of all transmit queues and of the wire; true: there is more. */
bool datapath_work(struct nic *nic);
void datapath_reset(struct nic *nic); /* state beside the registers */

/* Everything counted that is not a register: frames and bytes of the wire, and each named drop. */
typedef void (*counter_fn)(void *ctx, const char *name, uint64_t value);
void datapath_counters(const struct nic *nic, counter_fn fn, void *ctx);

/* ---- wire*.c, pcap.c ---- */

/* `spec` is tap:NAME, cable:PATH or seqpacket:PATH; `netns` (or NULL) is where the TAP is made.
 * Sets nic->wire and adds itself to nic->loop. */
int wire_new(struct nic *nic, const char *spec, const char *netns, struct ixgbe_why *why);
void wire_free(struct nic *nic);
int capture_new(struct nic *nic, const char *path, struct ixgbe_why *why); /* --pcap */
void capture_free(struct nic *nic);

/* ---- link.c ---- */

/* The wire says whether light arrives from the far end (a cable with nobody there: none). */
void link_light_set(struct nic *nic, bool light);
/* Light arrives here: the cable is plugged, too. */
static inline bool link_light(const struct nic *nic)
{
	return nic->cable && nic->light;
}
bool link_laser(const struct nic *nic); /* this end's laser is on */
/* A wire is there, and hears at once whether this end's laser is on; NULL: it is gone. */
void phy_connect(struct nic *nic, const struct connector *connector);
bool link_is_up(const struct nic *nic);
void link_reset(struct nic *nic, enum nic_reset kind);
/* The operator plugs or pulls the cable (--link, control). */
void link_cable_set(struct nic *nic, bool plugged);

/* ---- stats: rx.c, tx.c ---- */

/* Adds to a statistics register; it sticks at its maximum (section 8.2.3.23). The 64-bit octet
 * counters are a low and a high register. */
void stat_add(struct nic *nic, uint32_t offset, uint32_t amount);
void stat_add64(struct nic *nic, uint32_t low, uint32_t high, uint64_t amount);

/* ---- violations.c ---- */

/* A rule of the datasheet that the driver broke: R(name, "section", "what is wrong"). */
#define NIC_VIOLATIONS(R)                                                                          \
	R(UNKNOWN_REGISTER, "8.2", "access to an offset with no register")                         \
	R(READ_ONLY_WRITE, "8.2", "write that would change a read-only register")                  \
	R(RESERVED_BITS, "8.2", "reserved bit set")                                                \
	R(UNALIGNED_ACCESS, "8.1", "register access not of 32 aligned bits")                       \
	R(RESET_NOT_WAITED, "4.2.1.6", "register access before the reset was over")                \
	R(RESET_WITH_DMA, "4.2.1.6", "CTRL.RST without master disable")                            \
	R(EIMC_RESERVED, "8.2.3.5.4", "EIMC bit 31 set")                                           \
	R(FCTRL_WITH_RXEN, "8.2.3.7.1", "FCTRL changed while RXCTRL.RXEN is set")                  \
	R(RXEN_WITHOUT_SECRX, "4.6.7", "RXEN set without the SECRXCTRL.RX_DIS handshake")          \
	R(RDRXCTL_RSC, "8.2.3.8.8",                                                                \
	  "RDRXCTL.RSCFRSTSIZE not 0, or RSCACKC or FCOE_WRFIX clear, with RXEN")                  \
	R(FDIR_MEMORY, "7.1.2.7.4", "RXPBSIZE leaves the flow director's filters no room")         \
	R(DTXMXSZRQ_BITS, "8.2.3.9.12", "DTXMXSZRQ over its field")                                \
	R(RX_RING_BASE, "8.2.3.8.1", "receive ring base not 128-byte aligned")                     \
	R(RX_RING_LENGTH, "8.2.3.8.3",                                                             \
	  "receive ring length 0, over the limit or not a multiple of 128")                        \
	R(RX_RING_LIVE, "4.6.7.1", "receive ring changed while the queue is enabled")              \
	R(RX_TAIL_EARLY, "4.6.7.1", "RDT written before RXDCTL.ENABLE read back set")              \
	R(RX_TAIL_RANGE, "7.1.9", "RDT outside the ring")                                          \
	R(RX_BUFFER_SIZE, "8.2.3.8.7", "SRRCTL.BSIZEPACKET 0 or over 16 KiB")                      \
	R(RX_RSC_SETUP, "7.11.1",                                                                  \
	  "coalescing with legacy descriptors, buffers under 2 KiB, or over 65535 bytes of them")  \
	R(RX_DESC_DD, "7.1.6.1", "receive descriptor handed over with DD or a reserved bit set")   \
	R(TX_RING_BASE, "8.2.3.9.5", "transmit ring base not 128-byte aligned")                    \
	R(TX_RING_LENGTH, "8.2.3.9.7",                                                             \
	  "transmit ring length 0, over the limit or not a multiple of 128")                       \
	R(TX_RING_LIVE, "4.6.8.1", "transmit ring changed while the queue is enabled")             \
	R(TX_TAIL_EARLY, "4.6.8.1", "TDT written before TXDCTL.ENABLE read back set")              \
	R(TX_TAIL_RANGE, "7.2.3.3", "TDT outside the ring")                                        \
	R(TX_WITHOUT_TE, "4.6.8", "transmit queue enabled without DMATXCTL.TE")                    \
	R(TX_WTHRESH, "8.2.3.9.10",                                                                \
	  "RS with WTHRESH and head write-back, or RS outside the last descriptor")                \
	R(TX_DESC_LENGTH, "7.2.3.2.4", "data descriptor of 0 or over 16 KiB")                      \
	R(TX_DESC_TYPE, "7.2.3.2", "unknown descriptor type, or reserved bits set")                \
	R(TX_PAYLEN, "7.2.3.2.4", "PAYLEN does not agree with the data")                           \
	R(TX_FRAME_LENGTH, "7.2.1.1", "frame shorter than 17 bytes or longer than MAXFRS allows")  \
	R(TX_FRAME_DESCS, "7.2.1.1", "frame of more than 40 descriptors")                          \
	R(TX_CONTEXT, "7.2.3.2.3", "context missing, or its lengths do not fit the frame")         \
	R(TX_TSO_HEADER, "7.2.4", "TSO header not as the section asks (length, checksum, flags)")  \
	R(DMA_FAULT, "4.2", "DMA outside the memory that was mapped")                              \
	R(EERD_BUSY, "8.2.3.2.2", "EERD written while a read is under way")                        \
	R(SEMAPHORE, "10.5.4", "SW_FW_SYNC or I2C used without the semaphore")

enum nic_violation {
#define R(name, section, text) VIOLATION_##name,
	NIC_VIOLATIONS(R)
#undef R
		VIOLATIONS
};
/* Counts, and logs the first few of each kind with the details. */
void violation(struct nic *nic, enum nic_violation rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
uint64_t violation_count(const struct nic *nic, enum nic_violation rule);
uint64_t violation_total(const struct nic *nic);

/* What control.c shows of a rule. `first`: the details of its first cases, NULL after the last. */
#define NIC_VIOLATION_FIRST 4u
struct violation_info {
	const char *name, *section, *text;
	uint64_t count;
	const char *first[NIC_VIOLATION_FIRST + 1];
};
struct violation_info violation_info(const struct nic *nic, enum nic_violation rule);
