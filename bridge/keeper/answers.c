/* SPDX-License-Identifier: MIT */
/* What the control socket answers: the bridge in JSON, as answers.h describes it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "answers.h"

#include "bridge/service/clock.h"
#include "bridge/service/names.h"
#include "bridge/service/text_json.h"
#include "bridge/service/tun.h"
#include "daemon.h"
#include "publish.h"
#include "rx_features.h"
#include "upgrade.h"

static double uptime_s(const struct daemon *daemon)
{
	int64_t us = clock_ns() / 1000 - daemon->started_at_ms * 1000;

	return (double)us / 1e6;
}

static json_t *mac_json(const uint8_t mac[IXGBE_MAC_BYTES])
{
	char text[NAMES_MAC_TEXT];

	return json_string(names_mac_format(mac, text));
}

/* ---- status ---- */

static json_t *soft_json(const struct engine *engine)
{
	if (engine->soft.pid < 0)
		return json_null();
	return json_pack("{s:i,s:o,s:o}", "pid", (int)engine->soft.pid, "wire",
			 text_json(engine->soft_wire), "control", text_json(engine->soft_control));
}

static json_t *nic_json(const struct daemon *daemon)
{
	const struct board_state *seen = &daemon->engine.seen;
	json_t *json = json_pack("{s:o}", "name", text_json(daemon->options->nic));

	/* Present only while the NIC is. One that is being opened or closed is not told of. */
	if (daemon->facts.nic_open) {
		const bool vfio = daemon->options->nic_kind == OPTIONS_NIC_VFIO;

		json_object_set_new(json, "backend", json_string(vfio ? "vfio" : "vfio-user"));
		json_object_set_new(json, "device", json_sprintf("8086:%04x", seen->device_id));
		json_object_set_new(json, "mtu", json_integer(seen->applied.mtu));
		json_object_set_new(json, "mac", mac_json(seen->applied.mac));
		json_object_set_new(json, "mac_permanent", mac_json(seen->mac_permanent));
		json_object_set_new(json, "sfp",
				    json_string(publish_sfp_name((enum ixgbe_sfp)seen->sfp)));
		json_object_set_new(
			json, "sfp_checksum",
			json_string(publish_sfp_sum_name((enum ixgbe_sfp_sum)seen->sfp_sum)));
		json_object_set_new(json, "irq_storm", json_integer(seen->storm));
	}
	json_object_set_new(json, "soft", soft_json(&daemon->engine));
	json_object_set_new(json, "dma_refused",
			    json_integer((json_int_t)daemon->dma_refused.count));
	json_object_set_new(json, "dma_timeout",
			    json_integer((json_int_t)daemon->dma_timeout.count));
	json_object_set_new(json, "irq_lost", json_integer((json_int_t)daemon->irqs_lost));
	json_object_set_new(json, "tx_timeout", json_integer((json_int_t)daemon->tx_timeouts));
	json_object_set_new(json, "counter_full", json_integer((json_int_t)daemon->counters_full));
	return json;
}

static json_t *tap_json(const struct daemon *daemon)
{
	const struct interface *iface = &daemon->iface;
	/* A namespace that it was moved to has a name that is not known here. */
	const char *netns =
		*daemon->options->netns && !iface->moved ? daemon->options->netns : NULL;

	return json_pack("{s:o,s:i,s:o,s:b,s:b,s:i,s:o,s:b,s:b,s:i,s:i,s:b}", "name",
			 text_json(iface->tap.name), "ifindex", iface->tap.ifindex, "netns",
			 netns ? text_json(netns) : json_null(), "away", iface->away, "reachable",
			 iface->reachable, "mtu", (int)iface->link.mtu, "mac",
			 mac_json(iface->link.mac), "up", daemon->facts.admin_up, "carrier",
			 iface->link.carrier, "promiscuity", (int)iface->link.promiscuity,
			 "allmulti", (int)iface->link.allmulti, "persist", iface->tap.persist);
}

