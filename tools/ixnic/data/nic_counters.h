/* SPDX-License-Identifier: MIT */
/* The counters of the data path and the wire: nic->data has them. */
#pragma once

/* Everything counted that is not a register. In each direction frames in = frames out + drops
 * (+ frames in the packet buffer). */
#define NIC_COUNTERS(C)                                                                            \
	C(rx_frames)    /* from the wire */                                                        \
	C(rx_bytes)     /* of them, without CRC */                                                 \
	C(rx_delivered) /* written to a ring */                                                    \
	C(rx_coalesced) /* of them, in large receives of at least two */                           \
	C(rx_large)     /* those large receives */                                                 \
	C(rx_drop_link_down)                                                                       \
	C(rx_drop_stopped)      /* with --strict, after a broken rule */                           \
	C(rx_drop_hung)         /* RXEN was set while frames came, without SECRXCTRL.RX_DIS */     \
	C(rx_drop_disabled)     /* RXCTRL.RXEN clear, or SECRXCTRL.RX_DIS set */                   \
	C(rx_drop_runt)         /* shorter than 64 bytes with CRC */                               \
	C(rx_drop_oversize)     /* longer than MAXFRS, or than 1518 without JUMBOEN */             \
	C(rx_drop_length_field) /* 802.3 length that does not agree with the frame */              \
	C(rx_drop_pause)        /* with MFLCN.DPF */                                               \
	C(rx_drop_control)      /* MAC control but pauses, without MFLCN.PMCF */                   \
	C(rx_drop_address)      /* no address filter matched */                                    \
	C(rx_drop_vlan)         /* not in VFTA */                                                  \
	C(rx_drop_missed)       /* packet buffer full: RXMPC */                                    \
	C(rx_drop_queue_disabled)                                                                  \
	C(rx_drop_flow_director) /* by a filter, its drop queue not enabled */                     \
	C(rx_drop_no_descriptor) /* with SRRCTL.DROP_EN: QPRDC */                                  \
	C(rx_drop_too_big)       /* more descriptors than the ring has */                          \
	C(rx_drop_dma)           /* ring or buffer not mapped */                                   \
	C(rx_drop_reset)         /* in the packet buffer at a reset */                             \
	C(tx_packets)            /* that rings asked for */                                        \
	C(tx_drop_invalid)       /* packets: descriptors against the rules */                      \
	C(tx_drop_dma)           /* packets: buffer not mapped */                                  \
	C(tx_frames)             /* cut from the other packets */                                  \
	C(tx_bytes)              /* of them, without CRC */                                        \
	C(tx_sent)               /* taken by the wire */                                           \
	C(tx_looped)             /* HLREG0.LPBK */                                                 \
	C(tx_drop_crc)           /* sent without CRC insertion, and the CRC in it was wrong */     \
	C(tx_drop_reset)         /* under way at a reset, or when its queue was disabled */        \
	C(wire_drop_no_peer)     /* nobody at the other end */                                     \
	C(wire_drop_down)        /* the TAP is administratively down */                            \
	C(wire_drop_error)       /* the kernel refused it */                                       \
	C(wire_drop_vnet)        /* from the TAP: header that contradicts the frame */             \
	C(wire_drop_truncated)   /* from a socket: longer than a frame can be */                   \
	C(wire_merged)           /* frames that went to the TAP as part of a bigger one */         \
	C(capture_lost)          /* not recorded: the file of --pcap could not be written */

enum nic_counter {
#define C(name) COUNTER_##name,
	NIC_COUNTERS(C)
#undef C
		NIC_COUNTER_COUNT
};
