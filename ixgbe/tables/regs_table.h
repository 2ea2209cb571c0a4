/* SPDX-License-Identifier: MIT */
/*
 * The rows of the register table, in the order of the datasheet; included by regs.h. One is
 *
 *     R(NAME, offset, stride, count, ACCESS, writable, reset, "datasheet section")
 *
 *     NAME      the datasheet's name; an array [n] has one row
 *     offset    of element 0 in BAR 0, bytes
 *     stride    bytes between elements, 4 when there is one
 *     ACCESS    see enum ixgbe_reg_access
 *     writable  the bits that a write changes; reserved, read-only and self-clearing bits
 *               are 0. The software NIC handles the action of a self-clearing bit (such as
 *               CTRL.RST) before it stores value & writable
 *     reset     the value after CTRL.RST on an idle port without link; what moves
 *               afterwards is said above each group
 *
 * The section is that of the 82599 datasheet, or of the group where the register has no
 * section of its own, or "" where the datasheet is silent.
 *
 * A table that is split in the address map is two rows, the second named *_HI: receive
 * queues 64..127 and EITR[24..128]. Addresses kept for software of the 82598 are
 * IXGBE_REGISTER_ALIASES.
 */
#pragma once

/* The columns are the point of a table. */
/* clang-format off */

/*
 * 8.2.3.1 General control. CTRL.RST and LRST clear themselves, so the mask has neither;
 * STATUS shows LAN ID 0, master enabled.
 */
#define IXGBE_REGISTERS_GENERAL(R)                                                               \
    R(CTRL,          0x00000,  4,    1, RW,    0x00000004, 0x00000000, "8.2.3.1.1")              \
    R(STATUS,        0x00008,  4,    1, RO,    0x00000000, 0x00080000, "8.2.3.1.2")              \
    R(CTRL_EXT,      0x00018,  4,    1, RW,    0x14034000, 0x00000000, "8.2.3.1.3")              \
    R(ESDP,          0x00020,  4,    1, RW,    0xFCFFFFFF, 0x00000000, "8.2.3.1.4")              \
    R(I2CCTL,        0x00028,  4,    1, RW,    0x0000000A, 0x0000000F, "8.2.3.1.5")              \
    R(LEDCTL,        0x00200,  4,    1, RW,    0xCFCFCFEF, 0x05040100, "8.2.3.1.6")              \
    R(EXVET,         0x05078,  4,    1, RW,    0xFFFF0000, 0x81000000, "8.2.3.1.7")

/*
 * 8.2.3.2 EEPROM and flash. EEC: present, auto-read done, 16 Kbit, 16-bit addresses, all units
 * loaded. EEMNGCTL: DONE and CFG_DONE of both ports. The manageability windows are firmware's; the
 * host only reads them.
 */
#define IXGBE_REGISTERS_NVM(R)                                                                   \
    R(EEC,           0x10010,  4,    1, RW,    0x00000077, 0x003FA710, "8.2.3.2.1")              \
    R(EERD,          0x10014,  4,    1, RW,    0x0000FFFC, 0x00000000, "8.2.3.2.2")              \
    R(EEWR,          0x10018,  4,    1, RW,    0xFFFFFFFC, 0x00000000, "8.2.3.2")                \
    R(FLA,           0x1001C,  4,    1, RW,    0x80000017, 0x00000000, "8.2.3.2.3")              \
    R(EEMNGCTL,      0x10110,  4,    1, RO,    0x00000000, 0x800C0000, "8.2.3.2.4")              \
    R(EEMNGDATA,     0x10114,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.2.5")              \
    R(FLMNGCTL,      0x10118,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.2.6")              \
    R(FLMNGDATA,     0x1011C,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.2.7")              \
    R(FLMNGCNT,      0x10120,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.2")                \
    R(FLOP,          0x1013C,  4,    1, RW,    0x0000FFFF, 0x00000000, "8.2.3.2.8")              \
    R(GRC,           0x10200,  4,    1, RW,    0x00000002, 0x00000000, "8.2.3.2.9")              \
    R(VPDDIAG,       0x10204,  4,    2, RO,    0x00000000, 0x00000000, "8.2.3.2")

/*
 * 8.2.3.3 Flow control. FCRTL and FCRTH keep bit 4, which the register test of ethtool
 * expects; the hardware ignores it.
 */
#define IXGBE_REGISTERS_FLOW(R)                                                                  \
    R(PFCTOP,        0x03008,  4,    1, RW,    0xFFFFFFFF, 0x01018808, "8.2.3.3.1")              \
    R(FCTTV,         0x03200,  4,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.3.2")              \
    R(FCRTL,         0x03220,  4,    8, RW,    0x8007FFF0, 0x00000000, "8.2.3.3.3")              \
    R(FCRTH,         0x03260,  4,    8, RW,    0x8007FFF0, 0x00000000, "8.2.3.3.4")              \
    R(FCRTV,         0x032A0,  4,    1, RW,    0x0000FFFF, 0x00000000, "8.2.3.3.5")              \
    R(TFCS,          0x0CE00,  4,    1, RO,    0x00000000, 0x000000FF, "8.2.3.3.6")              \
    R(FCCFG,         0x03D00,  4,    1, RW,    0x00000018, 0x00000000, "8.2.3.3.7")              \
    R(FCADBUL,       0x03210,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.3")                \
    R(FCADBUH,       0x03214,  4,    1, RW,    0x0000FFFF, 0x00000000, "8.2.3.3")                \
    R(FCAMACL,       0x04328,  4,    1, RW,    0xFFFFFFFF, 0xC2000001, "8.2.3.3")                \
    R(FCAMACH,       0x0432C,  4,    1, RW,    0x0000FFFF, 0x00000180, "8.2.3.3")

/*
 * 8.2.3.4 PCIe, function state, semaphores. Reading SWSM sets SMBI; FACTPS shows function
 * 0 in D0a, management clock gated; FWSM shows firmware that is valid and manages nothing.
 */
