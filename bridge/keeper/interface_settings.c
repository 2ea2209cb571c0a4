/* SPDX-License-Identifier: MIT */
/*
 * The NIC follows what the administrator sets on the interface: MTU, MAC address, promiscuous,
 * multicast and unicast filters, up and down.
 *
 * It follows by comparison, not by event: whenever something may have changed, what the interface
 * has is read and compared with what the NIC has (mirror.h).
 */
#include <string.h>

#include "bridge/service/log.h"
#include "bridge/service/text_json.h"
#include "bridge/interface/interface_kept.h"
#include "interface_settings.h"
#include "publish.h"
#include "rx_features.h"

/* Tells of a new name; `name` has the last that was told. */
static void name_follow(struct daemon *daemon)
{
	struct interface *iface = &daemon->iface;

	if (!strcmp(daemon->name, iface->tap.name))
		return;
	log_info("%s: renamed to %s", daemon->name, iface->tap.name);
	publish_event(daemon,
		      json_pack("{s:s,s:o}", "event", "name", "name", text_json(iface->tap.name)));
	memcpy(daemon->name, iface->tap.name, sizeof(daemon->name));
}

void interface_settings_follow(struct daemon *daemon)
{
	struct mirror wanted = {0};

	/* The interface is gone: the monitor tells what became of it. */
	if (interface_read(&daemon->iface))
		return;
	name_follow(daemon);
	interface_kept_check(&daemon->iface, &daemon->link, daemon->sfp, daemon->applied.mtu);
	rx_features_follow(daemon);
	if (!daemon->facts.nic_open)
		return;
	interface_wanted(&daemon->iface, daemon->applied.mtu, &wanted);
	if (mirror_difference(&wanted, &daemon->engine.wishes.wanted))
		engine_wish(&daemon->engine, &wanted);
}
