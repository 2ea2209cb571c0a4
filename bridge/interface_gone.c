/* SPDX-License-Identifier: MIT */
/*
 * The interface left its network namespace: it was moved to another one, or deleted.
 *
 * A deleted interface is not made again: a TAP can be deleted, unlike a kernel driver's interface,
 * and whoever does so wants it gone. ixtapd exits 1, and the supervisor decides on a new start.
 */
#include "bridge/service/log.h"
#include "interface_gone.h"
#include "publish.h"
#include "watch.h"

void interface_gone_find(struct daemon *daemon)
{
	bool was_reachable = daemon->iface.reachable;
	const char *name = daemon->iface.tap.name;

	switch (interface_find(&daemon->iface)) {
	case INTERFACE_HERE:
		netlink_monitor_resync(daemon->iface.monitor);
		break;
	case INTERFACE_MOVED:
		log_info("%s: moved to another network namespace: following it", name);
		interface_link_set(&daemon->iface, &daemon->link, daemon->sfp);
		watch_add(daemon, netlink_monitor_fd(daemon->iface.monitor), WATCH_NETLINK);
		publish_event(daemon, json_pack("{s:s,s:b}", "event", "netns", "reachable", 1));
		break;
	case INTERFACE_OUT_OF_REACH:
		if (!was_reachable)
			break;
		daemon->iface.reachable = false;
		log_warning("%s: moved to a network namespace that ixtapd may not enter: "
			    "frames flow, but what 'ip link' sets there does not reach the NIC",
			    name);
		publish_event(daemon, json_pack("{s:s,s:b}", "event", "netns", "reachable", 0));
		break;
	case INTERFACE_DELETED:
		log_error("%s: the interface was deleted: nothing left to do; "
			  "start ixtapd again to have it back",
			  name);
		publish_stop(daemon, 1);
		break;
	}
}
