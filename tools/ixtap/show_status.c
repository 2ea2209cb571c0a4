/* SPDX-License-Identifier: MIT */
/* ixtap status: a line that says whether all is well, then details. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ixtap.h"

#define LABEL "  %-9s "

static void put_headline(const json_t *status)
{
	const char *state = member_text(status, "state");
	const char *reason = member_text(status, "reason");
	bool running = strcmp(state, "running") == 0;

	put(COLOUR_HEAD, "%s", member_text(status, "tap.name"));
	put(COLOUR_NONE, ": ");
	put(running ? COLOUR_GOOD : COLOUR_WARN, "%s", state);
	if (member_true(status, "link.up"))
		put(COLOUR_GOOD, ", link up, %" PRId64 " Mbit/s",
		    member_int(status, "link.speed_mbps"));
	else
		put(COLOUR_WARN, ", link down");
	if (reason[0])
		put(COLOUR_WARN, " (%s)", reason);
	put(COLOUR_NONE, "\n");
}

static void put_tap(const json_t *status)
{
	const char *netns = member_text(status, "tap.netns");

	put(COLOUR_NONE, LABEL "%s, index %" PRId64, "interface", member_text(status, "tap.name"),
	    member_int(status, "tap.ifindex"));
	if (netns[0])
		put(COLOUR_NONE, " in namespace %s", netns);
	else if (member_true(status, "tap.away"))
		put(COLOUR_NONE, " in another namespace");
	put(COLOUR_NONE, ", mtu %" PRId64 ", mac %s", member_int(status, "tap.mtu"),
	    member_text(status, "tap.mac"));
	put(COLOUR_NONE, ", %s, ", member_true(status, "tap.up") ? "up" : "down");
	put(COLOUR_NONE, "%s", member_true(status, "tap.carrier") ? "carrier" : "no carrier");
	put(COLOUR_NONE, "%s\n", member_true(status, "tap.persist") ? ", persistent" : "");
}

/* What is known of a NIC only while it is there. */
static void put_open_nic(const json_t *status)
{
	const char *mac = member_text(status, "nic.mac");
	const char *permanent = member_text(status, "nic.mac_permanent");

	put(COLOUR_NONE, ", %s over %s\n", member_text(status, "nic.device"),
	    member_text(status, "nic.backend"));
	put(COLOUR_NONE, LABEL "mac %s%s%s", "", mac, strcmp(mac, permanent) ? ", permanent " : "",
	    strcmp(mac, permanent) ? permanent : "");
	put(COLOUR_NONE, ", module %s", member_text(status, "nic.sfp"));
	if (strcmp(member_text(status, "nic.sfp_checksum"), "wrong") == 0)
		put(COLOUR_WARN, ", its checksum is wrong");
	put(COLOUR_NONE, "\n");
}

static void put_nic(const json_t *status)
{
	put(COLOUR_NONE, LABEL "%s", "nic", member_text(status, "nic.name"));
	if (member(status, "nic.device"))
		put_open_nic(status);
	else
		put(COLOUR_WARN, ", not there\n");
	if (json_is_object(member(status, "nic.soft")))
		put(COLOUR_NONE, LABEL "software NIC, pid %" PRId64 ", wire %s\n", "",
		    member_int(status, "nic.soft.pid"), member_text(status, "nic.soft.wire"));
}

/* Shown only if the NIC does what no healthy NIC does. */
static void put_faults(const json_t *status)
{
	static const struct {
		const char *member, *before, *behind;
	} counts[] = {
		{"nic.dma_refused", "memory not its own refused, noticed", " times"},
		{"nic.dma_timeout", "memory did not answer, noticed", " times"},
		{"nic.tx_timeout", "transmit queues hung", " times"},
		{"nic.irq_lost", "interrupts lost", ""},
		{"nic.irq_storm", "interrupt storm,", " a second"},
		{"nic.counter_full", "counters at their maximum", " times"},
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int64_t count = member_int(status, counts[i].member);

		if (!count)
			continue;
		if (any)
			put(COLOUR_NONE, ", ");
		else
			put(COLOUR_NONE, LABEL, "");
		put(COLOUR_BAD, "%s %" PRId64 "%s", counts[i].before, count, counts[i].behind);
		any = true;
	}
	if (any)
		put(COLOUR_NONE, "\n");
}

static void put_filters(const json_t *status)
{
	static const char *const names[][2] = {
		{"filters.promiscuous", "promiscuous"},
		{"filters.allmulticast", "all multicast"},
		{"filters.vlan", "VLAN filter"},
	};

	int64_t others = member_int(status, "filters.unicast_addresses");

	put(COLOUR_NONE, LABEL "%" PRId64 " multicast groups", "filters",
	    member_int(status, "filters.multicast_groups"));
	if (others)
		put(COLOUR_NONE, ", %" PRId64 " further unicast addresses", others);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (member_true(status, names[i][0]))
			put(COLOUR_NONE, ", %s", names[i][1]);
	}
	put(COLOUR_NONE, "\n");
}

