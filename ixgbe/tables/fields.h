/* SPDX-License-Identifier: MIT */
/*
 * The fields of the 82599's registers, as masks.
 *
 * IXGBE_<REG>_<FIELD> is a mask, of one bit or several. Where a field of several bits has
 * named values, they are IXGBE_<REG>_<FIELD>_<VALUE> and stand unshifted, for
 * IXGBE_FIELD_PREP or to compare with IXGBE_FIELD_GET:
 *
 *     autoc = IXGBE_FIELD_SET(IXGBE_AUTOC_LMS, autoc, IXGBE_AUTOC_LMS_10G_SERIAL);
 *     if (IXGBE_FIELD_GET(IXGBE_LINKS_SPEED, links) == IXGBE_LINKS_SPEED_10G)
 *
 * No shift constants, so a mask and its position cannot disagree. Only registers with
 * fields are here; their offsets are in regs.h. Sections are the 82599 datasheet's. This
 * file includes the others: fields_queue.h and fields_link.h.
 */
#pragma once

#include <stdint.h>

/* A helper's result has the mask's type: 32 bits here, 64 where a descriptor needs it. */

/* The lowest bit of a mask: multiplying by it shifts a value into the field. */
#define IXGBE_FIELD_UNIT(mask) ((mask) & (~(mask) + 1u))

/* The field's value in a register's value. */
#define IXGBE_FIELD_GET(mask, value) (((__typeof__(mask))(value) & (mask)) / IXGBE_FIELD_UNIT(mask))

/* A field's value, in place; bits that do not fit are cut off. */
#define IXGBE_FIELD_PREP(mask, field) (((__typeof__(mask))(field)*IXGBE_FIELD_UNIT(mask)) & (mask))

/* A register's value with one field replaced. */
#define IXGBE_FIELD_SET(mask, value, field)                                                        \
	(((__typeof__(mask))(value) & ~(mask)) | IXGBE_FIELD_PREP(mask, field))

/* ---- General control, EEPROM, semaphores, PCIe ---- */

/* CTRL, 8.2.3.1.1 */
#define IXGBE_CTRL_PCIE_MASTER_DISABLE 0x00000004u /* no new PCIe requests */
#define IXGBE_CTRL_LRST                0x00000008u /* link reset: MAC and PCS */
#define IXGBE_CTRL_RST                 0x04000000u /* device reset, clears itself */

/* STATUS, 8.2.3.1.2 */
#define IXGBE_STATUS_LAN_ID             0x0000000Cu /* which port of the adapter */
#define IXGBE_STATUS_LINK_UP            0x00000080u
#define IXGBE_STATUS_NUM_VFS            0x0003FC00u
#define IXGBE_STATUS_IOV_ACTIVE         0x00040000u
#define IXGBE_STATUS_PCIE_MASTER_ENABLE 0x00080000u /* requests may still be outstanding */

/* CTRL_EXT, 8.2.3.1.3 */
#define IXGBE_CTRL_EXT_PFRSTD        0x00004000u /* tells VFs: the PF has been reset */
#define IXGBE_CTRL_EXT_NS_DIS        0x00010000u /* no-snoop disable */
#define IXGBE_CTRL_EXT_RO_DIS        0x00020000u /* relaxed ordering disable */
#define IXGBE_CTRL_EXT_EXTENDED_VLAN 0x04000000u /* frames carry an outer tag */
#define IXGBE_CTRL_EXT_DRV_LOAD      0x10000000u /* tells firmware: a driver is there */

