/* SPDX-License-Identifier: MIT */
/* From a wire's name to its kind, and from the NIC's connector to the wire. */
#include "wire.h"

#include <errno.h>
#include <string.h>

#include "bridge/service/names.h"
#include "tools/ixnic/chip/chip.h"

static int name_check(const char *kind, const char *name, struct ixgbe_why *why)
{
	const char *fault = names_interface_fault(name);

	return fault ? ixgbe_why_fill(why, -EINVAL, "%s:%s: the interface's name %s", kind, name,
				      fault)
		     : 0;
}

static int path_check(const char *kind, const char *path, struct ixgbe_why *why)
{
	struct sockaddr_un address;

	return listen_address(kind, path, &address, why);
}

static const struct kind {
	const char *name;
	int (*check)(const char *kind, const char *name, struct ixgbe_why *why);
	int (*new)(struct nic *nic, const char *name, const char *netns, struct wire **out,
		   struct ixgbe_why *why);
} kinds[] = {
	{"tap", name_check, wire_tap_new},
	{"cable", path_check, wire_cable_new},
	{"seqpacket", path_check, wire_seqpacket_new},
};

/* NULL: there is no such kind. Else *name is what stands behind the colon. */
static const struct kind *kind_of(const char *spec, const char **name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].name);

		if (strncmp(spec, kinds[i].name, length) || spec[length] != ':')
			continue;
		*name = spec + length + 1;
		return &kinds[i];
	}
	return NULL;
}

int wire_check(const char *spec, struct ixgbe_why *why)
{
	const char *name;
	const struct kind *kind = kind_of(spec, &name);

	if (kind)
		return kind->check(kind->name, name, why);
	return ixgbe_why_fill(why, -EINVAL,
			      "'%s': no such kind; use tap:NAME, cable:PATH or seqpacket:PATH",
			      spec);
}

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
	const char *name;
	int err = wire_check(spec, why);

	if (!err)
		err = kind_of(spec, &name)->new (nic, name, netns, &nic->wire, why);
	if (!err)
		phy_connect(nic, &connector);
	return err;
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