static json_t *queues_json(const struct daemon *daemon)
{
	const struct board_report *report = daemon->engine.report;
	const bool running = engine_running(&daemon->engine);
	json_t *queues = json_array();
	int cpu[IXGBE_QUEUES_MAX];

	engine_worker_cpus(&daemon->engine, cpu);
	for (uint16_t q = 0; q < daemon->options->queues; q++) {
		const struct worker_board *worker = &report->queue[q];
		const char *state = !running ? "stopped"
				    : atomic_load_explicit(&worker->idle, memory_order_relaxed)
					    ? "idle"
					    : "busy";
		json_array_append_new(queues, json_pack("{s:i,s:s,s:i}", "queue", q, "state", state,
							"cpu", cpu[q]));
	}
	return queues;
}

static json_t *filters_json(const struct mirror *applied)
{
	return json_pack("{s:b,s:b,s:i,s:i,s:b}", "promiscuous", applied->promiscuous,
			 "allmulticast", applied->allmulticast, "multicast_groups",
			 (int)applied->groups_there, "unicast_addresses",
			 (int)applied->others_there, "vlan", 0);
}

static json_t *offloads_json(uint32_t offloads)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} known[] = {
		{TUN_F_CSUM, "csum"},       {TUN_F_TSO4, "tso4"}, {TUN_F_TSO6, "tso6"},
		{TUN_F_TSO_ECN, "tso_ecn"}, {TUN_F_USO4, "uso4"}, {TUN_F_USO6, "uso6"},
	};
	json_t *json = json_array();

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (offloads & known[i].flag)
			json_array_append_new(json, json_string(known[i].name));
	return json;
}

/* ---- The driver ---- */

/* Frames that drivers held when they died. */
static uint64_t held(const struct engine *engine)
{
	uint64_t sum = 0;

	for (uint16_t q = 0; q < engine->options->queues; q++)
		sum += engine->report->queue[q].counters.tx_drop_driver_died;
	return sum;
}

static json_t *driver_json(const struct daemon *daemon)
{
	const struct engine *engine = &daemon->engine;
	const struct board_state *seen = &engine->seen;

	/* No number that kill(2) would take for many processes. */
	json_t *pid = engine->driver.pid > 0 ? json_integer(engine->driver.pid) : json_null();

	return json_pack("{s:o,s:{s:I,s:I,s:I},s:{s:I,s:I},s:{s:I},s:{s:I,s:I,s:I,s:I}}", "pid",
			 pid, "starts", "warm", (json_int_t)engine->starts.warm, "cold",
			 (json_int_t)engine->starts.cold, "upgrade",
			 (json_int_t)engine->starts.upgrade, "lost", "tap_reads",
			 (json_int_t)engine->lost.tap_reads, "held", (json_int_t)held(engine),
			 "repeated", "rx_frames", (json_int_t)seen->rx_repeated, "last", "dead_ns",
			 (json_int_t)engine->dead_ns, "started_ns", (json_int_t)seen->started_ns,
			 "attached_ns", (json_int_t)seen->attached_ns, "running_ns",
			 (json_int_t)seen->running_ns);
}

/* What this process has given up, and what it cannot do any more. */
static json_t *keeper_json(const struct daemon *daemon, const char *const states[])
{
	const struct rights *rights = &daemon->rights;
	const struct isolation_fact *left = &rights->of[RIGHTS_CAPABILITIES];
	const uint8_t whole = rights_whole(rights) ? left->state : (uint8_t)ISOLATION_MISSING;
	json_t *json = json_pack("{s:s,s:s}", "state", states[whole], "text", left->text);
	json_t *gone = json_array();

	for (unsigned int i = 0; i < RIGHTS_COUNT; i++)
		json_object_set_new(json, rights_name((enum rights_mechanism)i),
				    json_pack("{s:s,s:s}", "state", states[rights->of[i].state],
					      "text", rights->of[i].text));
	if (rights_other_user(rights))
		json_array_append_new(gone, json_string("follow the interface into other network "
							"namespaces"));
	if (!rights_open_nic(rights, daemon->options->nic_kind))
		json_array_append_new(gone, json_string("open the NIC again"));
	json_object_set_new(json, "cannot", gone);
	return json;
}

