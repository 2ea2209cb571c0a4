/* SPDX-License-Identifier: MIT */
#pragma once

#include "tools/ixnic/nic.h"

int violations_new(struct nic *nic);
void violations_free(struct nic *nic);

/* The rules of the datasheet that nic->violations counts: R(name, "section", "what is wrong"). */
#define NIC_VIOLATIONS(R)                                                                          \
	R(UNKNOWN_REGISTER, "8.2", "access to an offset with no register")                         \
	R(READ_ONLY_WRITE, "8.2", "write that would change a read-only register")                  \
	R(RESERVED_BITS, "8.2", "reserved bit set")                                                \
	R(UNALIGNED_ACCESS, "8.1", "register access not of 32 aligned bits")                       \
	R(RESET_NOT_WAITED, "4.2.1.6", "register access before the reset was over")                \
	R(MEMORY_UNDEFINED, "4.6.7", "memory that no reset clears not written before RXEN")        \
	R(STATIC_SETUP, "4.6.3",                                                                   \
	  "a register is not as DCB, coalescing and flow control off ask for, with RXEN")          \
	R(RESET_WITH_DMA, "4.2.1.6", "CTRL.RST or master disable before DMA came to its end")      \
	R(FORMER_RINGS, "9.3.3",                                                                   \
	  "register written as bus master while rings of a former owner may run")                  \
	R(DRIVER_LOADED, "8.2.3.1.3", "function reset with CTRL_EXT.DRV_LOAD set")                 \
	R(TX_END_UNSEEN, "4.6.8.1.2", "transmit queue ended with frames, without a look at TDH")   \
	R(ADDRESS_LIVE, "8.2.3.7.9", "receive address changed while it is valid")                  \
	R(WRITE_BACK_ORDER, "8.2.3.11",                                                            \
	  "queue enabled with relaxed ordering of descriptor write-backs")                         \
	R(MODULE_TIMING, "8.2.3.1.5", "wires of the module moved too early (SFF-8431)")            \
	R(RESET_WITH_IRQ, "4.6.3.1", "CTRL.RST with interrupts enabled")                           \
	R(RESET_STUCK, "5.2.5.3.2",                                                                \
	  "reset after a master disable that failed, without a flush or not twice")                \
	R(INIT_NOT_WAITED, "4.6.3",                                                                \
	  "written, or RXEN or TE set, before EEC.AUTO_RD and RDRXCTL.DMAIDONE were set")          \
	R(DRV_LOAD, "8.2.3.1.3", "RXEN or TE set without CTRL_EXT.DRV_LOAD")                       \
	R(EXTENDED_VLAN_LIVE, "8.2.3.1.3", "CTRL_EXT.EXTENDED_VLAN changed with RXEN or TE")       \
	R(DOUBLE_VLAN, "7.4.5", "TE set, DMATXCTL.GDV unlike CTRL_EXT.EXTENDED_VLAN")              \
	R(IRQ_MODE, "8.2.3.5.18",                                                                  \
	  "interrupts on with GPIE.MULTIPLE_MSIX but not PBA_SUPPORT, or without it but EIAC")     \
	R(EIMC_RESERVED, "8.2.3.5.4", "EIMC bit 31 set")                                           \
	R(FCTRL_WITH_RXEN, "8.2.3.7.1", "FCTRL changed while RXCTRL.RXEN is set")                  \
	R(SECURITY_ON, "8.2.3.12.5",                                                               \
	  "security block turned on (SECRX_DIS, SECTX_DIS) and not set up")                        \
	R(RXEN_WITHOUT_SECRX, "4.6.7", "RXEN changed without the SECRXCTRL.RX_DIS handshake")      \
	R(RXEN_WITHOUT_QUEUE, "4.6.7", "RXEN set before a receive queue was enabled")              \
	R(RX_BUFFER_SUM, "4.6.11.3.4", "RXPBSIZE[0] to [7] together over 512 KiB, with RXEN")      \
	R(FCRTH_MARK, "4.6.3.2", "FCRTH[0].RTH 0 or not below the packet buffer's end, with RXEN") \
	R(FLOW_CONTROL, "8.2.3.22.34",                                                             \
	  "RPFCE with RFCE, FCEN without FCCFG.TFCE, or TFCE without HLREG0.TXCRCEN, with RXEN")   \
	R(RX_CRC_STRIP, "4.6.7", "frame received, RDRXCTL.CRCSTRIP unlike HLREG0.RXCRCSTRP")       \
	R(RX_NO_SNOOP, "4.6.7", "frame received without CTRL_EXT.NS_DIS")                          \
	R(RX_DCA_RESERVED, "8.2.3.11.1", "frame received with bit 11 or 12 of DCA_RXCTRL set")     \
	R(RDRXCTL_RSC, "8.2.3.8.8",                                                                \
	  "RDRXCTL.RSCFRSTSIZE not 0, or RSCACKC or FCOE_WRFIX clear, with RXEN")                  \
	R(FDIR_MEMORY, "7.1.2.7.4", "RXPBSIZE leaves the flow director's filters no room")         \
	R(FDIR_RESTART, "7.1.2.7.9",                                                               \
	  "FDIRCTRL starts the tables again without FDIRCMD.CLEARHT set and cleared")              \
	R(FDIR_REPORT, "7.1.2.7.2",                                                                \
	  "frame received, FDIRCTRL reports without RXCSUM.PCSD, or always without REPORT_STATUS") \
	R(ETHERTYPE_FILTER, "7.1.2.3",                                                             \
	  "EtherType filter for IP, or a second one for the same type")                            \
	R(TUPLE_PRIORITY, "8.2.3.7.19", "five-tuple filter enabled with priority 0")               \
	R(RSS_LIVE, "7.1.2.8", "RSS switched on or off after RXEN, without a reset")               \
	R(RX_LEGACY, "7.1.5", "frame received in legacy descriptors with RSS, DCB or pools on")    \
	R(DTXMXSZRQ_BITS, "8.2.3.9.1", "DTXMXSZRQ over its field")                                 \
	R(RX_RING_BASE, "8.2.3.8.1", "receive ring base not 128-byte aligned")                     \
	R(RX_RING_LENGTH, "8.2.3.8.3",                                                             \
	  "receive ring length 0, over the limit or not a multiple of 128")                        \
	R(RX_RING_LIVE, "4.6.7.1", "receive ring changed while the queue is enabled")              \
	R(RX_TAIL_EARLY, "4.6.7.1", "RDT written before RXDCTL.ENABLE read back set")              \
	R(RX_TAIL_RANGE, "7.1.9", "RDT outside the ring")                                          \
	R(RX_TAIL_OVER, "7.1.9",                                                                   \
	  "RDT past RDH: descriptors that the NIC has are handed over again")                      \
	R(RX_QUEUE_AGAIN, "4.6.7.1.2",                                                             \
	  "receive queue enabled again before RXDCTL.ENABLE read as clear")                        \
	R(RX_BUFFER_SIZE, "8.2.3.8.7", "SRRCTL.BSIZEPACKET 0 or over 16 KiB")                      \
	R(RX_DESC_TYPE, "7.1.10", "SRRCTL.DESCTYPE reserved, or one of header splitting")          \
	R(RX_RSC_SETUP, "7.11.1",                                                                  \
	  "coalescing with legacy descriptors, buffers under 2 KiB, or over 65535 bytes of them")  \
	R(RX_RSC_HEADER, "4.6.7.2",                                                                \
	  "coalescing with header buffers under 128 bytes, or without PSRTYPE's TCP headers")      \
	R(RX_RSC_MSS, "8.2.3.8.13", "coalescing into buffers that together hold no whole segment") \
	R(RX_RSC_LIVE, "4.6.7.2",                                                                  \
	  "RSCCTL, or RFCTL.RSC_DIS with RSCEN, changed while the queue is enabled")               \
	R(RX_RSC_GLOBAL, "4.6.7.2",                                                                \
	  "frame received to coalesce without CRC stripping, or with pools")                       \
	R(RX_RSC_THROTTLE, "4.6.7.2",                                                              \
	  "frame received to coalesce without a vector, or EITR within GPIE.RSC_DELAY")            \
	R(RX_DESC_DD, "7.1.6.1", "receive descriptor handed over with DD or a reserved bit set")   \
	R(RX_DESC_NULL, "7.1.6.1", "receive descriptor handed over without a buffer's address")    \
	R(TX_ARBITER, "4.6.8",                                                                     \
	  "DTXMXSZRQ, TXPBSIZE, TXPBTHRESH or MTQC changed without RTTDCS.ARBDIS")                 \
	R(TX_BUFFER_SUM, "4.6.11.3.4",                                                             \
	  "TE set, TXPBSIZE together over 160 KiB, or no room above TXPBTHRESH for a frame")       \
	R(TX_BUFFER_LIVE, "7.2.1.2", "TXPBSIZE or MTQC changed with TE")                           \
	R(TX_VLAN_TYPE, "8.2.3.9.2", "DMATXCTL.VT changed, or unlike VLNCTRL.VET")                 \
	R(TX_RING_BASE, "8.2.3.9.5", "transmit ring base not 128-byte aligned")                    \
	R(TX_RING_LENGTH, "8.2.3.9.7",                                                             \
	  "transmit ring length 0, over the limit or not a multiple of 128")                       \
	R(TX_RING_LIVE, "4.6.8.1", "transmit ring changed while the queue is enabled")             \
	R(TX_TAIL_EARLY, "4.6.8.1", "TDT written before TXDCTL.ENABLE read back set")              \
	R(TX_TAIL_RANGE, "7.2.3.3", "TDT outside the ring")                                        \
	R(TX_TAIL_OVER, "7.2.3.3",                                                                 \
	  "TDT past TDH: descriptors that the NIC has are handed over again")                      \
	R(TX_QUEUE_AGAIN, "4.6.8.1.2",                                                             \
	  "transmit queue enabled again before TXDCTL.ENABLE read as clear")                       \
	R(TX_QUEUE_HIGH, "7.2.1.2.1", "transmit queue 64 or above enabled without DCB or pools")   \
	R(TX_WITHOUT_TE, "4.6.8", "transmit queue enabled without DMATXCTL.TE")                    \
	R(TX_QUEUE_OFF, "4.6.8.1.2",                                                               \
	  "TXDCTL.ENABLE cleared with unsent descriptors, without SWFLSH")                         \
	R(TX_PATH_OFF, "4.6.8.1.2", "DMATXCTL.TE cleared while a transmit queue is enabled")       \
	R(TX_WTHRESH, "7.2.3.4.1",                                                                 \
	  "WTHRESH with head write-back, or PTHRESH and WTHRESH together over 40")                 \
	R(TX_HTHRESH, "8.2.3.9.10", "PTHRESH without HTHRESH")                                     \
	R(TX_RS, "7.2.3.2.2",                                                                      \
	  "RS with WTHRESH, not in 40 descriptors without, or not in the last")                    \
	R(TX_TAIL_PACKET, "7.2.3.4", "TDT within a packet, or behind a context descriptor")        \
	R(TX_DESC_LENGTH, "7.2.3.2.4", "data descriptor over 16 KiB, or of 0 within a packet")     \
	R(TX_DESC_TYPE, "7.2.3.2", "unknown descriptor type, or both forms in a packet")           \
	R(TX_DESC_RESERVED, "7.2.3.2", "transmit descriptor with a reserved bit, or STA, set")     \
	R(TX_CONTEXT_UNUSED, "7.2.3.2.3", "field of a context descriptor set that nothing uses")   \
	R(TX_IFCS, "7.2.3.2.2", "IFCS clear though the NIC pads, tags, cuts or sums the frame")    \
	R(TX_PAYLEN, "7.2.3.2.4", "PAYLEN does not agree with the data")                           \
	R(TX_FRAME_LENGTH, "7.2.3.2.4",                                                            \
	  "frame shorter than 17 bytes (legacy: 14), or longer than MAXFRS allows")                \
	R(TX_FRAME_DESCS, "7.2.1.1", "frame of more descriptors than 40 - WTHRESH - 2")            \
	R(TX_CONTEXT, "7.2.3.2.3", "context missing, or its lengths do not fit the frame")         \
	R(TX_TSO_HEADER, "7.2.4", "TSO not as the section asks (header, checksum, POPTS, HLREG0)") \
	R(DMA_FAULT, "4.2", "DMA outside the memory that was mapped")                              \
	R(EERD_BUSY, "8.2.3.2.2", "EERD written while a read is under way")                        \
	R(WIRES_UNREAD, "8.2.3.1.5",                                                               \
	  "wires of I2CCTL or EEC moved twice without a register read in between")                 \
	R(WIRES_STOP, "8.2.3.1.5",                                                                 \
	  "SW_PHY0 given back in a transfer, without a stop on the wires")                         \
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
/* Whether broken rules are not counted from now on, since a fault made what they are judged by.
 * Returns how it was before. */
bool violations_pause(struct nic *nic, bool paused);
uint64_t violation_total(const struct nic *nic);
void violations_zero(struct nic *nic);
/* The rules that end no DMA with --strict, in place of those so far: names with commas between
 * them, or NULL for none. -ENOENT and no change: one of them is no rule. */
int violations_forgive(struct nic *nic, const char *names);

/* Clients are numbered from 1, as they come. The counts of the last few are kept. */
#define VIOLATION_CLIENTS 8u
void violations_client(struct nic *nic); /* the next one has come */
uint32_t violation_clients(const struct nic *nic);
uint64_t violation_of_client(const struct nic *nic, uint32_t client, enum nic_violation rule);

/* A rule and its cases. `first`: the details of the first few, NULL after the last. */
#define NIC_VIOLATION_FIRST 4u
struct violation_info {
	const char *name, *section, *text;
	uint64_t count;
	const char *first[NIC_VIOLATION_FIRST + 1];
};
struct violation_info violation_info(const struct nic *nic, enum nic_violation rule);
