/* SPDX-License-Identifier: MIT */
#include "config_space.h"

#include <linux/pci_regs.h>
#include <string.h>

#define PM   0x040u
#define MSI  0x050u
#define MSIX 0x070u
#define EXP  0x0a0u
#define AER  0x100u
#define DSN  0x140u

#define D3HOT 3u /* PCI_PM_CTRL_STATE_MASK */

/* clang-format off */

/*
 * Every word that is not all zeros. `writable` bits keep what is written, `clear` bits are
 * cleared by a one, all others are read-only. Sections are the 82599 datasheet's.
 */
static const struct row {
	uint32_t offset;
	uint32_t reset;
	uint32_t writable;
	uint32_t clear;
} rows[] = {
	/* Header (9.3.1 to 9.3.5) */
	{0x00,                       0x10fb8086, 0,          0         }, /* 82599ES SFI/SFP+ */
	{0x04,                       0x00100000, 0x00000547, 0xf9000000}, /* has capabilities */
	{0x08,                       0x02000001, 0,          0         }, /* Ethernet, revision 1 */
	{0x0c,                       0x00000000, 0x000000ff, 0         }, /* one function, cache line */
	{0x10,                       0x0000000c, 0xfff80000, 0         }, /* BAR 0: 512 KiB, 64 bits */
	{0x14,                       0x00000000, 0xffffffff, 0         },
	{0x18,                       0x00000001, 0xffffffe0, 0         }, /* BAR 2: 32 bytes of I/O */
	{0x20,                       0x0000000c, 0xffffc000, 0         }, /* BAR 4: 16 KiB, 64 bits */
	{0x24,                       0x00000000, 0xffffffff, 0         },
	{0x2c,                       0x00038086, 0,          0         }, /* X520-2 */
	{0x34,                       PM,         0,          0         },
	{0x3c,                       0x00000100, 0x000000ff, 0         }, /* INTA */

	/* Power management (9.3.6): version 3, PME in D0 and D3hot, a return to D0 resets */
	{PM,                         0x48230001 | MSI << 8, 0, 0       },
	{PM + PCI_PM_CTRL,           0x00002000, 0x00000103, 0x00008000},

	/* MSI (9.3.7): one vector, 64-bit address, can be masked */
	{MSI,                        0x01800005 | MSIX << 8, 0x00010000, 0},
	{MSI + PCI_MSI_ADDRESS_LO,   0x00000000, 0xfffffffc, 0         },
	{MSI + PCI_MSI_ADDRESS_HI,   0x00000000, 0xffffffff, 0         },
	{MSI + PCI_MSI_DATA_64,      0x00000000, 0x0000ffff, 0         },
	{MSI + PCI_MSI_MASK_64,      0x00000000, 0x00000001, 0         },

	/* MSI-X (9.3.8): 64 vectors in BAR 4 */
	{MSIX,                       0x003f0011 | EXP << 8, 0xc0000000, 0},
	{MSIX + PCI_MSIX_TABLE,      0x00000004, 0,          0         },
	{MSIX + PCI_MSIX_PBA,        MSIX_PBA_OFFSET | 4, 0, 0         },

	/* PCI Express (9.3.10): version 2, endpoint, function level reset, 5 GT/s x8 */
	{EXP,                        0x00020010, 0,          0         },
	{EXP + PCI_EXP_DEVCAP,       0x10008cc2, 0,          0         },
	{EXP + PCI_EXP_DEVCTL,       0x00002810, 0x000078ff, 0x000f0000},
	{EXP + PCI_EXP_LNKCAP,       0x0001f482, 0,          0         },
	{EXP + PCI_EXP_LNKCTL,       0x10820000, 0x000000cb, 0         },
	{EXP + PCI_EXP_DEVCAP2,      0x0000001f, 0,          0         },
	{EXP + PCI_EXP_DEVCTL2,      0x00000000, 0x0000001f, 0         },
	{EXP + PCI_EXP_LNKCTL2,      0x00000002, 0x0000001f, 0         },

	/* Advanced error reporting (9.4.2) */
	{AER,                        0x00010001 | DSN << 20, 0, 0      },
	{AER + PCI_ERR_UNCOR_STATUS, 0x00000000, 0,          0x001ff030},
	{AER + PCI_ERR_UNCOR_MASK,   0x00000000, 0x001ff030, 0         },
	{AER + PCI_ERR_UNCOR_SEVER,  0x00062010, 0x001ff030, 0         },
	{AER + PCI_ERR_COR_STATUS,   0x00000000, 0,          0x000031c1},
	{AER + PCI_ERR_COR_MASK,     0x00002000, 0x000031c1, 0         },
	{AER + PCI_ERR_CAP,          0x000000a0, 0x00000140, 0         },

	/* Device serial number (9.4.3), the last: its number is filled in */
	{DSN,                        0x00010003, 0,          0         },
};

