/* SPDX-License-Identifier: MIT */
/* From a wire's name to its kind, and from the NIC's connector to the wire. */
#include "wire.h"

#include <errno.h>
#include <string.h>

#include "tools/ixnic/chip/chip.h"

static const struct kind {
	const char *prefix;
	int (*new)(struct nic *nic, const char *name, const char *netns, struct wire **out,
		   struct ixgbe_why *why);
} kinds[] = {
	{"tap:", wire_tap_new},
	{"cable:", wire_cable_new},
	{"seqpacket:", wire_seqpacket_new},
};

static bool frames_in(struct nic *nic, uint32_t budget)
{
	struct wire *wire = nic->wire;

	if (wire->rate.mbit_s == 0)
		return wire->ops->poll(wire, budget);
	while (budget > 0 && wire_rate_free(wire, WIRE_IN)) {
		if (!wire->ops->poll(wire, 1))
			return false;
		budget--;
	}
	return budget == 0;
}

static int frame_out(struct nic *nic, const struct frame *frame)
{
	int taken;

	if (!wire_rate_free(nic->wire, WIRE_OUT))
		return -EBUSY;
	taken = nic->wire->ops->send(nic->wire, frame);
	if (taken == -EAGAIN)
		return taken;
	wire_rate_spend(nic->wire, WIRE_OUT, frame->head_len + frame->body_len);
	capture_frame(nic, frame);
	return taken;
}

static void flush(struct nic *nic)
{
	if (nic->wire->ops->flush)
		nic->wire->ops->flush(nic->wire);
}

static void turn_end(struct nic *nic)
{
	flush(nic);
	capture_flush(nic);
}

static void carrier(struct nic *nic, bool up)
{
	nic->wire->ops->carrier(nic->wire, up);
}

static const struct connector connector = {
	.poll = frames_in,
	.send = frame_out,
	.flush = flush,
	.turn_end = turn_end,
	.carrier = carrier,
};

int wire_new(struct nic *nic, const char *spec, const char *netns, struct ixgbe_why *why)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t prefix = strlen(kinds[i].prefix);
		int err;

		if (strncmp(spec, kinds[i].prefix, prefix) != 0)
			continue;
		err = kinds[i].new(nic, spec + prefix, netns, &nic->wire, why);
		if (!err)
			phy_connect(nic, &connector);
		return err;
	}
	return ixgbe_why_fill(why, -EINVAL,
			      "wire '%s': no such kind; use tap:NAME, cable:PATH or seqpacket:PATH",
			      spec);
}

bool wire_far_end(const struct nic *nic, char *text, size_t size)
{
	if (!nic->wire || !nic->wire->ops->far_end)
		return false;
	nic->wire->ops->far_end(nic->wire, text, size);
	return true;
}

void wire_free(struct nic *nic)
{
	if (!nic->wire)
		return;
	phy_connect(nic, NULL);
	nic->wire->ops->free(nic->wire);
	nic->wire = NULL;
}