/* ESDP, 8.2.3.1.4: software-defined pins; the board decides what they mean */
#define IXGBE_ESDP_SDP0_DATA   0x00000001u
#define IXGBE_ESDP_SDP1_DATA   0x00000002u
#define IXGBE_ESDP_SDP2_DATA   0x00000004u
#define IXGBE_ESDP_SDP3_DATA   0x00000008u
#define IXGBE_ESDP_SDP4_DATA   0x00000010u
#define IXGBE_ESDP_SDP5_DATA   0x00000020u
#define IXGBE_ESDP_SDP6_DATA   0x00000040u
#define IXGBE_ESDP_SDP7_DATA   0x00000080u
#define IXGBE_ESDP_SDP_IODIR   0x0000FF00u /* 1 is output */
#define IXGBE_ESDP_SDP3_IODIR  0x00000800u
#define IXGBE_ESDP_SDP4_IODIR  0x00001000u
#define IXGBE_ESDP_SDP5_IODIR  0x00002000u
#define IXGBE_ESDP_SDP_NATIVE  0x00FF0000u /* 1 is the native function */
#define IXGBE_ESDP_SDP0_NATIVE 0x00010000u
#define IXGBE_ESDP_SDP1_NATIVE 0x00020000u

/* I2CCTL, 8.2.3.1.5: the two wires to the module, bit by bit; outputs are open drain */
#define IXGBE_I2CCTL_CLK_IN   0x00000001u
#define IXGBE_I2CCTL_CLK_OUT  0x00000002u
#define IXGBE_I2CCTL_DATA_IN  0x00000004u
#define IXGBE_I2CCTL_DATA_OUT 0x00000008u

/* LEDCTL, 8.2.3.1.6: LED0; LED n is 8 * n bits higher */
#define IXGBE_LEDCTL_LED0_MODE                 0x0000000Fu
#define IXGBE_LEDCTL_LED0_MODE_LINK_UP         0
#define IXGBE_LEDCTL_LED0_MODE_LINK_10G        1
#define IXGBE_LEDCTL_LED0_MODE_MAC_ACTIVITY    2
#define IXGBE_LEDCTL_LED0_MODE_FILTER_ACTIVITY 3
#define IXGBE_LEDCTL_LED0_MODE_LINK_ACTIVITY   4
#define IXGBE_LEDCTL_LED0_MODE_LINK_1G         5
#define IXGBE_LEDCTL_LED0_MODE_LINK_100M       6
#define IXGBE_LEDCTL_LED0_MODE_ON              14
#define IXGBE_LEDCTL_LED0_MODE_OFF             15
#define IXGBE_LEDCTL_GLOBAL_BLINK_MODE         0x00000020u
#define IXGBE_LEDCTL_LED0_INVERT               0x00000040u
#define IXGBE_LEDCTL_LED0_BLINK                0x00000080u

/* EXVET, 8.2.3.1.7 */
#define IXGBE_EXVET_VET_EXT 0xFFFF0000u /* EtherType of the outer tag */

/* EEC, 8.2.3.2.1 */
#define IXGBE_EEC_SK           0x00000001u /* clock of bit-banged access */
#define IXGBE_EEC_CS           0x00000002u /* chip select */
#define IXGBE_EEC_DI           0x00000004u /* data to the EEPROM */
#define IXGBE_EEC_DO           0x00000008u /* data from the EEPROM */
#define IXGBE_EEC_FWE          0x00000030u /* flash write enable */
#define IXGBE_EEC_FWE_ERASE    0
#define IXGBE_EEC_FWE_DISABLED 1
#define IXGBE_EEC_FWE_ENABLED  2
#define IXGBE_EEC_REQ          0x00000040u /* software asks for the pins */
#define IXGBE_EEC_GNT          0x00000080u /* software has the pins */
#define IXGBE_EEC_PRES         0x00000100u /* EEPROM present */
#define IXGBE_EEC_AUTO_RD      0x00000200u /* automatic read after reset is done */
#define IXGBE_EEC_ADDR_SIZE    0x00000400u
#define IXGBE_EEC_SIZE         0x00007800u /* words are 1 << (6 + SIZE) */
#define IXGBE_EEC_ALL_DONE     0x003F8000u /* every unit is configured */

/* EERD, 8.2.3.2.2 */
#define IXGBE_EERD_START 0x00000001u
#define IXGBE_EERD_DONE  0x00000002u
#define IXGBE_EERD_ADDR  0x0000FFFCu /* in 16-bit words */
#define IXGBE_EERD_DATA  0xFFFF0000u

