/* SPDX-License-Identifier: MIT */
/*
 * The interface left its network namespace: it was moved to another one, deleted, or lost because
 * the namespace ended.
 *
 * A deleted interface is not made again: a TAP can be deleted, unlike a kernel driver's interface,
 * and whoever does so wants it gone. ixtapd exits 1, and the supervisor decides on a new start.
 *
 * A namespace ends without anybody thinking of the interface. The kernel brings a kernel driver's
 * interface back to the first namespace then, down and without addresses. So does ixtapd with one
 * that shall persist; others end as a deleted one does.
 */
#include <errno.h>
#include <string.h>

#include "bridge/service/log.h"
#include "interface_gone.h"
#include "nic_life.h"
#include "publish.h"
#include "watch.h"

static void lost(struct daemon *daemon)
{
	const struct mirror had = daemon->applied;
	char name[IFNAMSIZ];
	struct ixgbe_why why;
	int err;

	memcpy(name, daemon->iface.tap.name, sizeof(name));
	if (!daemon->options->persist) {
		log_error("%s: the interface went with its network namespace: nothing left to do; "
			  "start ixtapd again to have it back",
			  name);
		publish_stop(daemon, 1);
		return;
	}
	ixgbe_why_fill(&daemon->reason, 0, "the interface is made anew");
	nic_life_close(daemon); /* its drivers use the old descriptors */
	err = interface_bring_home(&daemon->iface, daemon->options, had.mac, had.mtu, &why);
	if (!err)
		err = watch_add(daemon, netlink_monitor_fd(daemon->iface.monitor), WATCH_NETLINK);
	if (err) {
		log_error("%s: the interface went with its network namespace, and cannot come "
			  "back: %s",
			  name, why.text);
		publish_stop(daemon, 1);
		return;
	}
	log_warning(
		"%s: the interface's network namespace ended: made anew, as %s, where ixtapd was "
		"started; it is down and has no addresses",
		name, daemon->iface.tap.name);
	publish_event(daemon, json_pack("{s:s,s:b}", "event", "netns", "reachable", 1));
}

static void reached(struct daemon *daemon, const char *how)
{
	daemon->iface.unreachable_said = false;
	interface_enter(&daemon->iface);
	log_info("%s: %s", daemon->iface.tap.name, how);
	interface_link_set(&daemon->iface, &daemon->link, daemon->sfp);
	watch_add(daemon, netlink_monitor_fd(daemon->iface.monitor), WATCH_NETLINK);
	publish_event(daemon, json_pack("{s:s,s:b}", "event", "netns", "reachable", 1));
}

static void out_of_reach(struct daemon *daemon)
{
	struct interface *iface = &daemon->iface;
	const int why = iface->out_of_reach;

	iface->reachable = false;
	if (iface->unreachable_said)
		return;
	iface->unreachable_said = true;
	if (why == EPERM || why == EACCES)
		log_warning("%s: moved to a network namespace that ixtapd may not enter: "
			    "frames flow, but what 'ip link' sets there does not reach the NIC",
			    iface->tap.name);
	else
		log_warning("%s: cannot go to the interface's network namespace: %s: frames flow, "
			    "but what 'ip link' sets there does not reach the NIC until it can",
			    iface->tap.name, strerror(why));
	publish_event(daemon, json_pack("{s:s,s:b}", "event", "netns", "reachable", 0));
}

void interface_gone_find(struct daemon *daemon)
{
	const char *name = daemon->iface.tap.name;

	switch (interface_find(&daemon->iface)) {
	case INTERFACE_HERE:
		/* Astray still: in a namespace that is about to end. */
		if (!daemon->iface.astray)
			netlink_monitor_resync(daemon->iface.monitor);
		break;
	case INTERFACE_MOVED:
		reached(daemon, "moved to another network namespace: following it");
		break;
	case INTERFACE_REACHED:
		reached(daemon, "the interface's network namespace can be entered again");
		break;
	case INTERFACE_OUT_OF_REACH:
		out_of_reach(daemon);
		break;
	case INTERFACE_DELETED:
		log_error("%s: the interface was deleted: nothing left to do; "
			  "start ixtapd again to have it back",
			  name);
		publish_stop(daemon, 1);
		break;
	case INTERFACE_LOST:
		lost(daemon);
		break;
	}
	interface_enter(&daemon->iface);
}