static void put_offloads(const json_t *status)
{
	const json_t *offloads = member(status, "offloads"), *offload;
	size_t i;

	put(COLOUR_NONE, LABEL, "offloads");
	json_array_foreach(offloads, i, offload)
		put(COLOUR_NONE, "%s%s", i ? " " : "", json_string_value(offload));
	put(COLOUR_NONE, "%s\n", json_array_size(offloads) ? "" : "none");
}

static void put_queues(const json_t *status)
{
	const json_t *queue;
	size_t i;

	json_array_foreach(member(status, "queues"), i, queue)
	{
		int64_t cpu = member_int(queue, "cpu");

		put(COLOUR_NONE, LABEL "%" PRId64 " %s", i ? "" : "queues",
		    member_int(queue, "queue"), member_text(queue, "state"));
		if (cpu >= 0)
			put(COLOUR_NONE, ", processor %" PRId64, cpu);
		put(COLOUR_NONE, "\n");
	}
}

static void put_rings(const json_t *status)
{
	put(COLOUR_NONE,
	    LABEL "receive %" PRId64 ", transmit %" PRId64 " descriptors in each queue\n", "rings",
	    member_int(status, "rings.rx"), member_int(status, "rings.tx"));
}

/* Each loss or repeat that there was, by name. */
static void put_members(const json_t *object, const char *what)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value) if (json_integer_value(value))
		put(COLOUR_WARN, ", %s %s %" PRId64, what, name,
		    (int64_t)json_integer_value(value));
}

static void put_driver(const json_t *status)
{
	int64_t pid = member_int(status, "driver.pid");

	if (pid > 0)
		put(COLOUR_NONE, LABEL "process %" PRId64, "driver", pid);
	else
		put(COLOUR_WARN, LABEL "none", "driver");
	put(COLOUR_NONE, ", starts: %" PRId64 " cold, %" PRId64 " warm, %" PRId64 " by upgrade",
	    member_int(status, "driver.starts.cold"), member_int(status, "driver.starts.warm"),
	    member_int(status, "driver.starts.upgrade"));
	put_members(member(status, "driver.lost"), "lost");
	put_members(member(status, "driver.repeated"), "repeated");
	put(COLOUR_NONE, "\n");
}

/* One line if nothing is missing; else one more for each mechanism that is. */
/* What the keeper has given up, what it lacks, and what it cannot do any more. */
static void put_keeper(const json_t *status)
{
	json_t *keeper = (json_t *)(uintptr_t)member(status, "isolation.keeper"), *one;
	const char *name, *left = member_text(keeper, "text");
	size_t i;

	put(COLOUR_NONE, LABEL "keeper: %s\n", "", *left ? left : "no capabilities");
	json_object_foreach(keeper, name, one) if (!strcmp(member_text(one, "state"), "missing"))
		put(COLOUR_WARN, LABEL "keeper: no %s: %s\n", "", name, member_text(one, "text"));
	json_array_foreach(json_object_get(keeper, "cannot"), i, one)
		put(COLOUR_NONE, LABEL "keeper: cannot %s\n", "", json_string_value(one));
}

static void put_isolation(const json_t *status)
{
	const json_t *all = member(status, "isolation");
	const char *name;
	json_t *one;
	int in_force = 0;

	json_object_foreach((json_t *)(uintptr_t)all, name, one) in_force +=
		!strcmp(member_text(one, "state"), "in force");
	put(COLOUR_NONE, LABEL "%s: %d mechanisms in force\n", "isolation",
	    member_text(status, "isolation.wanted"), in_force);
	json_object_foreach((json_t *)(uintptr_t)all, name,
			    one) if (!strcmp(member_text(one, "state"), "missing") &&
				     strcmp(name, "keeper") != 0)
		put(COLOUR_WARN, LABEL "no %s: %s\n", "", name, member_text(one, "text"));
	put_keeper(status);
}

static void put_daemon(const json_t *status)
{
	int64_t recoveries = member_int(status, "recoveries");
	char uptime[FORMAT_BYTES];

	put(COLOUR_NONE, LABEL "ixtapd %s, pid %" PRId64 ", up %s, poll %s", "daemon",
	    member_text(status, "version"), member_int(status, "pid"),
	    format_duration(uptime, member_number(status, "uptime_s")),
	    member_text(status, "poll"));
	if (recoveries)
		put(COLOUR_WARN, ", NIC brought back %" PRId64 " times", recoveries);
	put(COLOUR_NONE, "\n");
}

int ixtap_status(const struct ixtap *cli)
{
	int fd = client_connect(cli);
	json_t *status;

	if (fd < 0)
		return 1;
	status = client_request(fd, "status");
	close(fd);
	if (!status)
		return 1;
	if (!member(status, "tap")) {
		fail("this is no ixtapd's control socket: ask an ixnic with 'ixtap nic'");
		json_decref(status);
		return 1;
	}
	if (cli->json) {
		put_json(status);
	} else {
		put_headline(status);
		put_tap(status);
		put_nic(status);
		put_faults(status);
		put_filters(status);
		put_offloads(status);
		put_queues(status);
		put_rings(status);
		put_driver(status);
		put_isolation(status);
		put_daemon(status);
	}
	json_decref(status);
	return 0;
}