/* FLA, 8.2.3.2.3 */
#define IXGBE_FLA_SCK   0x00000001u
#define IXGBE_FLA_CE    0x00000002u
#define IXGBE_FLA_SI    0x00000004u
#define IXGBE_FLA_SO    0x00000008u
#define IXGBE_FLA_REQ   0x00000010u
#define IXGBE_FLA_GNT   0x00000020u
#define IXGBE_FLA_BUSY  0x40000000u
#define IXGBE_FLA_ERASE 0x80000000u

/* EEMNGCTL, 8.2.3.2.4 */
#define IXGBE_EEMNGCTL_ADDR      0x00007FFFu
#define IXGBE_EEMNGCTL_START     0x00008000u
#define IXGBE_EEMNGCTL_WRITE     0x00010000u
#define IXGBE_EEMNGCTL_BUSY      0x00020000u
#define IXGBE_EEMNGCTL_CFG_DONE0 0x00040000u /* port 0 is configured */
#define IXGBE_EEMNGCTL_CFG_DONE1 0x00080000u /* port 1 is configured */
#define IXGBE_EEMNGCTL_DONE      0x80000000u

/* GRC, 8.2.3.2.9 */
#define IXGBE_GRC_MNG_EN 0x00000001u
#define IXGBE_GRC_APME   0x00000002u /* wake up armed by the EEPROM */

/* FACTPS, 8.2.3.4.6 */
#define IXGBE_FACTPS_F0_POWER_STATE     0x00000003u
#define IXGBE_FACTPS_F0_POWER_STATE_DR  0
#define IXGBE_FACTPS_F0_POWER_STATE_D0U 1
#define IXGBE_FACTPS_F0_POWER_STATE_D0A 2
#define IXGBE_FACTPS_F0_POWER_STATE_D3  3
#define IXGBE_FACTPS_LAN0_VALID         0x00000004u
#define IXGBE_FACTPS_F0_AUX_EN          0x00000008u
#define IXGBE_FACTPS_F1_POWER_STATE     0x000000C0u
#define IXGBE_FACTPS_LAN1_VALID         0x00000100u
#define IXGBE_FACTPS_F1_AUX_EN          0x00000200u
#define IXGBE_FACTPS_MNGCG              0x20000000u /* manageability clock gated */
#define IXGBE_FACTPS_LFS                0x40000000u /* the two functions are swapped */
#define IXGBE_FACTPS_PM_STATE_CHANGED   0x80000000u

/* GCR, 8.2.3.4.1 */
#define IXGBE_GCR_CMPL_TMOUT_RESEND_EN 0x00000200u
#define IXGBE_GCR_CMPL_TMOUT           0x0000F000u /* used with capability version 1 */
#define IXGBE_GCR_CMPL_TMOUT_RESEND    0x00010000u
#define IXGBE_GCR_CAP_VER2             0x00040000u /* timeouts are in PCI config space */

/* GCR_EXT, 8.2.3.4.12 */
#define IXGBE_GCR_EXT_VT_MODE       0x00000003u
#define IXGBE_GCR_EXT_VT_MODE_NONE  0
#define IXGBE_GCR_EXT_VT_MODE_16    1
#define IXGBE_GCR_EXT_VT_MODE_32    2
#define IXGBE_GCR_EXT_VT_MODE_64    3
#define IXGBE_GCR_EXT_APBACD        0x00000010u /* automatic PBA clear disabled */
#define IXGBE_GCR_EXT_BUFFERS_CLEAR 0x40000000u /* flush; section 5.2.5.3.2 */
#define IXGBE_GCR_EXT_MSIX_EN       0x80000000u

/* SWSM, 8.2.3.4.9 */
#define IXGBE_SWSM_SMBI    0x00000001u /* between drivers: a read sets it */
#define IXGBE_SWSM_SWESMBI 0x00000002u /* between software and firmware */

