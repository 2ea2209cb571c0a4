/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of the 82599, as they lie in memory: little-endian, 16 bytes,
 * 16-byte aligned. Shared by the driver and the software NIC.
 *
 * A descriptor is written by both sides. Whoever reads one that the other side
 * may still write takes a copy first (one load per 64-bit half) and looks only
 * at the copy. Masks, not C bitfields; a multi-bit field is a mask for
 * IXGBE_FIELD_GET and IXGBE_FIELD_PREP (fields.h).
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#define IXGBE_DESC_BYTES 16u

/* Every ring: base 128-byte aligned, length a multiple of 128 bytes, i.e. of
 * 8 descriptors (sections 7.1.9, 7.2.3.3). */
#define IXGBE_RING_ALIGN_BYTES 128u
#define IXGBE_RING_MULTIPLE    8u

union ixgbe_desc {
	uint64_t qword[2];
	uint32_t dword[4];
};
static_assert(sizeof(union ixgbe_desc) == IXGBE_DESC_BYTES, "one descriptor is 16 bytes");

/* ---- Receive, advanced, as software writes it (7.1.6.1) ----
 * qword[0]  packet buffer address
 * qword[1]  header buffer address; bit 0 is DD in the write-back, so it is 0
 */

/* ---- Receive, advanced, write-back (7.1.6.2) ----
 * dword[0]  RSS type, packet type, RSC count, header length, SPH
 * dword[1]  RSS hash, flow director filter ID, or fragment checksum and IP identification
 * dword[2]  extended status (19:0) and error (31:20)
 * dword[3]  length (15:0) and VLAN tag (31:16)
 */
#define IXGBE_RXD_RSS_TYPE  0x0000000fu
#define IXGBE_RXD_PKT_TYPE  0x0001fff0u
#define IXGBE_RXD_RSC_COUNT 0x001e0000u
#define IXGBE_RXD_HDR_LEN   0x7fe00000u
#define IXGBE_RXD_SPH       0x80000000u

#define IXGBE_RXD_TYPE_IPV4  0x00000010u /* packet type, without bit 15 (ETQF) set */
#define IXGBE_RXD_TYPE_IPV4E 0x00000020u
#define IXGBE_RXD_TYPE_IPV6  0x00000040u
#define IXGBE_RXD_TYPE_IPV6E 0x00000080u
#define IXGBE_RXD_TYPE_TCP   0x00000100u
#define IXGBE_RXD_TYPE_UDP   0x00000200u
#define IXGBE_RXD_TYPE_SCTP  0x00000400u
#define IXGBE_RXD_TYPE_NFS   0x00000800u
#define IXGBE_RXD_TYPE_ETQF  0x00008000u /* then bits 6:4 are the ETQF index */

#define IXGBE_RXD_RSS_NONE     0u /* values of RSS_TYPE */
#define IXGBE_RXD_RSS_IPV4_TCP 1u
#define IXGBE_RXD_RSS_IPV4     2u
#define IXGBE_RXD_RSS_IPV6_TCP 3u
#define IXGBE_RXD_RSS_IPV6     5u
#define IXGBE_RXD_RSS_IPV4_UDP 7u
#define IXGBE_RXD_RSS_IPV6_UDP 8u
#define IXGBE_RXD_RSS_FDIR     15u /* dword[1] is a flow director filter ID */

#define IXGBE_RXD_FDIR_ID   0x00007fffu /* dword[1]: signature or software index */
#define IXGBE_RXD_FDIR_HASH 0x7fff0000u

#define IXGBE_RXD_STAT_DD    0x00000001u
#define IXGBE_RXD_STAT_EOP   0x00000002u
#define IXGBE_RXD_STAT_FLM   0x00000004u
#define IXGBE_RXD_STAT_VP    0x00000008u
#define IXGBE_RXD_STAT_UDPCS 0x00000010u
#define IXGBE_RXD_STAT_L4I   0x00000020u
#define IXGBE_RXD_STAT_IPCS  0x00000040u
#define IXGBE_RXD_STAT_PIF   0x00000080u
#define IXGBE_RXD_STAT_VEXT  0x00000200u
#define IXGBE_RXD_STAT_UDPV  0x00000400u
#define IXGBE_RXD_STAT_LLINT 0x00000800u
#define IXGBE_RXD_STAT_NEXTP 0x000ffff0u /* without EOP, with RSC: next descriptor */

#define IXGBE_RXD_ERR_FDIR      0x00700000u
#define IXGBE_RXD_ERR_FDIR_LEN  0x00100000u /* behind FDIRCTRL.MAX_LENGTH */
#define IXGBE_RXD_ERR_FDIR_DROP 0x00200000u /* of a drop filter */
#define IXGBE_RXD_ERR_FDIR_COLL 0x00400000u
#define IXGBE_RXD_ERR_HBO       0x00800000u
#define IXGBE_RXD_ERR_RXE       0x20000000u /* any MAC error: CRC, length, symbol */
#define IXGBE_RXD_ERR_L4E       0x40000000u
#define IXGBE_RXD_ERR_IPE       0x80000000u

#define IXGBE_RXD_LENGTH 0x0000ffffu
#define IXGBE_RXD_VLAN   0xffff0000u

