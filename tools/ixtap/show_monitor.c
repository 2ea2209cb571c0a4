/* SPDX-License-Identifier: MIT */
/* ixtap monitor: events as they happen, one a line. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/service/streams.h"
#include "ixtap.h"

static void put_time(double time)
{
	char text[FORMAT_BYTES];

	put(COLOUR_DIM, "%s.%03d  ", format_time(text, time), (int)((time - floor(time)) * 1000));
}

static void put_link(bool up, int64_t speed_mbps)
{
	if (up)
		put(COLOUR_GOOD, "link up, %" PRId64 " Mbit/s", speed_mbps);
	else
		put(COLOUR_WARN, "link down");
}

static void show_start(const json_t *event)
{
	put(COLOUR_HEAD, "%s ", member_text(event, "status.tap.name"));
	put(COLOUR_NONE, "%s, ", member_text(event, "status.state"));
	put_link(member_true(event, "status.link.up"), member_int(event, "status.link.speed_mbps"));
}

static void show_state(const json_t *event)
{
	const char *reason = member_text(event, "reason");

	put(COLOUR_NONE, "state %s, before: %s", member_text(event, "state"),
	    member_text(event, "previous"));
	if (reason[0])
		put(COLOUR_WARN, " (%s)", reason);
}

static void show_link(const json_t *event)
{
	put_link(member_true(event, "up"), member_int(event, "speed_mbps"));
}

static void show_module(const json_t *event)
{
	put(COLOUR_NONE, "module changed, now: %s", member_text(event, "sfp"));
}

static void show_module_checksum(const json_t *event)
{
	put(COLOUR_BAD, "the module's checksum is %s", member_text(event, "checksum"));
}

static void show_admin(const json_t *event)
{
	put(COLOUR_NONE, "interface set %s", member_true(event, "up") ? "up" : "down");
}

static void show_mtu(const json_t *event)
{
	put(COLOUR_NONE, "mtu %" PRId64, member_int(event, "mtu"));
}

static void show_mac(const json_t *event)
{
	put(COLOUR_NONE, "mac %s", member_text(event, "mac"));
}

static void show_promiscuous(const json_t *event)
{
	put(COLOUR_NONE, "promiscuous %s", member_true(event, "on") ? "on" : "off");
}

static void show_allmulticast(const json_t *event)
{
	put(COLOUR_NONE, "all multicast %s", member_true(event, "on") ? "on" : "off");
}

static void show_features(const json_t *event)
{
	put(COLOUR_NONE, "rx %s, gro %s: received TCP frames are %smerged",
	    member_text(event, "rx"), member_true(event, "gro") ? "on" : "off",
	    member_true(event, "merging") ? "" : "not ");
}

static void show_multicast(const json_t *event)
{
	put(COLOUR_NONE, "%" PRId64 " multicast groups", member_int(event, "groups"));
}

static void show_unicast(const json_t *event)
{
	put(COLOUR_NONE, "%" PRId64 " further unicast addresses", member_int(event, "addresses"));
}

static void show_address(const json_t *event)
{
	put(COLOUR_NONE, "address %s %s", member_text(event, "address"),
	    member_true(event, "added") ? "added" : "removed");
}

static void show_name(const json_t *event)
{
	put(COLOUR_NONE, "renamed to %s", member_text(event, "name"));
}

static void show_netns(const json_t *event)
{
	put(COLOUR_NONE, "%s",
	    member_true(event, "reachable") ? "back in a namespace we can reach"
					    : "moved to another namespace");
}

static void show_dma_refused(const json_t *event)
{
	put(COLOUR_BAD,
	    "the NIC reached for memory not its own and was refused, noticed %" PRId64 " times",
	    member_int(event, "count"));
}

static void show_dma_timeout(const json_t *event)
{
	put(COLOUR_BAD, "memory did not answer the NIC, noticed %" PRId64 " times",
	    member_int(event, "count"));
}

static void show_driver(const json_t *event)
{
	put(COLOUR_WARN, "the driver %s, process %" PRId64 " %s", member_text(event, "before"),
	    member_int(event, "pid"),
	    member_true(event, "resumed") ? "goes on where it was" : "has reset the NIC");
}

static void show_tx_timeout(const json_t *event)
{
	bool reset = strcmp(member_text(event, "cure"), "reset") == 0;

	put(COLOUR_BAD, "transmit queue %" PRId64 " hung, %s; %" PRId64 " frames lost",
	    member_int(event, "queue"), reset ? "the NIC is reset" : "restarted",
	    member_int(event, "lost"));
}

static void show_upgrade(const json_t *event)
{
	put(COLOUR_NONE, "upgraded from %s to %s: %s", member_text(event, "previous"),
	    member_text(event, "version"),
	    strcmp(member_text(event, "start"), "warm") == 0 ? "the NIC ran on"
							     : "the NIC starts anew");
}

static void show_irq_lost(const json_t *event)
{
	put(COLOUR_WARN, "an interrupt of the NIC was lost, %" PRId64 " in all",
	    member_int(event, "count"));
}

static void show_irq_storm(const json_t *event)
{
	int64_t per_second = member_int(event, "per_second");

	if (per_second)
		put(COLOUR_BAD, "interrupt storm, %" PRId64 " a second that nothing caused",
		    per_second);
	else
		put(COLOUR_GOOD, "the interrupt storm is over");
}

static void show_counter_full(const json_t *event)
{
	put(COLOUR_WARN, "a counter of the NIC was at its maximum, %" PRId64 " in all",
	    member_int(event, "count"));
}

static void show_missed(const json_t *event)
{
	put(COLOUR_WARN, "%" PRId64 " events missed: this reader was too slow",
	    member_int(event, "count"));
}

static const struct {
	const char *event;
	void (*show)(const json_t *event);
} shows[] = {
	{"start", show_start},
	{"state", show_state},
	{"link", show_link},
	{"module", show_module},
	{"module_checksum", show_module_checksum},
	{"admin", show_admin},
	{"mtu", show_mtu},
	{"mac", show_mac},
	{"promiscuous", show_promiscuous},
	{"allmulticast", show_allmulticast},
	{"multicast", show_multicast},
	{"unicast", show_unicast},
	{"features", show_features},
	{"address", show_address},
	{"name", show_name},
	{"netns", show_netns},
	{"dma_refused", show_dma_refused},
	{"dma_timeout", show_dma_timeout},
	{"driver", show_driver},
	{"tx_timeout", show_tx_timeout},
	{"irq_lost", show_irq_lost},
	{"irq_storm", show_irq_storm},
	{"counter_full", show_counter_full},
	{"upgrade", show_upgrade},
	{"missed", show_missed},
};

static void put_event(const json_t *event)
{
	const char *name = member_text(event, "event");

	put_time(member_number(event, "time"));
	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
		if (strcmp(name, shows[i].event) == 0) {
			shows[i].show(event);
			put(COLOUR_NONE, "\n");
			return;
		}
	}
	/* A newer daemon may have other events. */
	put(COLOUR_NONE, "%s\n", name);
}

int ixtap_monitor(const struct ixtap *cli)
{
	int fd = client_connect(cli);
	json_t *event;

	if (fd < 0)
		return 1;
	if (client_send(fd, "monitor") == 0) {
		while (streams_ok() && (event = client_receive(fd, -1))) {
			if (cli->json)
				put_json(event);
			else
				put_event(event);
			json_decref(event);
		}
	}
	close(fd);
	return 1;
}