/* FWSM, 8.2.3.4.10 */
#define IXGBE_FWSM_FWSMBI                 0x00000001u
#define IXGBE_FWSM_FW_MODE                0x0000000Eu
#define IXGBE_FWSM_FW_MODE_NONE           0
#define IXGBE_FWSM_FW_MODE_PASS_THROUGH   2
#define IXGBE_FWSM_FW_MODE_HOST_INTERFACE 4
#define IXGBE_FWSM_EEP_RELOADED           0x00000040u
#define IXGBE_FWSM_FW_VALID               0x00008000u
#define IXGBE_FWSM_RESET_CNT              0x00070000u
#define IXGBE_FWSM_EXT_ERR_IND            0x01F80000u

/* FWSTS, 8.2.3.25 */
#define IXGBE_FWSTS_FWRI 0x00000200u /* firmware was reset; a one acknowledges it */

/* SW_FW_SYNC, 8.2.3.4.11: SW_* by software, FW_* by firmware */
#define IXGBE_SW_FW_SYNC_SW_EEP     0x00000001u
#define IXGBE_SW_FW_SYNC_SW_PHY0    0x00000002u
#define IXGBE_SW_FW_SYNC_SW_PHY1    0x00000004u
#define IXGBE_SW_FW_SYNC_SW_MAC_CSR 0x00000008u
#define IXGBE_SW_FW_SYNC_SW_FLASH   0x00000010u
#define IXGBE_SW_FW_SYNC_FW_EEP     0x00000020u
#define IXGBE_SW_FW_SYNC_FW_PHY0    0x00000040u
#define IXGBE_SW_FW_SYNC_FW_PHY1    0x00000080u
#define IXGBE_SW_FW_SYNC_FW_MAC_CSR 0x00000100u
#define IXGBE_SW_FW_SYNC_FW_FLASH   0x00000200u
#define IXGBE_SW_FW_SYNC_SW_MNG     0x00000400u /* host interface of the firmware */

/* HICR, 8.2.3.25: host interface control */
#define IXGBE_HICR_EN          0x00000001u /* firmware listens */
#define IXGBE_HICR_C           0x00000002u /* command in the window */
#define IXGBE_HICR_SV          0x00000004u /* status valid */
#define IXGBE_HICR_FW_RESET_EN 0x00000040u
#define IXGBE_HICR_FW_RESET    0x00000080u

/* PIENA, 8.2.3.4.15: same bits in PICAUSE */
#define IXGBE_PIENA_CA   0x00000001u
#define IXGBE_PIENA_UA   0x00000002u
#define IXGBE_PIENA_BE   0x00000004u
#define IXGBE_PIENA_TO   0x00000008u
#define IXGBE_PIENA_BMEF 0x00000010u

/* CIAA, 8.2.3.4: access to VF configuration space */
#define IXGBE_CIAA_ADDR    0x00000FFFu
#define IXGBE_CIAA_VF_FUNC 0x00FF0000u

/* EEWR, 8.2.3.2: as EERD, for writes */
#define IXGBE_EEWR_START 0x00000001u
#define IXGBE_EEWR_DONE  0x00000002u
#define IXGBE_EEWR_ADDR  0x0000FFFCu
#define IXGBE_EEWR_DATA  0xFFFF0000u

/* ---- Interrupts ---- */

/* EICR, 8.2.3.5.1: the same bits in EICS, EIMS, EIMC and EIAM */
#define IXGBE_EICR_RTXQ      0x0000FFFFu /* queue causes in legacy and MSI mode */
#define IXGBE_EICR_FLOW_DIR  0x00010000u /* flow director table exception */
#define IXGBE_EICR_RX_MISS   0x00020000u /* packet buffer overflow */
#define IXGBE_EICR_PCI       0x00040000u /* PCIe exception, see PICAUSE */
#define IXGBE_EICR_MAILBOX   0x00080000u
#define IXGBE_EICR_LSC       0x00100000u /* link status change */
#define IXGBE_EICR_LINKSEC   0x00200000u /* packet number threshold */
#define IXGBE_EICR_MNG       0x00400000u
#define IXGBE_EICR_TS        0x00800000u /* thermal sensor */
#define IXGBE_EICR_GPI_SDP0  0x01000000u
#define IXGBE_EICR_GPI_SDP1  0x02000000u
#define IXGBE_EICR_GPI_SDP2  0x04000000u
#define IXGBE_EICR_GPI_SDP3  0x08000000u
#define IXGBE_EICR_ECC       0x10000000u /* unrecoverable; needs a reset */
#define IXGBE_EICR_TCP_TIMER 0x40000000u
#define IXGBE_EICR_OTHER     0x80000000u /* reserved: never write it */
#define IXGBE_EICR_ALL       0x7FFFFFFFu /* every cause */