/* ---- Receive, legacy, write-back (7.1.5) ----
 * qword[0]  buffer address, kept
 * dword[2]  length (15:0), fragment checksum (31:16)
 * dword[3]  status (7:0), errors (15:8), VLAN tag (31:16)
 */
#define IXGBE_RXL_LENGTH 0x0000ffffu
#define IXGBE_RXL_CSUM   0xffff0000u

#define IXGBE_RXL_STAT_DD    0x00000001u
#define IXGBE_RXL_STAT_EOP   0x00000002u
#define IXGBE_RXL_STAT_VP    0x00000008u
#define IXGBE_RXL_STAT_UDPCS 0x00000010u
#define IXGBE_RXL_STAT_L4CS  0x00000020u
#define IXGBE_RXL_STAT_IPCS  0x00000040u
#define IXGBE_RXL_STAT_PIF   0x00000080u
#define IXGBE_RXL_ERR_RXE    0x00000100u
#define IXGBE_RXL_ERR_TCPE   0x00004000u
#define IXGBE_RXL_ERR_IPE    0x00008000u
#define IXGBE_RXL_VLAN       0xffff0000u

/* ---- Transmit, legacy (7.2.3.2.2) ----
 * qword[0]  buffer address
 * dword[2]  length (15:0), CSO (23:16), command (31:24)
 * dword[3]  status (3:0), CSS (15:8), VLAN tag (31:16)
 */
#define IXGBE_TXL_LENGTH 0x0000ffffu
#define IXGBE_TXL_CSO    0x00ff0000u
#define IXGBE_TXL_IC     0x04000000u /* insert checksum */
#define IXGBE_TXL_CSS    0x0000ff00u

/* ---- Transmit, bits that legacy and advanced data descriptors share ----
 * in dword[2] */
#define IXGBE_TXD_EOP  0x01000000u
#define IXGBE_TXD_IFCS 0x02000000u
#define IXGBE_TXD_RS   0x08000000u
#define IXGBE_TXD_DEXT 0x20000000u /* set: advanced, see DTYP */
#define IXGBE_TXD_VLE  0x40000000u
/* and in dword[3] */
#define IXGBE_TXD_STAT_DD 0x00000001u

/* ---- Transmit, advanced data (7.2.3.2.4) ----
 * qword[0]  buffer address
 * dword[2]  DTALEN (15:0), MAC (19:18), DTYP (23:20), command (31:24)
 * dword[3]  STA (3:0), IDX (6:4), CC (7), POPTS (13:8), PAYLEN (31:14)
 */
#define IXGBE_TXD_DTALEN     0x0000ffffu
#define IXGBE_TXD_MAC_1588   0x00080000u
#define IXGBE_TXD_DTYP       0x00f00000u
#define IXGBE_TXD_DTYP_CTXT  0x2u
#define IXGBE_TXD_DTYP_DATA  0x3u
#define IXGBE_TXD_TSE        0x80000000u
#define IXGBE_TXD_IDX        0x00000070u
#define IXGBE_TXD_CC         0x00000080u
#define IXGBE_TXD_POPTS_IXSM 0x00000100u
#define IXGBE_TXD_POPTS_TXSM 0x00000200u
#define IXGBE_TXD_PAYLEN     0xffffc000u

/* ---- Transmit, advanced context (7.2.3.2.3) ----
 * dword[0]  IPLEN (8:0), MACLEN (15:9), VLAN tag (31:16)
 * dword[1]  FCoE and IPsec only
 * dword[2]  TUCMD (19:9), DTYP (23:20), DEXT (29)
 * dword[3]  IDX (6:4), L4LEN (15:8), MSS (31:16)
 */
#define IXGBE_TXC_IPLEN    0x000001ffu
#define IXGBE_TXC_MACLEN   0x0000fe00u
#define IXGBE_TXC_VLAN     0xffff0000u
#define IXGBE_TXC_IPV4     0x00000400u
#define IXGBE_TXC_L4T      0x00001800u
#define IXGBE_TXC_L4T_UDP  0x0u
#define IXGBE_TXC_L4T_TCP  0x1u
#define IXGBE_TXC_L4T_SCTP 0x2u
#define IXGBE_TXC_IDX      0x00000070u
#define IXGBE_TXC_L4LEN    0x0000ff00u
#define IXGBE_TXC_MSS      0xffff0000u

/* ---- Frames ---- */

#define IXGBE_ETH_HEADER_BYTES  14u
#define IXGBE_VLAN_TAGS_BYTES   8u /* two tags: more do not count as framing */
#define IXGBE_FCS_BYTES         4u
#define IXGBE_FRAME_MAX_BYTES   9728u  /* with FCS, without VLAN (4.6.11.4, MAXFRS) */
#define IXGBE_TX_DESC_MAX_BYTES 15872u /* 15.5 KiB in one buffer (7.2.3.2.4) */
/* Descriptors of one frame, or of one packet to be cut: 40 less 2, and less WTHRESH (7.2.1.1). */
#define IXGBE_TX_DESC_FRAME_MAX 38u
#define IXGBE_TSO_HEADER_MAX    192u /* L2 to L4 headers of a TSO frame */
