/* SPDX-License-Identifier: MIT */
/* Who hears of a change: the log, the control socket's monitors, the service manager. */
#include <stdio.h>
#include <string.h>

#include "bridge/service/log.h"
#include "bridge/service/names.h"
#include "bridge/service/printable.h"
#include "bridge/service/process.h"
#include "bridge/service/text_json.h"
#include "publish.h"

void publish_event(struct daemon *daemon, json_t *event)
{
	if (event)
		control_publish(daemon->control, event);
}

void publish_state(struct daemon *daemon)
{
	enum state previous = daemon->state;
	char name[4 * IFNAMSIZ], status[128];

	daemon->state = state_of(&daemon->facts);
	if (daemon->state == previous)
		return;
	log_debug("%s: %s", daemon->iface.tap.name, state_text(daemon->state));
	/* systemd takes UTF-8 only. */
	snprintf(name, sizeof(name), "%s", daemon->iface.tap.name);
	printable(name, sizeof(name));
	snprintf(status, sizeof(status), "%s: %s", name, state_text(daemon->state));
	process_status(status);
	publish_event(daemon, json_pack("{s:s,s:s,s:s,s:o}", "event", "state", "state",
					state_name(daemon->state), "previous", state_name(previous),
					"reason", text_json(daemon->reason.text)));
}

void publish_stop(struct daemon *daemon, int exit_status)
{
	daemon->exit_status = exit_status;
	daemon->facts.stopping = true;
	publish_state(daemon);
}

void publish_stop_anew(struct daemon *daemon, const char *why)
{
	log_error("%s: %s: ending with status %d, for the service manager to start ixtapd again",
		  daemon->iface.tap.name, why, DAEMON_EXIT_ANEW);
	publish_stop(daemon, DAEMON_EXIT_ANEW);
}

const char *publish_sfp_name(enum ixgbe_sfp sfp)
{
	static const char *const names[] = {
		[IXGBE_SFP_NONE] = "none", [IXGBE_SFP_SR] = "sr",       [IXGBE_SFP_LR] = "lr",
		[IXGBE_SFP_DA] = "da",     [IXGBE_SFP_OTHER] = "other",
	};

	return names[sfp];
}

const char *publish_sfp_sum_name(enum ixgbe_sfp_sum sum)
{
	static const char *const names[] = {
		[IXGBE_SFP_SUM_UNREAD] = "unread",
		[IXGBE_SFP_SUM_RIGHT] = "right",
		[IXGBE_SFP_SUM_WRONG] = "wrong",
	};

	return names[sum];
}

void publish_module(struct daemon *daemon, enum ixgbe_sfp sfp)
{
	const char *name = publish_sfp_name(sfp);

	log_info("%s: the NIC's module was changed, now: %s", daemon->iface.tap.name, name);
	publish_event(daemon, json_pack("{s:s,s:s}", "event", "module", "sfp", name));
}

void publish_sfp_sum_wrong(struct daemon *daemon)
{
	log_warning("%s: the checksum of what the NIC's module says of itself is wrong: it is "
		    "believed all the same; replace the module if the link is not good",
		    daemon->iface.tap.name);
	publish_event(daemon, json_pack("{s:s,s:s}", "event", "module_checksum", "checksum",
					publish_sfp_sum_name(IXGBE_SFP_SUM_WRONG)));
}

/* A driver that broke out may have written the NIC's EEPROM, whose checksum libixgbe looks at. */
void publish_mac_permanent(struct daemon *daemon)
{
	static const uint8_t none[IXGBE_MAC_BYTES];
	const uint8_t *now = daemon->engine.seen.mac_permanent;
	char before_text[NAMES_MAC_TEXT], now_text[NAMES_MAC_TEXT];

	if (memcmp(daemon->mac_permanent, none, sizeof(none)) != 0 &&
	    memcmp(daemon->mac_permanent, now, sizeof(none)) != 0)
		log_warning(
			"%s: the NIC's own MAC address was %s and is %s now: it is another NIC, "
			"or somebody has written its EEPROM",
			daemon->iface.tap.name,
			names_mac_format(daemon->mac_permanent, before_text),
			names_mac_format(now, now_text));
	memcpy(daemon->mac_permanent, now, sizeof(daemon->mac_permanent));
}

static void publish_mac(struct daemon *daemon)
{
	char text[NAMES_MAC_TEXT];

	names_mac_format(daemon->applied.mac, text);
	log_info("%s: MAC address %s", daemon->iface.tap.name, text);
	publish_event(daemon, json_pack("{s:s,s:s}", "event", "mac", "mac", text));
}

static void publish_flag(struct daemon *daemon, const char *event, const char *member, bool on)
{
	log_debug("%s: %s %s", daemon->iface.tap.name, event, on ? "on" : "off");
	publish_event(daemon, json_pack("{s:s,s:b}", "event", event, member, on));
}

void publish_parts(struct daemon *daemon, uint32_t parts)
{
	const struct mirror *applied = &daemon->applied;

	if (parts & MIRROR_MAC)
		publish_mac(daemon);
	if (parts & MIRROR_MTU) {
		log_info("%s: MTU %u", daemon->iface.tap.name, applied->mtu);
		publish_event(daemon, json_pack("{s:s,s:i}", "event", "mtu", "mtu", applied->mtu));
	}
	if (parts & MIRROR_PROMISCUOUS)
		publish_flag(daemon, "promiscuous", "on", applied->promiscuous);
	if (parts & MIRROR_ALLMULTICAST)
		publish_flag(daemon, "allmulticast", "on", applied->allmulticast);
	if (parts & MIRROR_GROUPS)
		publish_event(daemon, json_pack("{s:s,s:i}", "event", "multicast", "groups",
						(int)applied->groups_there));
	if (parts & MIRROR_OTHERS)
		publish_event(daemon, json_pack("{s:s,s:i}", "event", "unicast", "addresses",
						(int)applied->others_there));
	if (parts & MIRROR_ADMIN)
		publish_flag(daemon, "admin", "up", applied->admin_up);
}