static json_t *isolation_json(const struct daemon *daemon)
{
	static const char *const states[] = {
		[ISOLATION_MISSING] = "missing",
		[ISOLATION_IN_FORCE] = "in force",
		[ISOLATION_UNUSED] = "unused",
		[ISOLATION_LATER] = "missing", /* of a driver that does not run yet */
	};
	const struct engine *engine = &daemon->engine;
	json_t *json =
		json_pack("{s:s,s:o}", "wanted", options_isolation_name(daemon->options->isolation),
			  "keeper", keeper_json(daemon, states));

	for (unsigned int i = 0; i < ISOLATION_COUNT; i++) {
		const struct isolation_fact *fact = &engine->spawner.report.of[i];

		if (i == ISOLATION_SECCOMP_LAST && engine_running(engine))
			fact = &engine->seen.last_filter;

		json_object_set_new(
			json, isolation_name(i),
			json_pack("{s:s,s:s}", "state", states[fact->state], "text", fact->text));
	}
	return json;
}

static json_t *status_json(const struct daemon *daemon)
{
	return json_pack(
		"{s:s,s:i,s:f,s:s,s:o,s:i,s:o,s:o,s:{s:b,s:i},s:s,s:o,s:{s:i,s:i},s:o,s:o,s:o,s:o}",
		"version", IXTAP_VERSION, "pid", (int)getpid(), "uptime_s", uptime_s(daemon),
		"state", state_name(daemon->state), "reason", text_json(daemon->reason.text),
		"recoveries", (int)daemon->recoveries, "nic", nic_json(daemon), "tap",
		tap_json(daemon), "link", "up", daemon->link.up, "speed_mbps",
		(int)daemon->link.speed_mbps, "poll", options_poll_name(daemon->options->poll),
		"queues", queues_json(daemon), "rings", "rx", (int)daemon->options->rings, "tx",
		(int)daemon->options->rings, "filters", filters_json(&daemon->applied), "offloads",
		offloads_json(tap_offloads(&daemon->iface.tap)), "driver", driver_json(daemon),
		"isolation", isolation_json(daemon));
}

/* ---- stats ---- */

static void set_counters(json_t *json, const struct bridge_counters *counters)
{
	const uint64_t *value = (const uint64_t *)counters;

	for (size_t i = 0; i < bridge_counter_count; i++)
		json_object_set_new(json, bridge_counter_info[i].name,
				    json_integer((json_int_t)value[i]));
}

static json_t *stats_json(struct daemon *daemon)
{
	struct bridge_counters sum = {0}, one;
	json_t *nic = json_object(), *bridge = json_object(), *queues = json_array();

	/* If the NIC failed, its last values are still true, and the next tick notices. */
	(void)engine_ask(&daemon->engine, BOARD_ASK_STATS);
	for (size_t i = 0; i < daemon->engine.stats; i++)
		json_object_set_new(nic, daemon->engine.stat_name[i],
				    json_integer((json_int_t)engine_stat(&daemon->engine, i)));
	json_object_set_new(nic, "dma_refused",
			    json_integer((json_int_t)daemon->dma_refused.count));
	json_object_set_new(nic, "dma_timeout",
			    json_integer((json_int_t)daemon->dma_timeout.count));
	for (uint16_t q = 0; q < daemon->options->queues; q++) {
		json_t *queue = json_pack("{s:i}", "queue", q);

		engine_counters(&daemon->engine, q, &one);
		set_counters(queue, &one);
		json_array_append_new(queues, queue);
		bridge_counters_add(&sum, &one);
	}
	set_counters(bridge, &sum);
	json_object_set_new(bridge, "kernel_drop",
			    json_integer((json_int_t)interface_kernel_drop(&daemon->iface)));
	return json_pack("{s:o,s:f,s:o,s:o,s:o}", "time", control_time(), "uptime_s",
			 uptime_s(daemon), "nic", nic, "bridge", bridge, "queues", queues);
}

/* ---- registers ---- */

