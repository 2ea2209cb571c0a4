/* SPDX-License-Identifier: MIT */
/*
 * libixgbe: a driver for the Intel 82599 10-gigabit NIC, in user space.
 *
 * One `struct ixgbe` is one port. It is reached through a backend: the kernel's
 * VFIO, or a vfio-user server. The library has no sockets and no interfaces for
 * the frames; they are the caller's. It never prints and never exits.
 *
 *     ixgbe_open ─ ixgbe_pool_new ─ ixgbe_start ─ rx/tx bursts ─ ixgbe_stop ─ ixgbe_close
 *
 * Frames. A frame is one or more segments; a segment is a piece of one DMA
 * buffer. The driver hands out received frames whole (all segments of a frame in
 * one burst) and takes frames whole. A buffer has one owner at a time: the pool,
 * the NIC (while in a ring) or the caller. Received buffers belong to the caller
 * until it frees or transmits them; transmitted buffers return to their own pool
 * when the NIC has sent them.
 *
 * Threads. Each queue pair and each pool belongs to one thread at a time. The
 * functions that take `struct ixgbe *` belong to one control thread, except
 * ixgbe_irq_arm() and ixgbe_irq_tx_set(), which the thread of that queue may call at
 * any time. Counters may be read by any thread.
 *
 * Errors. Functions return 0 or a negative errno; outputs stay untouched on
 * failure. -ENODEV: the device is gone (reads all ones).
 * -ETIMEDOUT: the hardware did not answer by its deadline. Functions that users
 * meet at start-up also fill a `struct ixgbe_why`: one line that says what
 * failed, why, and what to do.
 *
 * "Section" means the Intel 82599 10 GbE Controller Datasheet. "Erratum", "specification change"
 * and "clarification" are of its public specification update; ERRATA.md has them all. DEVIATIONS.md
 * has what this library does otherwise than the datasheet says.
 *
 * The library's inside. Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     port.c       the life of a port: open or attach, start or go on, stop, close
 *       |
 *     filters.c    which frames are received: addresses, VLANs, MTU
 *     bus.c        accesses to memory that failed
 *     dump.c       the register dump
 *       |
 *     init.c       reset, the registers written once after it, RXEN
 *       |
 *     rings.c      the registers of queues
 *     rss.c        which queue a received frame goes to
 *     irq.c        MSI-X: a vector per queue pair, one for the rest
 *       |
 *     link.c       the link, and a module that was changed
 *     stats.c      counters by name: the NIC's, and those that queues/ counts
 *       |
 *     sfp.c        the module in the cage, over I2C
 *       |
 *     eeprom.c     the EEPROM's words and checksum
 *       |
 *     semaphore.c  locks shared with firmware and the other port
 *       |
 *     wait.c       waiting for a register, the clock, the log
 *       |
 *     device/      what is driven, and what of it outlives a driver
 *       |
 *     queues/      the way of a frame: rings, buffers, DMA memory
 *     backends/    the device: the kernel's VFIO, vfio-user
 *       |
 *     tables/      registers, fields, descriptors; shared with the software NIC
 *     vfio_user/   the protocol's messages; shared with the software NIC
 *     why.c        the reason of a failure, in words
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IXGBE_API __attribute__((visibility("default")))

#define IXGBE_QUEUES_MAX 16u /* queue pairs the driver uses: RSS reaches 16 */
#define IXGBE_MAC_BYTES  6u
#define IXGBE_MTU_MIN    68u   /* RFC 791: what every IPv4 host takes */
#define IXGBE_MTU_MAX    9710u /* 9728, the longest frame, less Ethernet header and FCS */

/* An address as the NIC sees it. Never a pointer. */
typedef uint64_t ixgbe_iova;

struct ixgbe;
struct ixgbe_pool;
struct ixgbe_rxq;
struct ixgbe_txq;

struct ixgbe_why {
	char text[320];
};

/* Fills `why`, which may be NULL, and returns `error`. Callers explain failures of their own with
 * it too. */
