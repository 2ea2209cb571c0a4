/* SPDX-License-Identifier: MIT */
/*
 * The NIC follows what the administrator sets on the interface: MTU, MAC address, promiscuous and
 * multicast filters, up and down.
 *
 * It follows by comparison, not by event: whenever something may have changed, what the interface
 * has is compared with what the NIC has (mirror.h).
 */
#include <string.h>

#include "bridge/service/log.h"
#include "interface_settings.h"
#include "nic_life.h"
#include "publish.h"

/* An MTU that the NIC cannot have goes back to `mtu`. */
static void mtu_check(struct interface *iface, uint16_t mtu)
{
	bool refused = iface->link.mtu > IXGBE_MTU_MAX;
	bool said = iface->mtu_refused == iface->link.mtu;
	int err;

	iface->mtu_refused = refused ? iface->link.mtu : 0;
	if (!refused || said || !iface->reachable)
		return;
	interface_mtu_refuse(iface, mtu);
	err = netlink_link_set_mtu(iface->nl, iface->tap.ifindex, mtu);
	if (err)
		log_warning("cannot set the MTU of %s back: %s; frames over %u bytes get lost",
			    iface->tap.name, strerror(-err), mtu);
}

void interface_settings_follow(struct daemon *daemon)
{
	struct mirror wanted = {0};
	uint32_t parts;
	int err;

	if (!daemon->facts.nic_open)
		return;
	mtu_check(&daemon->iface, daemon->applied.mtu);
	interface_wanted(&daemon->iface, daemon->applied.mtu, &wanted);
	parts = mirror_difference(&wanted, &daemon->applied);
	if (!parts)
		return;
	err = mirror_apply(daemon->engine.nic, &wanted, &daemon->applied, 0);
	parts &= ~mirror_difference(&wanted, &daemon->applied);
	daemon->facts.admin_up = daemon->applied.admin_up;
	publish_parts(daemon, parts);
	publish_state(daemon);
	/* What is wanted was checked before, so the error is the NIC's. */
	if (err)
		nic_life_failed_errno(daemon, "cannot set the NIC", err);
	else if (parts & MIRROR_ADMIN)
		nic_life_link_read(daemon);
}
