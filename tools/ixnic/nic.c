/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nic.h"

/* In the order in which they are made; taken apart in reverse. */
static const struct {
	int (*make)(struct nic *nic);
	void (*free)(struct nic *nic);
} parts[] = {
	{violations_new, violations_free},
	{eeprom_new, eeprom_free},
	{spi_new, spi_free},
	{sfp_new, sfp_free},
	{link_new, link_free},
	{irq_new, irq_free},
	{dma_new, dma_free},
	{datapath_new, datapath_free},
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

int nic_new(const uint8_t mac[6], struct nic **out)
{
	struct nic *nic = calloc(1, sizeof(*nic));
	size_t made;
	int err;

	if (!nic)
		return -ENOMEM;
	memcpy(nic->mac, mac, sizeof(nic->mac));
	nic->cable = true;
	for (made = 0; made < PARTS; made++) {
		err = parts[made].make(nic);
		if (err)
			goto unmake;
	}
	nic_reset(nic, NIC_RESET_POWER);
	*out = nic;
	return 0;

unmake:
	while (made-- > 0)
		parts[made].free(nic);
	free(nic);
	return err;
}

void nic_free(struct nic *nic)
{
	if (!nic)
		return;
	for (size_t i = PARTS; i-- > 0;)
		parts[i].free(nic);
	free(nic);
}

void nic_reset(struct nic *nic, enum nic_reset kind)
{
	nic->reset_at_ns = 0;
	regfile_reset(nic, kind);
	eeprom_load(nic);
	sfp_reset(nic);
	datapath_reset(nic);
	link_reset(nic, kind);
	irq_reset(nic); /* last: no cause outlives the reset */
}