IXGBE_API int ixgbe_why_fill(struct ixgbe_why *why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Formats a line for people. One that is too long for `size` bytes, of which there are 16 at least,
 * is cut in the middle. */
IXGBE_API void ixgbe_text_fit(char *text, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

enum ixgbe_log_level { IXGBE_LOG_ERROR, IXGBE_LOG_WARNING, IXGBE_LOG_INFO, IXGBE_LOG_DEBUG };
typedef void (*ixgbe_log_fn)(void *ctx, enum ixgbe_log_level level, const char *message);

/* ---- A port's life ---- */

struct ixgbe_options {
	uint16_t queues;    /* queue pairs, 1..IXGBE_QUEUES_MAX; 0: 1 */
	uint16_t rx_ring;   /* descriptors, 64..8192, multiple of 8; 0: 512 */
	uint16_t tx_ring;   /* the same */
	uint16_t mtu;       /* IXGBE_MTU_MIN..IXGBE_MTU_MAX; 0: 1500 */
	uint16_t itr_us;    /* least time between interrupts of a vector; 0: none */
	bool rx_vlan_strip; /* take the tag out of the frame into the segment */
	bool plain_loops;   /* as on a processor without AVX2: for comparisons */
	ixgbe_log_fn log;   /* may be NULL */
	void *log_ctx;
	/*
	 * Each wait for the device has a limit, but many waits add up. Whatever waits asks this
	 * function, on any thread, whether to go on. True: the wait is over (-ECANCELED), and a
	 * device over vfio-user is gone from then on. May be NULL.
	 */
	bool (*give_up)(void *ctx);
	void *give_up_ctx;
};

/*
 * Opens `nic`, takes the device over and resets it (sections 4.2.1.6, 4.6.3);
 * the transmitter and receiver are off afterwards.
 *
 *     vfio:DDDD:BB:DD.F   the kernel's VFIO (the device is bound to vfio-pci); without DDDD:,
 *                         domain 0
 *     vfio-user:PATH      a vfio-user server's socket
 *     vfio-user-fd:N      the same, over the connected socket N, which passes
 *                         to the library
 *
 * Errors: -EINVAL (name or options), -ENODEV (not there, or not an 82599),
 * -EACCES and -EPERM (no permission), -ENOMEM (memlock), -EPROTO (server
 * speaks nonsense), -ETIMEDOUT, -ECANCELED (options.give_up). `why` is filled on every failure.
 */
IXGBE_API int ixgbe_open(const char *nic, const struct ixgbe_options *options, struct ixgbe **out,
			 struct ixgbe_why *why);

#define IXGBE_PCI_ADDRESS_BYTES 13u /* DDDD:BB:DD.F and the 0 */
/* The PCI address that `text` means, DDDD:BB:DD.F or BB:DD.F in any case: in the long form and in
 * small letters. -EINVAL, with `why` filled, which may be NULL: it means none. */
IXGBE_API int ixgbe_pci_address(const char *text, char out[IXGBE_PCI_ADDRESS_BYTES],
				struct ixgbe_why *why);

/* ---- A device that outlives its drivers ---- */

/*
 * A driver may die at any instruction and be followed by another, which goes on with the same rings
 * on a running NIC. What must outlive them is a device, which a keeper opens. A driver is another
 * process: forked from the keeper, or another program that imports the device, or forked from that.
 * Drivers follow one after the other: a successor attaches when its predecessor is dead, not
 * before.
 *
 *     keeper                                         driver
 *     ---------------------------------------------  ------------------------------------------
 *     ixgbe_device_open
 *     ixgbe_device_bus_master_set (on)
 *     fork, or                                       or
 *     ixgbe_device_export, ixgbe_device_channel   ─► ixgbe_device_import, ixgbe_device_channel_set
 *     ixgbe_device_serve, whenever asked             ixgbe_attach ─ ixgbe_pool_new ─ ixgbe_start ─
 *                                                    bursts ─ dies
 *     ixgbe_device_renew
 *     the next driver                                the same
 *
 * State memory, which the NIC cannot reach, says what a driver has done. If it adds up, ixgbe_start
 * goes on where the predecessor was: link, settings and statistics stay, frames that came meanwhile
 * are in the ring. Else the driver finds a NIC that was reset.
 *
 * Received frames of a burst count as handled when the next burst is asked for. Those that a
 * predecessor had taken are taken again (ixgbe_resumed), and so is no frame lost. Frames that were
 * given to ixgbe_tx_burst are sent once if it returned, and once or never if it did not.
 *
 * The driver has the NIC's registers, DMA memory, state memory and eventfds, and nothing else of
 * the device: configuration space, bus mastering, the reset of the function, DMA mappings and the
 * connection to a vfio-user server are the keeper's. The keeper touches one register, before it
 * resets the function: it takes back a dead driver's word that it is there.
 */
struct ixgbe_device;

struct ixgbe_pool_plan {
	uint32_t count, size, headroom; /* as for ixgbe_pool_new */
};
#define IXGBE_DEVICE_POOLS_MAX 64u

/* As ixgbe_open, but the device is only quiet: its function was reset, and it is no bus master.
 * Makes the DMA memory of the rings and of `pools` pools; each driver makes just these, in this
 * order. */
IXGBE_API int ixgbe_device_open(const char *nic, const struct ixgbe_options *options,
				const struct ixgbe_pool_plan *pool, uint32_t pools,
				struct ixgbe_device **out, struct ixgbe_why *why);
/* Whether the device may do DMA. On before the first driver runs: no ring is enabled then. */
IXGBE_API int ixgbe_device_bus_master_set(struct ixgbe_device *device, bool on);
/*
 * Between the death of a driver and the next: takes bus mastering away, resets the function, and
 * connects the interrupts again. ixgbe_device_renew follows. State memory is zeroed, so the next
 * driver begins anew, statistics too; bus mastering stays off. DMA memory stays as it is, and
 * mapped. May take 100 ms and more, with a device that hangs a minute, and may be called by a
 * thread of its own while nobody else uses the device. On failure the device is to be closed.
 */
IXGBE_API int ixgbe_device_reset(struct ixgbe_device *device, struct ixgbe_why *why);
/*
 * After a reset, behind a driver that may have punched holes into DMA memory, which part device and
 * processors for good: other memory at the same addresses. Images of before are void, and programs
 * that had them have ended. -EBUSY: the device is bus master. -EPERM: Linux 6.1 does not let a
 * program undo maps that another one has made (ixgbe_device_take_over). On failure the device is to
 * be closed.
 */
IXGBE_API int ixgbe_device_memory_replace(struct ixgbe_device *device, struct ixgbe_why *why);
/* IXGBE_BUS_REFUSED, IXGBE_BUS_MASTER_OFF, or -errno, as ixgbe_bus_errors has them, which tells a
 * driver the rest. */
IXGBE_API int ixgbe_device_bus_errors(struct ixgbe_device *device);
/*
 * Eventfds that the kernel's VFIO signals: `release`, somebody waits for the device (the driver is
 * unbound, the device removed), and does so without end until it is closed; `error`, the bus has
 * reported an error that is not corrected. They stay the caller's, and take the place of those of
 * before. -ENOTSUP: a vfio-user server's, whose connection ends then; other -errno: the kernel's.
 */
IXGBE_API int ixgbe_device_alarms(struct ixgbe_device *device, int release, int error);
/* Descriptors that are readable when there is something to serve; -1: none. The connection is the
 * same for the device's life. The relay changes with ixgbe_device_renew, and is none after a reset,
 * and after ixgbe_device_serve returned -EPROTO. */
IXGBE_API int ixgbe_device_connection(const struct ixgbe_device *device);
IXGBE_API int ixgbe_device_relay(const struct ixgbe_device *device);
/*
 * Answers what a vfio-user server asked (accesses to DMA memory), and carries out some of the
 * register accesses that a driver relays: with a server that has no channel for registers the
 * keeper is that channel. Waits for the server, never for the driver. -EPROTO: the driver broke the
 * rules of the relay, and reaches no register any more; -ENODEV: the device is gone.
 */
IXGBE_API int ixgbe_device_serve(struct ixgbe_device *device);
/* Between the death of a driver and the start of the next, which gets a fresh channel: the former
 * one may have died in the middle of an access. What it had written whole is carried out. -errno:
 * the device is gone, and is to be closed. */
IXGBE_API int ixgbe_device_renew(struct ixgbe_device *device);
/* The driver's end of the channel to registers, which stays the device's; -1: they are mapped, and
 * no channel is needed. A driver that is forked from the keeper has it without this. */
IXGBE_API int ixgbe_device_channel(const struct ixgbe_device *device);
/* Takes NULL. The drivers are dead. */
IXGBE_API void ixgbe_device_close(struct ixgbe_device *device);

/* A device for another program on this machine: a record without pointers, and descriptors that
 * stay the device's, to be passed in this order. Holds until the device is closed. */
#define IXGBE_IMAGE_FDS_MAX 120u
struct ixgbe_device_image {
	void *record;
	size_t bytes;
	int fd[IXGBE_IMAGE_FDS_MAX];
	uint32_t fds;
};
/* -ENOMEM. */
IXGBE_API int ixgbe_device_export(const struct ixgbe_device *device, struct ixgbe_device_image *out,
				  struct ixgbe_why *why);
/* Frees the record. */
IXGBE_API void ixgbe_device_image_free(struct ixgbe_device_image *image);

/*
 * A keeper may execute another program, which keeps the device from then on, while a driver drives:
 *
 *     keeper                                         the program that it executes
 *     ---------------------------------------------  ------------------------------------------
 *     ixgbe_device_hand_over
 *     descriptors open over an exec, exec         ─► ixgbe_device_take_over
 *                                                    serve, renew and all else of a keeper
 *
 * For the program that this process executes next: a record and descriptors, which stay the
 * device's. Serves what the server has asked so far. Nobody but a driver uses the device until the
 * exec; if there is none after all, the device goes on as before, and is handed over anew another
 * time. -EAGAIN: the server is in the middle of a message; -ENODEV; -ENOTSUP: an imported device;
 * -ENOMEM. `why` is filled on every failure.
 */
IXGBE_API int ixgbe_device_hand_over(struct ixgbe_device *device, struct ixgbe_device_image *out,
				     struct ixgbe_why *why);
/* Whether ixgbe_device_take_over understands a record of `bytes` bytes that comes with `fds`
 * descriptors; touches nothing. -EBADMSG. */
IXGBE_API int ixgbe_device_record_check(const void *record, size_t bytes, uint32_t fds,
					struct ixgbe_why *why);
/*
 * The device in that program, for whatever a keeper does with it. A driver that is there keeps its
 * channel or relay until ixgbe_device_renew. On success the descriptors pass to the device, and are
 * closed at an exec from then on; on failure they stay the caller's, and the device is as it was.
 * Of `callbacks`, which may be NULL, log and give_up are used. Errors as of ixgbe_device_import,
 * and the kernel's. `why` is filled on every failure.
 */
IXGBE_API int ixgbe_device_take_over(const void *record, size_t bytes, const int *fd, uint32_t fds,
				     const struct ixgbe_options *callbacks,
				     struct ixgbe_device **out, struct ixgbe_why *why);

/*
 * A keeper may also be killed while another process holds its descriptors, and the last record, for
 * the next keeper. That one takes the device over by that record. It has to know what the former
 * one was at: the journal, in memory that outlives the process, says so at each instruction.
 */
struct ixgbe_journal {
	uint32_t used;
	uint32_t next;    /* number of the next message to the device's server */
	uint32_t asked;   /* that of the command whose reply is owed, and 1 << 16; 0: none is */
	uint32_t within;  /* something was taken from the server, and is not handled yet */
	uint32_t serves;  /* the server asks for memory, so that may be more than a reply */
	uint32_t relayed; /* the same, from a driver */
};
/*
 * The device's keeper writes there from now on. Zeroes are a new journal. One that is in use is
 * that of the keeper before this one, whose device was just taken over. -EBADMSG: that one has died
 * within a message that may have been more than a reply to itself, or the server is out of step;
 * the device is of no use but to be closed, and `why` is filled.
 */
IXGBE_API int ixgbe_device_journal(struct ixgbe_device *device, struct ixgbe_journal *journal,
				   struct ixgbe_why *why);

/*
 * The device in another program, for ixgbe_attach and ixgbe_device_close, which only lets go of it.
 * The descriptors pass to the device, also on failure; it closes all but the eventfds. Memory is
 * mapped at the addresses that the keeper has. Of `callbacks`, which may be NULL, log and give_up
 * are used. -EBADMSG: a record of another version, or one that does not add up; -EEXIST: an address
 * is in use; -ENOMEM. `why` is filled on every failure.
 */
IXGBE_API int ixgbe_device_import(const void *record, size_t bytes, const int *fd, uint32_t fds,
				  const struct ixgbe_options *callbacks, struct ixgbe_device **out,
				  struct ixgbe_why *why);
/* In a driver, before ixgbe_attach: the channel that the keeper passed to it. `fd` passes to the
 * device, also on failure. -EALREADY: it has one. */
IXGBE_API int ixgbe_device_channel_set(struct ixgbe_device *device, int fd);

/* In a driver: the port, as from ixgbe_open. Where it can be gone on with, nothing is written to
 * the device before ixgbe_start, and ixgbe_start fails with -EBADMSG if the rings' records do not
 * add up: the next driver begins with a reset. -ETIMEDOUT also means that only the keeper's reset
 * can help; -ENOTCONN: there is no channel to the registers. Such a port is not closed: the process
 * ends. */
IXGBE_API int ixgbe_attach(struct ixgbe_device *device, struct ixgbe **out, struct ixgbe_why *why);

struct ixgbe_resumed {
	bool resumed;
	uint32_t rx_repeated;  /* descriptors whose frames the predecessor may have handled */
	uint32_t tx_forgotten; /* descriptors that it had written and not handed over */
};
/* How the port was started. */
IXGBE_API void ixgbe_resumed(const struct ixgbe *nic, struct ixgbe_resumed *out);

/* Stops, resets the device and releases everything. Takes NULL. All pools of the
 * port must have been freed. */
IXGBE_API void ixgbe_close(struct ixgbe *nic);

/*
 * Sets up all rings (receive queue n is filled from rx_pool[n]) and enables transmitter, receiver
 * and the vector of other causes (sections 4.6.7, 4.6.8). The link is not touched: see
 * ixgbe_link_set_admin. A pool that feeds a receive queue must hold more buffers than its ring.
 */
IXGBE_API int ixgbe_start(struct ixgbe *nic, struct ixgbe_pool *const rx_pool[],
			  struct ixgbe_why *why);

/* Ends DMA in the order of sections 4.5.9, 4.6.7.1.2 and 4.6.8.1.2, gives every buffer in a ring
 * back to its pool, and resets the device. The queues' threads have left the queues before. A link
 * that was up goes down and comes up again. */
IXGBE_API int ixgbe_stop(struct ixgbe *nic);

/* ---- Link ---- */

struct ixgbe_link {
	bool up;
	uint32_t speed_mbps; /* 0 while down */
};

/* Administrative state, down after ixgbe_open. Up sets the link up and does not wait for it; down
 * turns the laser off, or the transmitter of a copper cable. Needs no ixgbe_start, and holds over
 * ixgbe_stop and ixgbe_start. */
IXGBE_API int ixgbe_link_set_admin(struct ixgbe *nic, bool up);
IXGBE_API int ixgbe_link_get(struct ixgbe *nic, struct ixgbe_link *out);
/* Waits until the link is as wanted or the time is over: -ETIMEDOUT. */
IXGBE_API int ixgbe_link_wait(struct ixgbe *nic, bool up, uint32_t timeout_ms);

enum ixgbe_sfp { IXGBE_SFP_NONE, IXGBE_SFP_SR, IXGBE_SFP_LR, IXGBE_SFP_DA, IXGBE_SFP_OTHER };
/* The module in the SFP+ cage (section 3.6, SFF-8472). It is read over I2C at open, and by
 * ixgbe_irq_other_handle after it was changed. */
IXGBE_API enum ixgbe_sfp ixgbe_sfp_type(const struct ixgbe *nic);

enum ixgbe_sfp_sum { IXGBE_SFP_SUM_UNREAD, IXGBE_SFP_SUM_RIGHT, IXGBE_SFP_SUM_WRONG };
/* The checksum of what the module says of itself. ixgbe_sfp_sum_check reads that, once for each
 * module, which takes some 60 ms: so it is for a caller whose frames flow. -ETIMEDOUT, -ENODEV. */
IXGBE_API int ixgbe_sfp_sum_check(struct ixgbe *nic);
IXGBE_API enum ixgbe_sfp_sum ixgbe_sfp_sum(const struct ixgbe *nic);

/* ---- Addresses and filters ---- */

IXGBE_API void ixgbe_mac_get(const struct ixgbe *nic, uint8_t mac[IXGBE_MAC_BYTES]);
/* The factory address, from the EEPROM. */
IXGBE_API void ixgbe_mac_permanent(const struct ixgbe *nic, uint8_t mac[IXGBE_MAC_BYTES]);
/* -EADDRNOTAVAIL: a multicast or zero address. */
IXGBE_API int ixgbe_mac_set(struct ixgbe *nic, const uint8_t mac[IXGBE_MAC_BYTES]);
IXGBE_API int ixgbe_promiscuous_set(struct ixgbe *nic, bool on);
IXGBE_API int ixgbe_allmulticast_set(struct ixgbe *nic, bool on);
/* Replaces the list of multicast groups (MTA hash, section 7.1.1.2). */
IXGBE_API int ixgbe_multicast_set(struct ixgbe *nic, const uint8_t (*mac)[IXGBE_MAC_BYTES],
				  size_t count);
/* Replaces the list of further unicast addresses (RAR 1..127). An address that both lists have is
 * received without a gap. -ENOSPC: more than IXGBE_UNICAST_MAX; -EADDRNOTAVAIL: a multicast or zero
 * address. Both change nothing. */
#define IXGBE_UNICAST_MAX 127u
IXGBE_API int ixgbe_unicast_set(struct ixgbe *nic, const uint8_t (*mac)[IXGBE_MAC_BYTES],
				size_t count);
/* Off (as after open): every tag passes. On: only the VIDs set in the VFTA. */
IXGBE_API int ixgbe_vlan_filter_set(struct ixgbe *nic, bool on);
IXGBE_API int ixgbe_vlan_set(struct ixgbe *nic, uint16_t vid, bool pass);
/* The port may be running. -EINVAL: below IXGBE_MTU_MIN or above IXGBE_MTU_MAX. */
IXGBE_API int ixgbe_mtu_set(struct ixgbe *nic, uint16_t mtu);

/* ---- Interrupts ---- */

/*
 * Vector q serves queue pair q, the last vector link changes and other causes.
 * Each has an eventfd (blocking, owned by the port). A vector that fired is
 * masked until armed again; arming a vector whose cause is pending fires it.
 */
IXGBE_API int ixgbe_irq_fd(const struct ixgbe *nic, uint16_t queue);
IXGBE_API int ixgbe_irq_arm(struct ixgbe *nic, uint16_t queue);
/* Whether sent frames raise the vector too (off after start): for a caller that waits for room in
 * the transmit ring. */
IXGBE_API int ixgbe_irq_tx_set(struct ixgbe *nic, uint16_t queue, bool on);
IXGBE_API int ixgbe_irq_other_fd(const struct ixgbe *nic);

enum {
	IXGBE_EVENT_LINK = 1u << 0,
	IXGBE_EVENT_SFP = 1u << 1,
	IXGBE_EVENT_FAULT = 1u << 2,
	IXGBE_EVENT_BUS = 1u << 3, /* see ixgbe_bus_errors */
};
/* Reads and re-arms the other causes; a set of IXGBE_EVENT_*, or -errno. Call it after a read of
 * the eventfd, and once a second without one: after an interrupt that was lost no other comes.
 * IXGBE_EVENT_FAULT: an ECC error in the NIC's memory, which ixgbe_stop and ixgbe_start cure. */
IXGBE_API int ixgbe_irq_other_handle(struct ixgbe *nic);

enum {
	IXGBE_BUS_REFUSED = 1u << 0,
	IXGBE_BUS_TIMEOUT = 1u << 1,
	IXGBE_BUS_MASTER_OFF = 1u << 2,
};
/*
 * Accesses to memory that the NIC tried in vain since the last call: a set of IXGBE_BUS_*, or
 * -errno. REFUSED: an IOMMU kept the NIC from memory that is not ours. TIMEOUT: a read had no
 * answer. The driver asks for no such access: the NIC is broken, or somebody else drives it too. A
 * write that an IOMMU drops leaves no trace in the NIC, and over the kernel's VFIO a second refusal
 * shows only after a reset (device/pci.c says why). MASTER_OFF: somebody took the right to master
 * the bus from the NIC, which ixgbe_stop and ixgbe_start give back. A driver of a kept device is
 * told of TIMEOUT alone: its keeper has ixgbe_device_bus_errors. Cheap enough for once a second,
 * not for once a frame.
 */
IXGBE_API int ixgbe_bus_errors(struct ixgbe *nic);

/* ---- Buffers ---- */

/* A DMA buffer as the library knows it. This record is in ordinary memory, which the device
 * cannot reach. */
struct ixgbe_buf {
	uint8_t *data;   /* first byte of the buffer */
	ixgbe_iova iova; /* of the same byte */
	struct ixgbe_pool *pool;
	uint32_t size;  /* bytes at data */
	uint32_t index; /* in the pool, 0..count-1 */
};

/*
 * `count` DMA buffers of `size` bytes, each on a 64-byte boundary. `headroom` bytes
 * at the start are left free by the receiver; it is a multiple of 64. For a pool that feeds a
 * receive ring size - headroom is at least 2,048. Errors: -EINVAL, -ENOMEM, and those of the
 * backend's map.
 */
IXGBE_API int ixgbe_pool_new(struct ixgbe *nic, uint32_t count, uint32_t size, uint32_t headroom,
			     struct ixgbe_pool **out);
/* All buffers must be back. Takes NULL. */
IXGBE_API void ixgbe_pool_free(struct ixgbe_pool *pool);
/* NULL: none left. */
IXGBE_API struct ixgbe_buf *ixgbe_buf_get(struct ixgbe_pool *pool);
IXGBE_API void ixgbe_buf_put(struct ixgbe_buf *buf);
IXGBE_API struct ixgbe_buf *ixgbe_pool_at(struct ixgbe_pool *pool, uint32_t index);
IXGBE_API uint32_t ixgbe_pool_count(const struct ixgbe_pool *pool);
IXGBE_API uint32_t ixgbe_pool_available(const struct ixgbe_pool *pool);

/* ---- Segments ---- */

/*
 * The flags of a segment. What the NIC found stands in the low half, with the bits of both ways;
 * what it is asked for stands in the high half. ixgbe_tx_burst takes no notice of the IXGBE_RX_*.
 */
enum {
	IXGBE_SEG_EOP = 1u << 1,  /* last segment of its frame */
	IXGBE_SEG_VLAN = 1u << 3, /* vlan is valid: the tag was stripped, or is to be inserted */

	IXGBE_RX_RSS = 1u << 4,  /* rss_hash is valid */
	IXGBE_RX_IPV4 = 1u << 8, /* what the parser saw */
	IXGBE_RX_IPV6 = 1u << 9,
	IXGBE_RX_TCP = 1u << 10,
	IXGBE_RX_UDP = 1u << 11,
	IXGBE_RX_IP_GOOD = 1u << 12, /* IPv4 header checksum verified */
	IXGBE_RX_IP_BAD = 1u << 13,  /* TCP and UDP only: ERRATUM(fragment-ip) */
	IXGBE_RX_L4_GOOD = 1u << 14, /* TCP or UDP checksum verified */
	IXGBE_RX_L4_BAD = 1u << 15,  /* TCP only: the NIC errs about UDP, ERRATUM(udp-zero) */

	IXGBE_TX_IPV4 = 1u << 16, /* exactly one of the two with any offload below */
	IXGBE_TX_IPV6 = 1u << 17,
	IXGBE_TX_IP_CSUM = 1u << 18,  /* fill the IPv4 header checksum (field is 0) */
	IXGBE_TX_TCP_CSUM = 1u << 19, /* fill it; the field holds the pseudo-header sum */
	IXGBE_TX_UDP_CSUM = 1u << 20,
	IXGBE_TX_SCTP_CSUM = 1u << 21,
	IXGBE_TX_TSO = 1u << 22, /* cut into mss (TCP, or UDP with UDP_CSUM); pseudo-header sum
				  * without length, IPv4 total length and checksum 0
				  * (section 7.2.4) */
};

/*
 * A piece of a buffer, received or to be sent. A frame's flags (but EOP), vlan and all behind them
 * stand in its first segment; of a received frame, in its last one too. A received frame can be
 * sent as it is; its mss and lengths of headers mean nothing.
 *
 * The NIC may take an LLC frame for IP (erratum 67 in ERRATA.md). A caller that changes headers by
 * the flags compares the frame's own EtherType first.
 */
struct ixgbe_seg {
	struct ixgbe_buf *buf;
	uint32_t offset; /* of the first byte, from buf->data */
	uint32_t len;    /* bytes, without FCS, >= 1 */
	uint32_t flags;  /* IXGBE_SEG_*, IXGBE_RX_*, IXGBE_TX_* */
	uint16_t vlan;
	uint16_t mss;    /* with TSO, >= 1 */
	uint8_t l2_len;  /* with any offload: 14..127 */
	uint8_t l4_len;  /* with TSO: 8 or 20..60 */
	uint16_t l3_len; /* with any offload: 20..511 */
	uint32_t rss_hash;
};

/* ixgbe_buf_get and ixgbe_buf_put for the buffers of many segments, for less. Fewer than `max`: no
 * more are left. */
IXGBE_API uint32_t ixgbe_bufs_get(struct ixgbe_pool *pool, struct ixgbe_seg *seg, uint32_t max);
IXGBE_API void ixgbe_bufs_put(const struct ixgbe_seg *seg, uint32_t n);

/* ---- Receive ---- */

IXGBE_API struct ixgbe_rxq *ixgbe_rxq(struct ixgbe *nic, uint16_t queue);

/*
 * Takes received frames, at most `max` segments, whole frames only; never waits.
 * Returns the number of segments. Refills the ring from its pool; when the pool
 * is empty the ring shrinks until buffers come back (counted in
 * alloc_rx_buff_failed), and no frame is lost by the driver. Frames the NIC
 * flags as broken, frames of more than `max` segments and descriptors that make no sense are
 * dropped and counted.
 */
IXGBE_API uint32_t ixgbe_rx_burst(struct ixgbe_rxq *rxq, struct ixgbe_seg *seg, uint32_t max);
/* Whether a burst that has room for the longest frame would take or drop something. Not for half a
 * frame, which is no work yet. One load if nothing came, no side effect. */
IXGBE_API bool ixgbe_rx_pending(const struct ixgbe_rxq *rxq);
/* Whether the NIC has written the beginning of a frame and not its end. A NIC that works ends it
 * within microseconds. A frame longer than any, which is dropped, has its end to come, too. */
IXGBE_API bool ixgbe_rx_unfinished(const struct ixgbe_rxq *rxq);
/* Frames that were taken or dropped: as long as this stays the same, it is the same frame that is
 * unfinished. */
IXGBE_API uint64_t ixgbe_rx_ended(const struct ixgbe_rxq *rxq);

/*
 * The watchdog, for the control thread to call once a second. -ETIMEDOUT: the NIC misses frames for
 * want of room in its packet buffer, though all rings have descriptors, and for two seconds none
 * has got a frame; ixgbe_stop and ixgbe_start cure that if anything does. -EBADMSG: the NIC has
 * reported descriptors done that it had not written; so it may have done with sent frames, and only
 * a reset makes its word worth anything again. Reads registers only if no frame came since the last
 * call.
 */
IXGBE_API int ixgbe_rx_watch(struct ixgbe *nic);
/*
 * Bit q: the last ixgbe_rx_watch found that the NIC passes over a descriptor of receive queue q: it
 * is done with later ones, and has been for a second without a frame from that queue. These frames
 * stay in the ring. Told once, until a frame comes.
 */
IXGBE_API uint32_t ixgbe_rx_skipped(const struct ixgbe *nic);

/* ---- Transmit ---- */

IXGBE_API struct ixgbe_txq *ixgbe_txq(struct ixgbe *nic, uint16_t queue);

/*
 * Queues whole frames in order, and writes the tail once. Returns the number of segments taken;
 * those now belong to the ring, the rest stay the caller's. Takes back what the NIC has sent when
 * that may be 32 descriptors or room is short; ixgbe_tx_reclaim does so at any time. A segment may
 * be up to 64 KiB; the driver cuts it into descriptors. *stopped says why the rest was not taken:
 *
 *     0           there is no rest
 *     -EAGAIN     the ring has no room for the frame at seg[returned]
 *     -EINVAL     that frame can never be sent: it has no end, a segment reaches out of its buffer,
 *                 or a field is out of range
 *     -EMSGSIZE   that frame can never be sent: it needs too many descriptors, or has more than
 *                 the MTU behind its Ethernet header and VLAN tags (two at most), whole or cut
 */
IXGBE_API uint32_t ixgbe_tx_burst(struct ixgbe_txq *txq, const struct ixgbe_seg *seg,
				  uint32_t count, int *stopped);
/* Gives sent buffers back to their pools; returns how many. */
IXGBE_API uint32_t ixgbe_tx_reclaim(struct ixgbe_txq *txq);
/* Buffers that are in the ring still. */
IXGBE_API uint32_t ixgbe_tx_in_flight(const struct ixgbe_txq *txq);
/*
 * The watchdog, for the control thread to call once a second. -ETIMEDOUT: the link is up, a queue
 * has had frames in its ring for a second, none of them came back, and the NIC's head stands. The
 * log says which queue, tx_timeout_count counts it, and ixgbe_tx_hung has the queues as a set of
 * bits. A partner that sends pause frames may hold a NIC for longer. The queues' threads must look
 * for sent frames (ixgbe_tx_reclaim, or a burst) within that time. Of a queue with frames in its
 * ring one register is read.
 */
IXGBE_API int ixgbe_tx_watch(struct ixgbe *nic);
IXGBE_API uint32_t ixgbe_tx_hung(const struct ixgbe *nic);
/*
 * Ends a transmit queue and starts it again, the least that may cure one that hangs: the link, the
 * receiver and other queues go on. No thread may use the queue meanwhile. The frames in its ring
 * are not sent; their buffers go back. -EIO: the queue was restarted before, and no frame has come
 * back since. -ETIMEDOUT: the NIC does not end or start the queue. Then ixgbe_stop and ixgbe_start
 * are left.
 */
IXGBE_API int ixgbe_tx_restart(struct ixgbe *nic, uint16_t queue);

/* ---- Statistics ---- */

/*
 * Sums of 64 bits since open, under the names that `ethtool -S` shows for the in-kernel driver.
 *
 * The NIC's counters clear on read and stick at their maximum (section 8.2.3.23). At line rate the
 * counter of bytes is full after 55 s, and those of pause frames sooner. ixgbe_stats_update reads
 * all of them, some forty registers. ixgbe_stats_step reads the next one of 18, for a caller that
 * prefers several short calls a second. -ENODEV: the NIC does not answer.
 */
IXGBE_API int ixgbe_stats_update(struct ixgbe *nic);
IXGBE_API int ixgbe_stats_step(struct ixgbe *nic);
/* How often a register of the NIC's was found at its maximum: what came behind it was not counted.
 */
IXGBE_API uint64_t ixgbe_stats_full(const struct ixgbe *nic);
IXGBE_API size_t ixgbe_stats_count(const struct ixgbe *nic);
/* The name lives as long as the port. */
IXGBE_API const char *ixgbe_stats_name(const struct ixgbe *nic, size_t i);
IXGBE_API uint64_t ixgbe_stats_value(const struct ixgbe *nic, size_t i);

/* ---- Insight ---- */

/* "vfio" or "vfio-user". */
IXGBE_API const char *ixgbe_backend_name(const struct ixgbe *nic);
/* The PCI device ID, 0x10fb for most. */
IXGBE_API uint16_t ixgbe_device_id(const struct ixgbe *nic);
/* Calls `row` for each register that a read does not change. */
IXGBE_API int ixgbe_registers_dump(struct ixgbe *nic,
				   void (*row)(void *ctx, const char *name, uint32_t offset,
					       uint32_t value),
				   void *ctx);

#ifdef __cplusplus
}
#endif
