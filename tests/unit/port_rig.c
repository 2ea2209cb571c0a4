/* SPDX-License-Identifier: MIT */
#include "port_rig.h"

#include <stdlib.h>

const struct ixgbe_options options = {.queues = 2, .rx_ring = RING, .tx_ring = RING};

int control_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->fake = fake_new();
	*state = rig;
	return 0;
}

int control_teardown(void **state)
{
	struct rig *rig = *state;

	if (rig->nic) {
		ixgbe_stop(rig->nic);
		for (uint16_t q = 0; q < rig->queues; q++)
			ixgbe_pool_free(rig->pool[q]);
		ixgbe_close(rig->nic);
		assert_int_equal(rig->fake->closed, 1);
		assert_int_equal(rig->fake->maps, 0);
		assert_int_equal(rig->fake->vectors, 0);
	}
	fake_free(rig->fake);
	free(rig);
	return 0;
}

void open_with(struct rig *rig, const struct ixgbe_options *wanted)
{
	struct ixgbe_why why = {"no reason given"};
	int err = fake_open(rig->fake, wanted, &rig->nic, &why);

	if (err)
		fail_msg("open: %d: %s", err, why.text);
}

void start(struct rig *rig)
{
	struct ixgbe_why why = {"no reason given"};
	int err;

	for (rig->queues = 0; rig->queues < options.queues; rig->queues++)
		assert_int_equal(ixgbe_pool_new(rig->nic, POOL_COUNT, BUFFER_SIZE, HEADROOM,
						&rig->pool[rig->queues]),
				 0);
	err = ixgbe_start(rig->nic, rig->pool, &why);
	if (err)
		fail_msg("start: %d: %s", err, why.text);
}

uint32_t reg(const struct rig *rig, uint32_t offset)
{
	return rig->fake->reg[offset / 4];
}

size_t wrote(const struct rig *rig, size_t from, uint32_t offset, uint32_t mask, uint32_t value)
{
	long at = fake_find_write(rig->fake, from, offset, mask, value);

	if (at < 0)
		fail_msg("no write of 0x%x (mask 0x%x) to 0x%05x", value, mask, offset);
	return (size_t)at;
}

bool never_wrote(const struct rig *rig, uint32_t offset, uint32_t mask, uint32_t value)
{
	return fake_find_write(rig->fake, 0, offset, mask, value) < 0;
}