#define IXGBE_REGISTERS_PCIE(R)                                                                  \
    R(GCR,           0x11000,  4,    1, RW,    0x0021FA00, 0x00040000, "8.2.3.4.1")              \
    R(GSCL_1,        0x11010,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4.2")              \
    R(GSCL_2,        0x11014,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4.3")              \
    R(GSCL_5_8,      0x11030,  4,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4.4")              \
    R(GSCN,          0x11020,  4,    4, RO,    0x00000000, 0x00000000, "8.2.3.4.5")              \
    R(FACTPS,        0x10150,  4,    1, RO,    0x00000000, 0x20000006, "8.2.3.4.6")              \
    R(PCIEPHYADR,    0x11040,  4,    1, RW,    0x7E000FFF, 0x00000000, "8.2.3.4.7")              \
    R(PCIEPHYDAT,    0x11044,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4.8")              \
    R(PCIEPHYCTL,    0x11048,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")                \
    R(SWSM,          0x10140,  4,    1, RW,    0x00000003, 0x00000000, "8.2.3.4.9")              \
    R(FWSM,          0x10148,  4,    1, RO,    0x00000000, 0x00008000, "8.2.3.4.10")             \
    R(SW_FW_SYNC,    0x10160,  4,    1, RW,    0x0000041F, 0x00000000, "8.2.3.4.11")             \
    R(GCR_EXT,       0x11050,  4,    1, RW,    0xC0000013, 0x00000000, "8.2.3.4.12")             \
    R(MREVID,        0x11064,  4,    1, RO,    0x00000000, 0x00000101, "8.2.3.4.13")             \
    R(PICAUSE,       0x110B0,  4,    1, W1C,   0x0000001F, 0x00000000, "8.2.3.4.14")             \
    R(PIENA,         0x110B8,  4,    1, RW,    0x0000001F, 0x00000000, "8.2.3.4.15")             \
    R(PCIEECCCTL,    0x1106C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")                \
    R(CIAA,          0x11088,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")                \
    R(CIAD,          0x1108C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")                \
    R(PCIE_DIAG,     0x11090,  4,    8, RO,    0x00000000, 0x00000000, "8.2.3.4")                \
    R(CDQ_MBR,       0x110B4,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")                \
    R(PCIESPARE,     0x110BC,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")                \
    R(ECC_STATUS,    0x110E0,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.4")                \
    R(PCIEMISC,      0x110F0,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")                \
    R(BARCTRL,       0x110F4,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.4")                \
    R(ECC_CTRL_0,    0x11100,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")                \
    R(ECC_CTRL_1,    0x11104,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.4")

/*
 * 8.2.3.5 Interrupts, and the MSI-X pending bits of 8.2.3.6 (the MSI-X table is in BAR 4).
 * The *_EX registers reach vectors 0..63; EITR_HI[k] is EITR[24 + k]; CNT_WDIS reads as
 * zero.
 */
#define IXGBE_REGISTERS_INTR(R)                                                                  \
    R(EICR,          0x00800,  4,    1, RCW1C, 0x7FFFFFFF, 0x00000000, "8.2.3.5.1")              \
    R(EICS,          0x00808,  4,    1, WO,    0x7FFFFFFF, 0x00000000, "8.2.3.5.2")              \
    R(EIMS,          0x00880,  4,    1, W1S,   0x7FFFFFFF, 0x00000000, "8.2.3.5.3")              \
    R(EIMC,          0x00888,  4,    1, WO,    0x7FFFFFFF, 0x00000000, "8.2.3.5.4")              \
    R(EIAC,          0x00810,  4,    1, RW,    0x4000FFFF, 0x00000000, "8.2.3.5.5")              \
    R(EIAM,          0x00890,  4,    1, RW,    0x7FFFFFFF, 0x00000000, "8.2.3.5.6")              \
    R(EICS_EX,       0x00A90,  4,    2, WO,    0xFFFFFFFF, 0x00000000, "8.2.3.5.7")              \
    R(EIMS_EX,       0x00AA0,  4,    2, W1S,   0xFFFFFFFF, 0x00000000, "8.2.3.5.8")              \
    R(EIMC_EX,       0x00AB0,  4,    2, WO,    0xFFFFFFFF, 0x00000000, "8.2.3.5.9")              \
    R(EIAM_EX,       0x00AD0,  4,    2, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.5.10")             \
    R(EITRSEL,       0x00894,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.5.11")             \
    R(EITR,          0x00820,  4,   24, RW,    0x0FFF8FF8, 0x00000000, "8.2.3.5.12")             \
    R(EITR_HI,       0x12300,  4,  105, RW,    0x0FFF8FF8, 0x00000000, "8.2.3.5.12")             \
    R(L34TIMIR,      0x0E800,  4,  128, RW,    0x0FFFF000, 0x00000000, "8.2.3.5.13")             \
    R(LLITHRESH,     0x0EC90,  4,    1, RW,    0x00000FFF, 0x00000000, "8.2.3.5.14")             \
    R(IMIRVP,        0x0EC60,  4,    1, RW,    0x0000000F, 0x00000000, "8.2.3.5.15")             \
    R(IVAR,          0x00900,  4,   64, RW,    0xBFBFBFBF, 0x00000000, "8.2.3.5.16")             \
    R(IVAR_MISC,     0x00A00,  4,    1, RW,    0x0000FFFF, 0x00000000, "8.2.3.5.17")             \
    R(GPIE,          0x00898,  4,    1, RW,    0xC000FFFF, 0x00000000, "8.2.3.5.18")             \
    R(PBACL,         0x110C0,  4,    8, W1C,   0xFFFFFFFF, 0x00000000, "8.2.3.6.1")

/*
 * 8.2.3.7 Receive: filters, checksums, queue assignment. RAH.AV is clear until the
 * EEPROM's address is loaded into entry 0.
 */
#define IXGBE_REGISTERS_RXFILT(R)                                                                \
    R(FCTRL,         0x05080,  4,    1, RW,    0x00000702, 0x00000000, "8.2.3.7.1")              \
    R(VLNCTRL,       0x05088,  4,    1, RW,    0x7000FFFF, 0x00008100, "8.2.3.7.2")              \
    R(MCSTCTRL,      0x05090,  4,    1, RW,    0x00000007, 0x00000000, "8.2.3.7.3")              \
    R(PSRTYPE,       0x0EA00,  4,   64, RW,    0xE0001332, 0x00000000, "8.2.3.7.4")              \
    R(RXCSUM,        0x05000,  4,    1, RW,    0x00003000, 0x00000000, "8.2.3.7.5")              \
    R(RFCTL,         0x05008,  4,    1, RW,    0x000047E0, 0x00000000, "8.2.3.7.6")              \
    R(MTA,           0x05200,  4,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.7.7")              \
    R(RAL,           0x0A200,  8,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.7.8")              \
    R(RAH,           0x0A204,  8,  128, RW,    0x8000FFFF, 0x00000000, "8.2.3.7.9")              \
    R(MPSAR,         0x0A600,  4,  256, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.7.10")             \
    R(VFTA,          0x0A000,  4,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.7.11")             \
    R(MRQC,          0x0EC80,  4,    1, RW,    0x00F3000F, 0x00000000, "8.2.3.7.12")             \
    R(RQTC,          0x0EC70,  4,    1, RW,    0x77777777, 0x00000000, "8.2.3.7.13")             \
    R(RSSRK,         0x0EB80,  4,   10, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.7.14")             \
    R(RETA,          0x0EB00,  4,   32, RW,    0x0F0F0F0F, 0x00000000, "8.2.3.7.15")             \
    R(SAQF,          0x0E000,  4,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.7.16")             \
    R(DAQF,          0x0E200,  4,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.7.17")             \
    R(SDPQF,         0x0E400,  4,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.7.18")             \
    R(FTQF,          0x0E600,  4,  128, RW,    0xFE003F1F, 0x00000000, "8.2.3.7.19")             \
    R(SYNQF,         0x0EC30,  4,    1, RW,    0x800000FF, 0x00000000, "8.2.3.7.20")             \
    R(ETQF,          0x05128,  4,    8, RW,    0xCFF0FFFF, 0x00000000, "8.2.3.7.21")             \
    R(ETQS,          0x0EC00,  4,    8, RW,    0xA07F0000, 0x00000000, "8.2.3.7.22")             \
    R(RXFECCERR0,    0x051B8,  4,    1, RW,    0x00000200, 0x00000000, "8.2.3.7.23")

/*
 * 8.2.3.8 Receive DMA. Queues 0..63; the *_HI rows are queues 64..127. RXDCTL.SWFLSH
 * clears itself; RDRXCTL shows DMA init done.
 */
#define IXGBE_REGISTERS_RXDMA(R)                                                                 \
    R(RDBAL,         0x01000, 64,   64, RW,    0xFFFFFF80, 0x00000000, "8.2.3.8.1")              \
    R(RDBAH,         0x01004, 64,   64, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.8.2")              \
    R(RDLEN,         0x01008, 64,   64, RW,    0x000FFF80, 0x00000000, "8.2.3.8.3")              \
    R(RDH,           0x01010, 64,   64, RW,    0x0000FFFF, 0x00000000, "8.2.3.8.4")              \
    R(RDT,           0x01018, 64,   64, RW,    0x0000FFFF, 0x00000000, "8.2.3.8.5")              \
    R(RXDCTL,        0x01028, 64,   64, RW,    0x42000000, 0x00000000, "8.2.3.8.6")              \
    R(SRRCTL,        0x01014, 64,   64, RW,    0x1FC03F1F, 0x00000402, "8.2.3.8.7")              \
    R(RSCCTL,        0x0102C, 64,   64, RW,    0x0000000D, 0x00000000, "8.2.3.8.13")             \
    R(DCA_RXCTRL,    0x0100C, 64,   64, RW,    0xFF00BAE0, 0x0000B200, "8.2.3.11.1")             \
    R(RDBAL_HI,      0x0D000, 64,   64, RW,    0xFFFFFF80, 0x00000000, "8.2.3.8.1")              \
    R(RDBAH_HI,      0x0D004, 64,   64, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.8.2")              \
    R(RDLEN_HI,      0x0D008, 64,   64, RW,    0x000FFF80, 0x00000000, "8.2.3.8.3")              \
    R(RDH_HI,        0x0D010, 64,   64, RW,    0x0000FFFF, 0x00000000, "8.2.3.8.4")              \
    R(RDT_HI,        0x0D018, 64,   64, RW,    0x0000FFFF, 0x00000000, "8.2.3.8.5")              \
    R(RXDCTL_HI,     0x0D028, 64,   64, RW,    0x42000000, 0x00000000, "8.2.3.8.6")              \
    R(SRRCTL_HI,     0x0D014, 64,   64, RW,    0x1FC03F1F, 0x00000402, "8.2.3.8.7")              \
    R(RSCCTL_HI,     0x0D02C, 64,   64, RW,    0x0000000D, 0x00000000, "8.2.3.8.13")             \
    R(DCA_RXCTRL_HI, 0x0D00C, 64,   64, RW,    0xFF00BAE0, 0x0000B200, "8.2.3.11.1")             \
    R(RDRXCTL,       0x02F00,  4,    1, RW,    0x06BF0002, 0x00100008, "8.2.3.8.8")              \
    R(RXPBSIZE,      0x03C00,  4,    8, RW,    0x000FFC00, 0x00080000, "8.2.3.8.9")              \
    R(RXCTRL,        0x03000,  4,    1, RW,    0x00000001, 0x00000000, "8.2.3.8.10")             \
    R(RXMEMWRAP,     0x03190,  4,    1, RO,    0x00000000, 0x88888888, "8.2.3.8.11")             \
    R(RSCDBU,        0x03028,  4,    1, RW,    0x000000FF, 0x00000000, "8.2.3.8.12")

/*
 * 8.2.3.9 Transmit. 128 queues in one range. TXDCTL.SWFLSH clears itself. TXPBTHRESH
 * resets to 0x96 in entry 0 and to 0 in the others; one row has one value.
 */
#define IXGBE_REGISTERS_TX(R)                                                                    \
    R(DTXMXSZRQ,     0x08100,  4,    1, RW,    0x00000FFF, 0x00000010, "8.2.3.9.1")              \
    R(DMATXCTL,      0x04A80,  4,    1, RW,    0xFFFF000B, 0x81000000, "8.2.3.9.2")              \
    R(DTXTCPFLGL,    0x04A88,  4,    1, RW,    0x0FFF0FFF, 0x0F760FF6, "8.2.3.9.3")              \
    R(DTXTCPFLGH,    0x04A8C,  4,    1, RW,    0x00000FFF, 0x00000F7F, "8.2.3.9.4")              \
    R(TDBAL,         0x06000, 64,  128, RW,    0xFFFFFF80, 0x00000000, "8.2.3.9.5")              \
    R(TDBAH,         0x06004, 64,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.9.6")              \
    R(TDLEN,         0x06008, 64,  128, RW,    0x000FFF80, 0x00000000, "8.2.3.9.7")              \
    R(TDH,           0x06010, 64,  128, RW,    0x0000FFFF, 0x00000000, "8.2.3.9.8")              \
    R(TDT,           0x06018, 64,  128, RW,    0x0000FFFF, 0x00000000, "8.2.3.9.9")              \
    R(TXDCTL,        0x06028, 64,  128, RW,    0x027F7F7F, 0x00000000, "8.2.3.9.10")             \
    R(TDWBAL,        0x06038, 64,  128, RW,    0xFFFFFFFD, 0x00000000, "8.2.3.9.11")             \
    R(TDWBAH,        0x0603C, 64,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.9.12")             \
    R(DCA_TXCTRL,    0x0600C, 64,  128, RW,    0xFF002A20, 0x00002A00, "8.2.3.11.2")             \
    R(TXPBSIZE,      0x0CC00,  4,    8, RW,    0x000FFC00, 0x00028000, "8.2.3.9.13")             \
    R(MNGTXMAP,      0x0CD10,  4,    1, RW,    0x00000007, 0x00000000, "8.2.3.9.14")             \
    R(MTQC,          0x08120,  4,    1, RW,    0x0000000F, 0x00000000, "8.2.3.9.15")             \
    R(TXPBTHRESH,    0x04950,  4,    8, RW,    0x000003FF, 0x00000096, "8.2.3.9.16")             \
    R(TXLLQ,         0x082E0,  4,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.9")                \
    R(LBDRPEN,       0x0CA00,  4,    1, RW,    0x000000FF, 0x00000000, "8.2.3.9")

/*
 * 8.2.3.10 Data center bridging, and the DCA controls of 8.2.3.11. RTTDT1C, RTTBCNRC and
 * RTTBCNRD act on the queue in RTTDQSEL.
 */
#define IXGBE_REGISTERS_DCB(R)                                                                   \
    R(RTRPCS,        0x02430,  4,    1, RW,    0x00000006, 0x00000000, "8.2.3.10.1")             \
    R(RTTDCS,        0x04900,  4,    1, RW,    0x80C00053, 0x00C00000, "8.2.3.10.2")             \
    R(RTTPCS,        0x0CD00,  4,    1, RW,    0xFFC00120, 0x89000000, "8.2.3.10.3")             \
    R(RTRUP2TC,      0x03020,  4,    1, RW,    0x00FFFFFF, 0x00000000, "8.2.3.10.4")             \
    R(RTTUP2TC,      0x0C800,  4,    1, RW,    0x00FFFFFF, 0x00000000, "8.2.3.10.5")             \
    R(RTRPT4C,       0x02140,  4,    8, RW,    0xC0FFFFFF, 0x00000000, "8.2.3.10.6")             \
    R(RTRPT4S,       0x02160,  4,    8, RO,    0x00000000, 0x00000000, "8.2.3.10.7")             \
    R(RTTDT2C,       0x04910,  4,    8, RW,    0xC0FFFFFF, 0x00000000, "8.2.3.10.9")             \
    R(RTTPT2C,       0x0CD20,  4,    8, RW,    0xC0FFFFFF, 0x00000000, "8.2.3.10.10")            \
    R(RTTDT2S,       0x04930,  4,    8, RO,    0x00000000, 0x00000000, "8.2.3.10.11")            \
    R(RTTPT2S,       0x0CD40,  4,    8, RO,    0x00000000, 0x00000000, "8.2.3.10.12")            \
    R(RTTDQSEL,      0x04904,  4,    1, RW,    0x0000007F, 0x00000000, "8.2.3.10.13")            \
    R(RTTDT1C,       0x04908,  4,    1, RW,    0x00003FFF, 0x00000000, "8.2.3.10.14")            \
    R(RTTDT1S,       0x0490C,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.10.15")            \
    R(RTTBCNRM,      0x04980,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.10")               \
    R(RTTBCNRC,      0x04984,  4,    1, RW,    0x80FFFFFF, 0x00000000, "8.2.3.10.16")            \
    R(RTTBCNRD,      0x0498C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.10")               \
    R(RTTDTECC,      0x04990,  4,    1, RW,    0x00000100, 0x00000000, "8.2.3.10")               \
    R(RTTQCNTG,      0x04A90,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.10")               \
    R(RTTQCNCR,      0x08B00,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.10")               \
    R(DCA_ID,        0x11070,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.11.3")             \
    R(DCA_CTRL,      0x11074,  4,    1, RW,    0x0000001F, 0x00000001, "8.2.3.11.4")

/*
 * 8.2.3.12 Security: path control, LinkSec, IPsec. SECTX_RDY and SECRX_RDY follow TX_DIS
 * and RX_DIS. The rows are those of a part without the security offload: OFF_DIS is set, and the
 * blocks stay disabled.
 */
#define IXGBE_REGISTERS_SEC(R)                                                                   \
    R(SECTXCTRL,     0x08800,  4,    1, RW,    0x00000006, 0x00000001, "8.2.3.12.1")             \
    R(SECTXSTAT,     0x08804,  4,    1, RO,    0x00000000, 0x00000002, "8.2.3.12.2")             \
    R(SECTXBUFFAF,   0x08808,  4,    1, RW,    0x000003FF, 0x00000250, "8.2.3.12.3")             \
    R(SECTXMINIFG,   0x08810,  4,    1, RW,    0x00001F0F, 0x00001001, "8.2.3.12.4")             \
    R(SECRXCTRL,     0x08D00,  4,    1, RW,    0x00000002, 0x00000001, "8.2.3.12.5")             \
    R(SECRXSTAT,     0x08D04,  4,    1, RO,    0x00000000, 0x00000002, "8.2.3.12.6")             \
    R(LSECTXCAP,     0x08A00,  4,    1, RO,    0x00000000, 0x00010007, "8.2.3.13")               \
    R(LSECTXCTRL,    0x08A04,  4,    1, RW,    0xFFFFFF23, 0x00000000, "8.2.3.13")               \
    R(LSECTXSCL,     0x08A08,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.13")               \
    R(LSECTXSCH,     0x08A0C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.13")               \
    R(LSECTXSA,      0x08A10,  4,    1, RW,    0x0000003F, 0x00000000, "8.2.3.13")               \
    R(LSECTXPN0,     0x08A14,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.13")               \
    R(LSECTXPN1,     0x08A18,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.13")               \
    R(LSECTXKEY0,    0x08A1C,  4,    4, WO,    0xFFFFFFFF, 0x00000000, "8.2.3.13")               \
    R(LSECTXKEY1,    0x08A2C,  4,    4, WO,    0xFFFFFFFF, 0x00000000, "8.2.3.13")               \
    R(LSECTXUT,      0x08A3C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.13")               \
    R(LSECTXPKTE,    0x08A40,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.13")               \
    R(LSECTXPKTP,    0x08A44,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.13")               \
    R(LSECTXOCTE,    0x08A48,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.13")               \
    R(LSECTXOCTP,    0x08A4C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.13")               \
    R(LSECRXCAP,     0x08F00,  4,    1, RO,    0x00000000, 0x00010007, "8.2.3.14")               \
    R(LSECRXCTRL,    0x08F04,  4,    1, RW,    0x000000CC, 0x00000000, "8.2.3.14")               \
    R(LSECRXSCL,     0x08F08,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.14")               \
    R(LSECRXSCH,     0x08F0C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.14")               \
    R(LSECRXSA,      0x08F10,  4,    2, RW,    0x00000007, 0x00000000, "8.2.3.14")               \
    R(LSECRXPN,      0x08F18,  4,    2, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.14")               \
    R(LSECRXKEY,     0x08F20,  4,    8, WO,    0xFFFFFFFF, 0x00000000, "8.2.3.14")               \
    R(LSECRXUT,      0x08F40,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXOCTD,    0x08F44,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXOCTV,    0x08F48,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXBAD,     0x08F4C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXNOSCI,   0x08F50,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXUNSCI,   0x08F54,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXUNCH,    0x08F58,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXDELAY,   0x08F5C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXLATE,    0x08F60,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXOK,      0x08F64,  4,    2, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXINV,     0x08F6C,  4,    2, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXNV,      0x08F74,  4,    2, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXUNSA,    0x08F7C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(LSECRXNUSA,    0x08F80,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.14")               \
    R(IPSTXIDX,      0x08900,  4,    1, RW,    0x00001FF9, 0x00000000, "8.2.3.15")               \
    R(IPSTXSALT,     0x08904,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.15")               \
    R(IPSTXKEY,      0x08908,  4,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.15")               \
    R(IPSRXIDX,      0x08E00,  4,    1, RW,    0x00001FFF, 0x00000000, "8.2.3.16")               \
    R(IPSRXIPADDR,   0x08E04,  4,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.16")               \
    R(IPSRXSPI,      0x08E14,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.16")               \
    R(IPSRXIPIDX,    0x08E18,  4,    1, RW,    0x0000007F, 0x00000000, "8.2.3.16")               \
    R(IPSRXKEY,      0x08E1C,  4,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.16")               \
    R(IPSRXSALT,     0x08E2C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.16")               \
    R(IPSRXMOD,      0x08E30,  4,    1, RW,    0x0000001F, 0x00000000, "8.2.3.16")

/*
 * 8.2.3.19 Timers, and the time sync unit of 8.2.3.26. FRTIMER counts; TCPTIMER.KICKSTART
 * reads as zero.
 */
#define IXGBE_REGISTERS_TIME(R)                                                                  \
    R(FRTIMER,       0x00048,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.19")               \
    R(TCPTIMER,      0x0004C,  4,    1, RW,    0x00000AFF, 0x00000000, "8.2.3.19.1")             \
    R(TSYNCRXCTL,    0x05188,  4,    1, RW,    0x0000001E, 0x00000000, "8.2.3.26.1")             \
    R(RXSTMPL,       0x051E8,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.2")             \
    R(RXSTMPH,       0x051A4,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.3")             \
    R(RXSATRL,       0x051A0,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.4")             \
    R(RXSATRH,       0x051A8,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.5")             \
    R(RXMTRL,        0x05120,  4,    1, RW,    0xFFFFFFFF, 0x319F0000, "8.2.3.26.6")             \
    R(TSYNCTXCTL,    0x08C00,  4,    1, RW,    0x00000010, 0x00000000, "8.2.3.26.7")             \
    R(TXSTMPL,       0x08C04,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.8")             \
    R(TXSTMPH,       0x08C08,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.9")             \
    R(SYSTIML,       0x08C0C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.10")            \
    R(SYSTIMH,       0x08C10,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.11")            \
    R(TIMINCA,       0x08C14,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.12")            \
    R(TIMADJL,       0x08C18,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.13")            \
    R(TIMADJH,       0x08C1C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.14")            \
    R(TSAUXC,        0x08C20,  4,    1, RW,    0x000003FF, 0x00000000, "8.2.3.26.15")            \
    R(TRGTTIML0,     0x08C24,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.16")            \
    R(TRGTTIMH0,     0x08C28,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.17")            \
    R(TRGTTIML1,     0x08C2C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.18")            \
    R(TRGTTIMH1,     0x08C30,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26.19")            \
    R(CLKTIML,       0x08C34,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26")               \
    R(CLKTIMH,       0x08C38,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.26")               \
    R(AUXSTMPL0,     0x08C3C,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.20")            \
    R(AUXSTMPH0,     0x08C40,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.21")            \
    R(AUXSTMPL1,     0x08C44,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.22")            \
    R(AUXSTMPH1,     0x08C48,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.26.23")

/*
 * 8.2.3.20 Fibre Channel over Ethernet. The software NIC keeps what is written and does no
 * FCoE.
 */
#define IXGBE_REGISTERS_FCOE(R)                                                                  \
    R(FCPTRL,        0x02410,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.20")               \
    R(FCPTRH,        0x02414,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.20")               \
    R(FCBUFF,        0x02418,  4,    1, RW,    0xFFFFFF99, 0x00000000, "8.2.3.20")               \
    R(FCDMARW,       0x02420,  4,    1, RW,    0xFFFF01FF, 0x00000000, "8.2.3.20")               \
    R(FCFLT,         0x05108,  4,    1, RW,    0xFFFF0003, 0x00000000, "8.2.3.20")               \
    R(FCFLTRW,       0x05110,  4,    1, RW,    0x000001FF, 0x00000000, "8.2.3.20")               \
    R(FCPARAM,       0x051D8,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.20")               \
    R(FCRXCTRL,      0x05100,  4,    1, RW,    0x00000FFF, 0x00000000, "8.2.3.20")               \
    R(FCRECTL,       0x0ED00,  4,    1, RW,    0x00000001, 0x00000000, "8.2.3.20")               \
    R(FCRETA,        0x0ED10,  4,    8, RW,    0x0000007F, 0x00000000, "8.2.3.20")               \
    R(TEOFF,         0x04A94,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.20")               \
    R(TSOFF,         0x04A98,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.20")               \
    R(REOFF,         0x05158,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.20")               \
    R(RSOFF,         0x051F8,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.20")

/*
 * 8.2.3.21 Flow director. FDIRCTRL.INIT_DONE is set by the device; FDIRCMD.CMD returns to
 * zero when the command is done.
 */
#define IXGBE_REGISTERS_FDIR(R)                                                                  \
    R(FDIRCTRL,      0x0EE00,  4,    1, RW,    0xFF1F7FB3, 0x00000000, "8.2.3.21.1")             \
    R(FDIRHKEY,      0x0EE68,  4,    1, RW,    0xFFFFFFFF, 0x80000001, "8.2.3.21.2")             \
    R(FDIRSKEY,      0x0EE6C,  4,    1, RW,    0xFFFFFFFF, 0x80800101, "8.2.3.21.3")             \
    R(FDIRDIP4M,     0x0EE3C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.4")             \
    R(FDIRSIP4M,     0x0EE40,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.5")             \
    R(FDIRTCPM,      0x0EE44,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.6")             \
    R(FDIRUDPM,      0x0EE48,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.7")             \
    R(FDIRSCTPM,     0x0EE78,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21")               \
    R(FDIRIP6M,      0x0EE74,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.8")             \
    R(FDIRM,         0x0EE70,  4,    1, RW,    0x0000003F, 0x00000000, "8.2.3.21.9")             \
    R(FDIRFREE,      0x0EE38,  4,    1, RW,    0x7FFFFFFF, 0x00000000, "8.2.3.21.10")            \
    R(FDIRLEN,       0x0EE4C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.21.11")            \
    R(FDIRUSTAT,     0x0EE50,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.21.12")            \
    R(FDIRFSTAT,     0x0EE54,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.21.13")            \
    R(FDIRMATCH,     0x0EE58,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.21.14")            \
    R(FDIRMISS,      0x0EE5C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.21.15")            \
    R(FDIRSIPV6,     0x0EE0C,  4,    3, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.16")            \
    R(FDIRIPSA,      0x0EE18,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.17")            \
    R(FDIRIPDA,      0x0EE1C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.18")            \
    R(FDIRPORT,      0x0EE20,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.19")            \
    R(FDIRVLAN,      0x0EE24,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.21.20")            \
    R(FDIRHASH,      0x0EE28,  4,    1, RW,    0x7FFFFFFF, 0x00000000, "8.2.3.21.21")            \
    R(FDIRCMD,       0x0EE2C,  4,    1, RW,    0x3F7FDFFB, 0x00000000, "8.2.3.21.22")

/*
 * 8.2.3.22 MAC, PCS and link. AUTOC and AUTOC2 are what the EEPROM of an SFP+ adapter
 * loads (10 Gb/s serial, SFI); AUTOC.Restart_AN clears itself; LINKS and the PCS status
 * follow the link.
 */
#define IXGBE_REGISTERS_MAC(R)                                                                   \
    R(PCS1GCFIG,     0x04200,  4,    1, RW,    0x40000000, 0x00000000, "8.2.3.22.1")             \
    R(PCS1GLCTL,     0x04208,  4,    1, RW,    0x02070061, 0x00000000, "8.2.3.22.2")             \
    R(PCS1GLSTA,     0x0420C,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.3")             \
    R(PCS1GDBG0,     0x04210,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22")               \
    R(PCS1GDBG1,     0x04214,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22")               \
    R(PCS1GANA,      0x04218,  4,    1, RW,    0x0000B1A0, 0x00000020, "8.2.3.22.4")             \
    R(PCS1GANLP,     0x0421C,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.5")             \
    R(PCS1GANNP,     0x04220,  4,    1, RW,    0x0000BFFF, 0x00000000, "8.2.3.22.6")             \
    R(PCS1GANLPNP,   0x04224,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.7")             \
    R(HLREG0,        0x04240,  4,    1, RW,    0x18F38407, 0x08010403, "8.2.3.22.8")             \
    R(HLREG1,        0x04244,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.9")             \
    R(PAP,           0x04248,  4,    1, RW,    0x000FFFFF, 0x0000FFFF, "8.2.3.22.10")            \
    R(MACA,          0x0424C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22")               \
    R(APAE,          0x04250,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22")               \
    R(ARD,           0x04254,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22")               \
    R(AIS,           0x04258,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22")               \
    R(MSCA,          0x0425C,  4,    1, RW,    0x3FFFFFFF, 0x00000000, "8.2.3.22.11")            \
    R(MSRWD,         0x04260,  4,    1, RW,    0x0000FFFF, 0x00000000, "8.2.3.22.12")            \
    R(MLADD,         0x04264,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22")               \
    R(MAXFRS,        0x04268,  4,    1, RW,    0xFFFF0000, 0x05EE0000, "8.2.3.22.13")            \
    R(TREG,          0x0426C,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22")               \
    R(PCSS1,         0x04288,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.14")            \
    R(PCSS2,         0x0428C,  4,    1, RO,    0x00000000, 0x00008000, "8.2.3.22.15")            \
    R(XPCSS,         0x04290,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.16")            \
    R(SERDESC,       0x04298,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22.17")            \
    R(MACS,          0x0429C,  4,    1, RW,    0x0FFF000F, 0x00000000, "8.2.3.22.18")            \
    R(AUTOC,         0x042A0,  4,    1, RW,    0xFFFFEFFF, 0xC09C6004, "8.2.3.22.19")            \
    R(LINKS,         0x042A4,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.20")            \
    R(LINKS2,        0x04324,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.21")            \
    R(AUTOC2,        0x042A8,  4,    1, RW,    0xFFFF0000, 0x000A0000, "8.2.3.22.22")            \
    R(AUTOC3,        0x042AC,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22")               \
    R(ANLP1,         0x042B0,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.23")            \
    R(ANLP2,         0x042B4,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.24")            \
    R(MMNGC,         0x042D0,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.25")            \
    R(ANLPNP1,       0x042D4,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.26")            \
    R(ANLPNP2,       0x042D8,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.22.27")            \
    R(KRPCSFC,       0x042E0,  4,    1, RW,    0x0DFD0000, 0x00000000, "8.2.3.22.28")            \
    R(KRPCSS,        0x042E4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.22.29")            \
    R(FECS1,         0x042E8,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.22.30")            \
    R(FECS2,         0x042EC,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.22.31")            \
    R(CORECTL,       0x14F00,  4,    1, RW,    0x0001FFFF, 0x00000000, "8.2.3.22.32")            \
    R(SMADARCTL,     0x14F10,  4,    1, RW,    0x0001FFFF, 0x00000000, "8.2.3.22.33")            \
    R(MFLCN,         0x04294,  4,    1, RW,    0x0000000F, 0x00000000, "8.2.3.22.34")            \
    R(SGMIIC,        0x04314,  4,    1, RW,    0x0002FFFF, 0x00000000, "8.2.3.22.35")            \
    R(MPVC,          0x04318,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.22")               \
    R(MACC,          0x04330,  4,    1, RW,    0x00070001, 0x00000000, "8.2.3.22")               \
    R(ATLASCTL,      0x04800,  4,    1, RW,    0x0001FFFF, 0x00000000, "8.2.3.22")

/*
 * 8.2.3.23 Statistics. Counters stick at their maximum and clear on read. A 36-bit pair is
 * read low word first; reading the high word clears both.
 */
#define IXGBE_REGISTERS_STAT(R)                                                                  \
    R(CRCERRS,       0x04000,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.1")             \
    R(ILLERRC,       0x04004,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.2")             \
    R(ERRBC,         0x04008,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.3")             \
    R(RXMPC,         0x03FA0,  4,    8, RC,    0x00000000, 0x00000000, "8.2.3.23.4")             \
    R(MLFC,          0x04034,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.5")             \
    R(MRFC,          0x04038,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.6")             \
    R(RLEC,          0x04040,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.7")             \
    R(SSVPC,         0x08780,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.8")             \
    R(LXONTXC,       0x03F60,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.9")             \
    R(LXONRXCNT,     0x041A4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.10")            \
    R(LXOFFTXC,      0x03F68,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.11")            \
    R(LXOFFRXCNT,    0x041A8,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.12")            \
    R(PXONTXC,       0x03F00,  4,    8, RC,    0x00000000, 0x00000000, "8.2.3.23.13")            \
    R(PXONRXCNT,     0x04140,  4,    8, RC,    0x00000000, 0x00000000, "8.2.3.23.14")            \
    R(PXOFFTXC,      0x03F20,  4,    8, RC,    0x00000000, 0x00000000, "8.2.3.23.15")            \
    R(PXOFFRXCNT,    0x04160,  4,    8, RC,    0x00000000, 0x00000000, "8.2.3.23.16")            \
    R(PXON2OFFCNT,   0x03240,  4,    8, RC,    0x00000000, 0x00000000, "8.2.3.23.17")            \
    R(PRC64,         0x0405C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.18")            \
    R(PRC127,        0x04060,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.19")            \
    R(PRC255,        0x04064,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.20")            \
    R(PRC511,        0x04068,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.21")            \
    R(PRC1023,       0x0406C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.22")            \
    R(PRC1522,       0x04070,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.23")            \
    R(BPRC,          0x04078,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.24")            \
    R(MPRC,          0x0407C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.25")            \
    R(GPRC,          0x04074,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.26")            \
    R(GORCL,         0x04088,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.27")            \
    R(GORCH,         0x0408C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.28")            \
    R(RXNFGPC,       0x041B0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.29")            \
    R(RXNFGBCL,      0x041B4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.30")            \
    R(RXNFGBCH,      0x041B8,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.31")            \
    R(RXDGPC,        0x02F50,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.32")            \
    R(RXDGBCL,       0x02F54,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.33")            \
    R(RXDGBCH,       0x02F58,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.34")            \
    R(RXDDPC,        0x02F5C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.35")            \
    R(RXDDBCL,       0x02F60,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.36")            \
    R(RXDDBCH,       0x02F64,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.37")            \
    R(RXLPBKPC,      0x02F68,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.38")            \
    R(RXLPBKBCL,     0x02F6C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.39")            \
    R(RXLPBKBCH,     0x02F70,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.40")            \
    R(RXDLPBKPC,     0x02F74,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.41")            \
    R(RXDLPBKBCL,    0x02F78,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.42")            \
    R(RXDLPBKBCH,    0x02F7C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.43")            \
    R(GPTC,          0x04080,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.44")            \
    R(GOTCL,         0x04090,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.45")            \
    R(GOTCH,         0x04094,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.46")            \
    R(TXDGPC,        0x087A0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.47")            \
    R(TXDGBCL,       0x087A4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.48")            \
    R(TXDGBCH,       0x087A8,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.49")            \
    R(RUC,           0x040A4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.50")            \
    R(RFC,           0x040A8,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.51")            \
    R(ROC,           0x040AC,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.52")            \
    R(RJC,           0x040B0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.53")            \
    R(MNGPRC,        0x040B4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.54")            \
    R(MNGPDC,        0x040B8,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.55")            \
    R(MNGPTC,        0x0CF90,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.56")            \
    R(TORL,          0x040C0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.57")            \
    R(TORH,          0x040C4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.58")            \
    R(TPR,           0x040D0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.59")            \
    R(TPT,           0x040D4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.60")            \
    R(PTC64,         0x040D8,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.61")            \
    R(PTC127,        0x040DC,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.62")            \
    R(PTC255,        0x040E0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.63")            \
    R(PTC511,        0x040E4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.64")            \
    R(PTC1023,       0x040E8,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.65")            \
    R(PTC1522,       0x040EC,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.66")            \
    R(MPTC,          0x040F0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.67")            \
    R(BPTC,          0x040F4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.68")            \
    R(MSPDC,         0x04010,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.69")            \
    R(XEC,           0x04120,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.70")            \
    R(RQSMR,         0x02300,  4,   32, RW,    0x0F0F0F0F, 0x00000000, "8.2.3.23.71")            \
    R(RXDSTATCTRL,   0x02F40,  4,    1, RW,    0x0000001F, 0x00000000, "8.2.3.23.72")            \
    R(TQSM,          0x08600,  4,   32, RW,    0x0F0F0F0F, 0x00000000, "8.2.3.23.73")            \
    R(QPRC,          0x01030, 64,   16, RC,    0x00000000, 0x00000000, "8.2.3.23.74")            \
    R(QPRDC,         0x01430, 64,   16, RC,    0x00000000, 0x00000000, "8.2.3.23.75")            \
    R(QBRC_L,        0x01034, 64,   16, RC,    0x00000000, 0x00000000, "8.2.3.23.76")            \
    R(QBRC_H,        0x01038, 64,   16, RC,    0x00000000, 0x00000000, "8.2.3.23.77")            \
    R(QPTC,          0x08680,  4,   16, RC,    0x00000000, 0x00000000, "8.2.3.23.78")            \
    R(QBTC_L,        0x08700,  8,   16, RC,    0x00000000, 0x00000000, "8.2.3.23.79")            \
    R(QBTC_H,        0x08704,  8,   16, RC,    0x00000000, 0x00000000, "8.2.3.23.80")            \
    R(FCCRC,         0x05118,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.81")            \
    R(FCOERPDC,      0x0241C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.82")            \
    R(FCLAST,        0x02424,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.83")            \
    R(FCOEPRC,       0x02428,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.84")            \
    R(FCOEDWRC,      0x0242C,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.85")            \
    R(FCOEPTC,       0x08784,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.86")            \
    R(FCOEDWTC,      0x08788,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23.87")            \
    R(O2BGPTC,       0x041C4,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23")               \
    R(O2BSPC,        0x087B0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23")               \
    R(B2OSPC,        0x041C0,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23")               \
    R(B2OGPRC,       0x02F90,  4,    1, RC,    0x00000000, 0x00000000, "8.2.3.23")

/* 8.2.3.24 Wake up. */
#define IXGBE_REGISTERS_WAKE(R)                                                                  \
    R(WUC,           0x05800,  4,    1, RW,    0x00000012, 0x00000000, "8.2.3.24.1")             \
    R(WUFC,          0x05808,  4,    1, RW,    0x003F81FF, 0x00000000, "8.2.3.24.2")             \
    R(WUS,           0x05810,  4,    1, W1C,   0x003F01FF, 0x00000000, "8.2.3.24.3")             \
    R(IPAV,          0x05838,  4,    1, RW,    0x0001000F, 0x00000000, "8.2.3.24.4")             \
    R(IP4AT,         0x05840,  8,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.24.5")             \
    R(IP6AT,         0x05880,  4,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.24.6")             \
    R(WUPL,          0x05900,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.24.7")             \
    R(WUPM,          0x05A00,  4,   32, RO,    0x00000000, 0x00000000, "8.2.3.24.8")             \
    R(FHFT,          0x09000,  4,  256, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.24.9")             \
    R(FHFT_EXT,      0x09800,  4,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.24.9")

/*
 * 8.2.3.25 Manageability filters, and the host interface of the management firmware.
 * HICR.EN is clear: there is no firmware that answers.
 */
#define IXGBE_REGISTERS_MNG(R)                                                                   \
    R(MAVTV,         0x05010,  4,    8, RW,    0x00000FFF, 0x00000000, "8.2.3.25.1")             \
    R(MFUTP,         0x05030,  4,    8, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25.2")             \
    R(BMCIP,         0x05050,  4,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25")               \
    R(BMCIPVAL,      0x05060,  4,    1, RW,    0x00000003, 0x00000000, "8.2.3.25")               \
    R(METF,          0x05190,  4,    4, RW,    0x4000FFFF, 0x00000000, "8.2.3.25.3")             \
    R(MANC,          0x05820,  4,    1, RW,    0x07FA0000, 0x00000000, "8.2.3.25.4")             \
    R(MFVAL,         0x05824,  4,    1, RW,    0x0F0FFF0F, 0x00000000, "8.2.3.25.5")             \
    R(MANC2H,        0x05860,  4,    1, RW,    0x000000FF, 0x00000000, "8.2.3.25.6")             \
    R(MDEF,          0x05890,  4,    8, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25.7")             \
    R(MDEF_EXT,      0x05160,  4,    8, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25.7")             \
    R(MIPAF,         0x058B0,  4,   16, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25.8")             \
    R(MMAL,          0x05910,  8,    4, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25.9")             \
    R(MMAH,          0x05914,  8,    4, RW,    0x0000FFFF, 0x00000000, "8.2.3.25.10")            \
    R(FTFT,          0x09400,  4,  256, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25.11")            \
    R(LSWFW,         0x15014,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25")               \
    R(FLEX_MNG,      0x15800,  4,  448, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25")               \
    R(HICR,          0x15F00,  4,    1, RW,    0x000000C2, 0x00000000, "8.2.3.25")               \
    R(HSMC0R,        0x15F04,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.25")               \
    R(HSMC1R,        0x15F08,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.25")               \
    R(FWSTS,         0x15F0C,  4,    1, W1C,   0x00000200, 0x00000000, "8.2.3.25")               \
    R(SWSR,          0x15F10,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.25")               \
    R(HFDR,          0x15FE8,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.25")

/*
 * 8.2.3.27 Virtualization. PFVFLRE_HI and the PVF* rows lie inside other ranges of the
 * address map. PFMAILBOX bits act on their VF's side and read back as the device sets
 * them.
 */
#define IXGBE_REGISTERS_VIRT(R)                                                                  \
    R(PFVTCTL,       0x051B0,  4,    1, RW,    0x60001F81, 0x00000000, "8.2.3.27.1")             \
    R(PFMAILBOX,     0x04B00,  4,   64, RW,    0x0000001C, 0x00000000, "8.2.3.27.2")             \
    R(PVFMAILBOX,    0x04C00,  4,   64, RO,    0x00000000, 0x00000000, "8.2.3.27")               \
    R(PFMBMEM,       0x13000,  4, 1024, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27")               \
    R(PFMBICR,       0x00710,  4,    4, W1C,   0xFFFFFFFF, 0x00000000, "8.2.3.27.3")             \
    R(PFMBIMR,       0x00720,  4,    2, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27.4")             \
    R(PFVFLRE,       0x00600,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.27.5")             \
    R(PFVFLRE_HI,    0x001C0,  4,    1, RO,    0x00000000, 0x00000000, "8.2.3.27.5")             \
    R(PFVFLREC,      0x00700,  4,    2, W1C,   0xFFFFFFFF, 0x00000000, "8.2.3.27.6")             \
    R(PFVFRE,        0x051E0,  4,    2, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27.7")             \
    R(PFVFTE,        0x08110,  4,    2, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27.8")             \
    R(PFQDE,         0x02F04,  4,    1, RW,    0x00007F01, 0x00000000, "8.2.3.27.9")             \
    R(PFVMTXSW,      0x05180,  4,    2, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27.10")            \
    R(PFVFSPOOF,     0x08200,  4,    8, RW,    0x0000FFFF, 0x00000000, "8.2.3.27.11")            \
    R(PFDTXGSWC,     0x08220,  4,    1, RW,    0x00000001, 0x00000000, "8.2.3.27.12")            \
    R(PFVMVIR,       0x08000,  4,   64, RW,    0xC000FFFF, 0x00000000, "8.2.3.27.13")            \
    R(PFVML2FLT,     0x0F000,  4,   64, RW,    0x1F000000, 0x00000000, "8.2.3.27.14")            \
    R(PFVLVF,        0x0F100,  4,   64, RW,    0x80000FFF, 0x00000000, "8.2.3.27.15")            \
    R(PFVLVFB,       0x0F200,  4,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27.16")            \
    R(PFUTA,         0x0F400,  4,  128, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27.17")            \
    R(PFMRCTL,       0x0F600,  4,    4, RW,    0x00003F1F, 0x00000000, "8.2.3.27.18")            \
    R(PFMRVLAN,      0x0F610,  4,    8, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27.19")            \
    R(PFMRVM,        0x0F630,  4,    8, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27.20")            \
    R(VMECM,         0x08790,  4,    2, RW,    0xFFFFFFFF, 0x00000000, "8.2.3.27")               \
    R(WQBR_RX,       0x02FB0,  4,    4, W1C,   0xFFFFFFFF, 0x00000000, "8.2.3.27")               \
    R(WQBR_TX,       0x08130,  4,    4, W1C,   0xFFFFFFFF, 0x00000000, "8.2.3.27")               \
    R(PVFGPRC,       0x0101C, 64,   64, RO,    0x00000000, 0x00000000, "8.3")                    \
    R(PVFGPTC,       0x08300,  4,   64, RO,    0x00000000, 0x00000000, "8.3")                    \
    R(PVFGORC_LSB,   0x01020, 64,   64, RO,    0x00000000, 0x00000000, "8.3")                    \
    R(PVFGORC_MSB,   0x0D020, 64,   64, RO,    0x00000000, 0x00000000, "8.3")                    \
    R(PVFGOTC_LSB,   0x08400,  8,   64, RO,    0x00000000, 0x00000000, "8.3")                    \
    R(PVFGOTC_MSB,   0x08404,  8,   64, RO,    0x00000000, 0x00000000, "8.3")                    \
    R(PVFMPRC,       0x0D01C, 64,   64, RO,    0x00000000, 0x00000000, "8.3")

/* Diagnostic windows. The datasheet does not describe them; register dumps read them. */
#define IXGBE_REGISTERS_DIAG(R)                                                                  \
    R(RDSTAT,        0x02C00,  4,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(RDSTATCTL,     0x02C20,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(RDHMPN,        0x02F08,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(RIC_DW,        0x02F10,  4,    4, RO,    0x00000000, 0x00000000, "")                       \
    R(RDPROBE,       0x02F20,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(TDSTATCTL,     0x07C20,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(TDPROBE,       0x07F20,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(TXBUFCTRL,     0x0C600,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(TXBUFDATA,     0x0C610,  4,    4, RO,    0x00000000, 0x00000000, "")                       \
    R(RXBUFCTRL,     0x03600,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(RXBUFDATA,     0x03610,  4,    4, RO,    0x00000000, 0x00000000, "")                       \
    R(RFVAL,         0x050A4,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(MDFTC1,        0x042B8,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(MDFTC2,        0x042C0,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(MDFTFIFO1,     0x042C4,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(MDFTFIFO2,     0x042C8,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(MDFTS,         0x042CC,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(PBRXECC,       0x03300,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(PBTXECC,       0x0C300,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(RXDBUECC,      0x03F70,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(RXDBUEST,      0x03F74,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(TXDBUECC,      0x0CF70,  4,    1, RW,    0xFFFFFFFF, 0x00000000, "")                       \
    R(TXDBUEST,      0x0CF74,  4,    1, RO,    0x00000000, 0x00000000, "")

/*
 * Registers of the 82598 that shared register dumps still read on an 82599: zero. Its
 * registers between 0x6000 and 0x7FFF are not here, for those addresses belong to transmit
 * queues 32..127 now.
 */
#define IXGBE_REGISTERS_LEGACY(R)                                                                \
    R(MSIXPBA,       0x02000,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(RT2CR,         0x03C20,  4,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(RT2SR,         0x03C40,  4,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(DROPEN,        0x03D04,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(RNBC,          0x03FC0,  4,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(RUPPBMR,       0x050A0,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(VMD_CTL,       0x0581C,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(IMIR,          0x05A80,  4,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(IMIREXT,       0x05AA0,  4,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(TDTQ2TCCR,     0x0602C, 64,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(TDTQ2TCSR,     0x0622C, 64,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(TIPG,          0x0CB00,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(PXONRXC,       0x0CF00,  4,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(PXOFFRXC,      0x0CF20,  4,    8, RO,    0x00000000, 0x00000000, "")                       \
    R(LXONRXC,       0x0CF60,  4,    1, RO,    0x00000000, 0x00000000, "")                       \
    R(LXOFFRXC,      0x0CF68,  4,    1, RO,    0x00000000, 0x00000000, "")

/* The whole table, in the order of the datasheet. */
#define IXGBE_REGISTERS(R)                       \
    IXGBE_REGISTERS_GENERAL(R)                   \
    IXGBE_REGISTERS_NVM(R)                       \
    IXGBE_REGISTERS_FLOW(R)                      \
    IXGBE_REGISTERS_PCIE(R)                      \
    IXGBE_REGISTERS_INTR(R)                      \
    IXGBE_REGISTERS_RXFILT(R)                    \
    IXGBE_REGISTERS_RXDMA(R)                     \
    IXGBE_REGISTERS_TX(R)                        \
    IXGBE_REGISTERS_DCB(R)                       \
    IXGBE_REGISTERS_SEC(R)                       \
    IXGBE_REGISTERS_TIME(R)                      \
    IXGBE_REGISTERS_FCOE(R)                      \
    IXGBE_REGISTERS_FDIR(R)                      \
    IXGBE_REGISTERS_MAC(R)                       \
    IXGBE_REGISTERS_STAT(R)                      \
    IXGBE_REGISTERS_WAKE(R)                      \
    IXGBE_REGISTERS_MNG(R)                       \
    IXGBE_REGISTERS_VIRT(R)                      \
    IXGBE_REGISTERS_DIAG(R)                      \
    IXGBE_REGISTERS_LEGACY(R)

/*
 * Second addresses of registers above, for software written for the 82598:
 * A(TARGET, offset, stride, count), element n being element n of TARGET.
 */
#define IXGBE_REGISTER_ALIASES(A)                \
    A(SRRCTL,      0x02100,  4,  16)             \
    A(DCA_RXCTRL,  0x02200,  4,  16)             \
    A(RAL,         0x05400,  8,  16)             \
    A(RAH,         0x05404,  8,  16)             \
    A(PSRTYPE,     0x05480,  4,  16)             \
    A(MRQC,        0x05818,  4,   1)             \
    A(IMIRVP,      0x05AC0,  4,   1)             \
    A(RETA,        0x05C00,  4,  32)             \
    A(RSSRK,       0x05C80,  4,  10)             \
    A(QPTC,        0x06030, 64,  16)             \
    A(QBTC_L,      0x06034, 64,  16)             \
    A(PBACL,       0x11068,  4,   1)
/* clang-format on */