static json_t *registers_json(struct daemon *daemon, const char *prefix)
{
	const struct board_report *report = daemon->engine.report;
	json_t *rows;
	int err;

	if (!daemon->facts.nic_open)
		return control_error("the NIC is not there (%s): try again when it is",
				     daemon->reason.text);
	err = engine_ask(&daemon->engine, BOARD_ASK_REGISTERS);
	if (err)
		return control_error("cannot read the registers: %s", strerror(-err));
	rows = json_array();
	for (uint32_t i = 0; i < report->registers && i < BOARD_REGISTERS_MAX; i++) {
		struct board_register row = report->reg[i];

		row.name[BOARD_NAME_BYTES - 1] = '\0';
		if (!strncasecmp(row.name, prefix, strlen(prefix)))
			json_array_append_new(rows, json_pack("{s:o,s:I,s:I}", "name",
							      text_json(row.name), "offset",
							      (json_int_t)row.offset, "value",
							      (json_int_t)row.value));
	}
	return json_pack("{s:o}", "registers", rows);
}

/* ---- features ---- */

static json_t *features_json(const struct daemon *daemon)
{
	return json_pack("{s:s,s:b,s:b,s:b}", "rx", options_rx_checksum_name(daemon->rx_checksum),
			 "gro", daemon->gro, "coalesce", daemon->options->coalesce, "merging",
			 rx_features_merging(daemon));
}

/* `words` are those behind "features". */
static json_t *features_command(struct daemon *daemon, size_t count, char *const words[])
{
	enum options_rx_checksum rx;
	struct ixgbe_why why;

	if (strcmp(words[0], "rx"))
		return control_error("'%s' can't be set here, only rx; see ethtool -K for the "
				     "others",
				     words[0]);
	if (count < 2)
		return control_error("rx is set to on, off or all: say which");
	if (options_rx_checksum_parse(words[1], &rx, &why))
		return control_error("%s", why.text);
	rx_features_set(daemon, rx);
	return features_json(daemon);
}

/* ---- Requests ---- */

static json_t *answer_status(void *ctx, struct control_request *request)
{
	(void)request;
	return status_json(ctx);
}

static json_t *answer_stats(void *ctx, struct control_request *request)
{
	(void)request;
	return stats_json(ctx);
}

static json_t *answer_registers(void *ctx, struct control_request *request)
{
	return registers_json(ctx, request->words[1] ? request->words[1] : "");
}

static json_t *answer_features(void *ctx, struct control_request *request)
{
	if (request->count > 1)
		return features_command(ctx, request->count - 1, &request->words[1]);
	/* A change of gro a moment ago has to show. */
	rx_features_follow(ctx);
	return features_json(ctx);
}

static json_t *answer_monitor(void *ctx, struct control_request *request)
{
	request->monitor = true;
	return json_pack("{s:s,s:o,s:o}", "event", "start", "time", control_time(), "status",
			 status_json(ctx));
}

static json_t *answer_upgrade(void *ctx, struct control_request *request)
{
	if (request->user != 0 && request->user != geteuid())
		return control_error("only root and the user whose ixtapd this is may upgrade it");
	if (request->words[1] && *request->words[1] != '/')
		return control_error("'%s' is no path from the root: name the program by one",
				     request->words[1]);
	return upgrade_run(ctx, request->words[1], request->client);
}

const struct control_command answers_commands[] = {
	{"status", 0, answer_status, true},
	{"stats", 0, answer_stats, false},
	{"registers", 1, answer_registers, false},
	{"features", 2, answer_features, false},
	{"monitor", 0, answer_monitor, true},
	{"upgrade", 1, answer_upgrade, false},
	{0},
};

#define ONLY ": only status is answered"

const char *answers_busy(const struct daemon *daemon)
{
	switch (daemon->state) {
	case STATE_OPENING:
		return "the NIC is being opened" ONLY;
	case STATE_RECOVERING:
		return "the NIC is being brought back" ONLY ", and says why";
	case STATE_STOPPING:
		return "ixtapd is stopping" ONLY;
	default:
		return "the NIC answers slowly, and something else waits for it" ONLY "; ask again";
	}
}