/* clang-format on */

void config_space_reset(struct config_space *config)
{
	const uint8_t *mac = config->mac;

	memset(config->value, 0, sizeof(config->value));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		config->value[rows[i].offset / 4] = rows[i].reset;
	/* The MAC with ff ff in its middle, highest byte first. */
	config->value[DSN / 4 + 1] =
		0xffu << 24 | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
	config->value[DSN / 4 + 2] =
		(uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | 0xffu;
}

void config_space_init(struct config_space *config, const uint8_t mac[6])
{
	memset(config, 0, sizeof(*config));
	memcpy(config->mac, mac, sizeof(config->mac));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config->writable[rows[i].offset / 4] = rows[i].writable;
		config->clear[rows[i].offset / 4] = rows[i].clear;
	}
	config_space_reset(config);
}

void config_space_read(const struct config_space *config, uint32_t offset, uint8_t *data,
		       uint32_t len)
{
	for (uint32_t i = 0; i < len; i++, offset++)
		data[i] = (uint8_t)(config->value[offset / 4] >> 8 * (offset % 4));
}

uint32_t config_space_write(struct config_space *config, uint32_t offset, const uint8_t *data,
			    uint32_t len)
{
	const uint32_t *pm = &config->value[(PM + PCI_PM_CTRL) / 4];
	uint32_t state = *pm & PCI_PM_CTRL_STATE_MASK;
	uint32_t asked = 0;

	for (uint32_t i = 0; i < len; i++, offset++) {
		uint32_t *value = &config->value[offset / 4];
		uint32_t writable = config->writable[offset / 4];
		uint32_t byte = (uint32_t)data[i] << 8 * (offset % 4);
		uint32_t lane = 0xffu << 8 * (offset % 4);

		*value = (*value & ~(writable & lane)) | (byte & writable);
		*value &= ~(byte & config->clear[offset / 4]);
		if (offset == EXP + PCI_EXP_DEVCTL + 1 && data[i] & PCI_EXP_DEVCTL_BCR_FLR >> 8)
			asked |= CONFIG_FLR;
	}
	/* Without No_Soft_Reset, the way back from D3hot is a reset (9.3.6.4). */
	if (state == D3HOT && (*pm & PCI_PM_CTRL_STATE_MASK) == 0)
		asked |= CONFIG_FLR;
	return asked;
}

void config_space_master_abort(struct config_space *config)
{
	config->value[PCI_COMMAND / 4] |= (uint32_t)PCI_STATUS_REC_MASTER_ABORT << 16;
}

void config_space_pending(struct config_space *config, bool pending)
{
	uint32_t bit = (uint32_t)PCI_EXP_DEVSTA_TRPND << 16;

	config->value[(EXP + PCI_EXP_DEVCTL) / 4] &= ~bit;
	config->value[(EXP + PCI_EXP_DEVCTL) / 4] |= pending ? bit : 0;
}

void config_space_completion_timeout(struct config_space *config)
{
	config->value[(AER + PCI_ERR_UNCOR_STATUS) / 4] |= PCI_ERR_UNC_COMP_TIME;
	config->value[(EXP + PCI_EXP_DEVCTL) / 4] |= (uint32_t)PCI_EXP_DEVSTA_NFED << 16;
}

void config_space_status_reset(struct config_space *config)
{
	config->value[PCI_COMMAND / 4] &= ~config->clear[PCI_COMMAND / 4];
}

void config_space_master_set(struct config_space *config)
{
	config->value[PCI_COMMAND / 4] |= PCI_COMMAND_MASTER;
}

void config_space_master_clear(struct config_space *config)
{
	config->value[PCI_COMMAND / 4] &= ~(uint32_t)PCI_COMMAND_MASTER;
}

bool config_space_bus_master(const struct config_space *config)
{
	return (config->value[PCI_COMMAND / 4] & PCI_COMMAND_MASTER) &&
	       (config->value[(PM + PCI_PM_CTRL) / 4] & PCI_PM_CTRL_STATE_MASK) == 0;
}

bool config_space_memory(const struct config_space *config)
{
	return config->value[PCI_COMMAND / 4] & PCI_COMMAND_MEMORY;
}

bool config_space_intx_disabled(const struct config_space *config)
{
	return config->value[PCI_COMMAND / 4] & PCI_COMMAND_INTX_DISABLE;
}

bool config_space_msix_masked(const struct config_space *config)
{
	return config->value[MSIX / 4] >> 16 & PCI_MSIX_FLAGS_MASKALL;
}