/* GPIE, 8.2.3.5.18 */
#define IXGBE_GPIE_SDP0_EN       0x00000001u
#define IXGBE_GPIE_SDP1_EN       0x00000002u
#define IXGBE_GPIE_SDP2_EN       0x00000004u
#define IXGBE_GPIE_SDP3_EN       0x00000008u
#define IXGBE_GPIE_MULTIPLE_MSIX 0x00000010u
#define IXGBE_GPIE_OCD           0x00000020u /* EICR reads clear bits 16..29 only */
#define IXGBE_GPIE_EIMEN         0x00000040u /* EICS does not wait for EITR */
#define IXGBE_GPIE_LL_INTERVAL   0x00000780u /* low-latency credits */
#define IXGBE_GPIE_RSC_DELAY     0x00003800u /* (value + 1) * 4 us */
#define IXGBE_GPIE_VT_MODE       0x0000C000u /* as GCR_EXT */
#define IXGBE_GPIE_EIAME         0x40000000u /* auto mask enable */
#define IXGBE_GPIE_PBA_SUPPORT   0x80000000u

/* EITR, 8.2.3.5.12 */
#define IXGBE_EITR_ITR_INTERVAL   0x00000FF8u /* 2 us units, 20 us at 100 Mb/s */
#define IXGBE_EITR_LLI_MODERATION 0x00008000u
#define IXGBE_EITR_LLI_CREDIT     0x001F0000u
#define IXGBE_EITR_ITR_COUNTER    0x0FE00000u
#define IXGBE_EITR_CNT_WDIS       0x80000000u /* write: keep credit and counter */

/* IVAR, 8.2.3.5.16: byte 0 RX 2n, byte 1 TX 2n, byte 2 RX 2n+1, byte 3 TX 2n+1 */
#define IXGBE_IVAR_ALLOC0       0x0000003Fu
#define IXGBE_IVAR_ALLOC0_VALID 0x00000080u
#define IXGBE_IVAR_ALLOC1       0x00003F00u
#define IXGBE_IVAR_ALLOC1_VALID 0x00008000u
#define IXGBE_IVAR_ALLOC2       0x003F0000u
#define IXGBE_IVAR_ALLOC2_VALID 0x00800000u
#define IXGBE_IVAR_ALLOC3       0x3F000000u
#define IXGBE_IVAR_ALLOC3_VALID 0x80000000u

/* IVAR_MISC, 8.2.3.5.17 */
#define IXGBE_IVAR_MISC_TCP_TIMER       0x0000007Fu
#define IXGBE_IVAR_MISC_TCP_TIMER_VALID 0x00000080u
#define IXGBE_IVAR_MISC_OTHER           0x00007F00u
#define IXGBE_IVAR_MISC_OTHER_VALID     0x00008000u

/* L34TIMIR, 8.2.3.5.13 */
#define IXGBE_L34TIMIR_SIZE_BP  0x00001000u /* do not compare sizes */
#define IXGBE_L34TIMIR_CTRL_BP  0x00080000u /* must be 1 */
#define IXGBE_L34TIMIR_LLI      0x00100000u
#define IXGBE_L34TIMIR_RX_QUEUE 0x0FE00000u

/* LLITHRESH, 8.2.3.5.14 */
#define IXGBE_LLITHRESH_SIZE_THRESH 0x00000FFFu

/* IMIRVP, 8.2.3.5.15 */
#define IXGBE_IMIRVP_VLAN_PRI    0x00000007u
#define IXGBE_IMIRVP_VLAN_PRI_EN 0x00000008u

#include "fields_link.h"
#include "fields_queue.h"
