/* SPDX-License-Identifier: MIT */
/*
 * What the interface shows of the NIC stays true: carrier, the link settings that ethtool shows,
 * and an MTU that the NIC can have. A TAP lets the administrator set all three to anything, and its
 * queue to a length of 0, with which no frame gets through; a kernel driver's interface refuses
 * that, or goes on. Here the old value comes back, and the log says why.
 *
 * So does what a program can change that attaches to the TAP (service/tun.h). No event tells of
 * that.
 */
#include "interface_kept.h"

#include <errno.h>
#include <string.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"

#define TX_QUEUE_LEN 1000u /* the kernel's for a new TAP */

/* The descriptors know the TAP wherever it is. */
static void tap_check(struct interface *iface)
{
	char changes[TUN_CHANGES_TEXT];
	int err = tap_keep(&iface->tap, changes);

	if (err == -EBADFD || (!err && !*changes)) /* deleted just now: netlink reports it */
		return;
	if (!notice_add(&iface->tap_changed, clock_ms()))
		return;
	if (err)
		log_warning("%s: cannot set the TAP back to what frames need: %s", iface->tap.name,
			    strerror(-err));
	else
		log_warning("%s: another program attached to the TAP and changed it (%s): it is "
			    "set back",
			    iface->tap.name, changes);
}

static void offloads_check(struct interface *iface)
{
	if (tap_offloads_keep(&iface->tap) && notice_add(&iface->offloads_changed, clock_ms()))
		log_warning("%s: another program attached to the TAP and changed its offloads: "
			    "they are set back; use 'ethtool -K %s' instead",
			    iface->tap.name, iface->tap.name);
}

static void carrier_check(struct interface *iface, const struct ixgbe_link *link,
			  enum ixgbe_sfp sfp)
{
	bool up = link->up;

	if (iface->link.carrier == up)
		return;
	if (notice_add(&iface->carrier_changed, clock_ms()))
		log_warning(
			"%s: another program set the carrier %s: it is set back, since it tells "
			"the NIC's link; use 'ip link set %s up' or 'down' instead",
			iface->tap.name, up ? "off" : "on", iface->tap.name);
	interface_link_set(iface, link, sfp);
}

static void link_settings_check(struct interface *iface, const struct ixgbe_link *link,
				enum ixgbe_sfp sfp)
{
	char what[160];

	if (!tap_link_changed(&iface->tap, what, sizeof(what)))
		return;
	if (notice_add(&iface->settings_changed, clock_ms()))
		log_warning("%s: another program set the link settings (%s): they are set back, "
			    "since they tell the NIC's link and module",
			    iface->tap.name, what);
	interface_link_set(iface, link, sfp);
}

/* An MTU that the NIC cannot have goes back to `mtu`. */
static void mtu_check(struct interface *iface, uint16_t mtu)
{
	bool refused = iface->link.mtu > IXGBE_MTU_MAX;
	bool said = iface->mtu_refused == iface->link.mtu;
	int err;

	iface->mtu_refused = refused ? iface->link.mtu : 0;
	if (!refused || said)
		return;
	interface_mtu_refuse(iface, mtu);
	err = netlink_link_set_mtu(iface->nl, iface->tap.ifindex, mtu);
	if (err)
		log_warning("cannot set the MTU of %s back: %s; frames over %u bytes get lost",
			    iface->tap.name, strerror(-err), mtu);
	else
		iface->link.mtu = mtu;
}

static void queue_check(struct interface *iface)
{
	uint32_t before = iface->tx_queue_len ? iface->tx_queue_len : TX_QUEUE_LEN;
	int err;

	if (iface->link.tx_queue_len) {
		iface->tx_queue_len = iface->link.tx_queue_len;
		return;
	}
	err = netlink_link_set_tx_queue_len(iface->nl, iface->tap.ifindex, before);
	if (!err)
		iface->link.tx_queue_len = before;
	if (!notice_add(&iface->queue_changed, clock_ms()))
		return;
	if (err)
		log_warning(
			"%s: the txqueuelen is 0, so the kernel sends no frame, and it cannot be "
			"set back to %u: %s",
			iface->tap.name, before, strerror(-err));
	else
		log_warning("%s: another program set the txqueuelen 0: it is set back to %u, since "
			    "the kernel sends no frame on a TAP without a queue",
			    iface->tap.name, before);
}

void interface_kept_check(struct interface *iface, const struct ixgbe_link *link,
			  enum ixgbe_sfp sfp, uint16_t mtu)
{
	tap_check(iface);
	if (!iface->reachable)
		return;
	offloads_check(iface);
	carrier_check(iface, link, sfp);
	link_settings_check(iface, link, sfp);
	mtu_check(iface, mtu);
	queue_check(iface);
}
