/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/service/log.h"

void engine_init(struct engine *engine, const struct options *options, struct patience *patience)
{
	*engine = (struct engine){.options = options, .patience = patience};
	soft_nic_init(&engine->soft);
	if (options->nic_kind == OPTIONS_NIC_SOFT) {
		snprintf(engine->soft_wire, sizeof(engine->soft_wire), "%s",
			 options->nic + strlen("soft:"));
		snprintf(engine->soft_control, sizeof(engine->soft_control), "%.*s.nic",
			 (int)sizeof(engine->soft_control) - 5, options->control);
	}
}

/* ---- The NIC ---- */

/* Gives each worker a processor, from the last one allowed downwards: interrupts and all else
 * gather on the first. With one processor pinning gains nothing. */
static void choose_cpus(struct engine *engine)
{
	cpu_set_t set;
	int allowed[CPU_SETSIZE], count = 0;

	if (!sched_getaffinity(0, sizeof(set), &set))
		for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
			if (CPU_ISSET(cpu, &set))
				allowed[count++] = cpu;
	for (uint16_t q = 0; q < engine->options->queues; q++)
		engine->cpu[q] = count > 1 ? allowed[q % count] : -1;
}

static int open_port(struct engine *engine, uint16_t mtu, struct ixgbe_why *why)
{
	const struct ixgbe_options port = {
		.queues = engine->options->queues,
		.rx_ring = ENGINE_RING,
		.tx_ring = ENGINE_RING,
		.mtu = mtu,
		.log = log_library,
		.give_up = patience_over,
		.give_up_ctx = engine->patience,
	};
	const char *name = engine->options->nic;
	char soft_name[32];
	int err;

	if (engine->options->nic_kind == OPTIONS_NIC_SOFT) {
		err = soft_nic_start(&engine->soft, engine->soft_wire, engine->soft_control,
				     log_level_name(engine->options->log_level), engine->patience,
				     why);
		if (err)
			return err;
		snprintf(soft_name, sizeof(soft_name), "vfio-user-fd:%d", engine->soft.socket);
		engine->soft.socket = -1; /* the library's from here on */
		name = soft_name;
	}
	return ixgbe_open(name, &port, &engine->nic, why);
}

static int open_pools(struct engine *engine, struct ixgbe_why *why)
{
	struct worker_pools size;
	int err = 0;

	worker_pools(ENGINE_RING, ENGINE_RING, &size);
	for (uint16_t q = 0; q < engine->options->queues && !err; q++) {
		err = ixgbe_pool_new(engine->nic, size.rx_count, size.rx_size, 0,
				     &engine->rx_pool[q]);
		if (!err)
			err = ixgbe_pool_new(engine->nic, size.tx_count, size.tx_size, 0,
					     &engine->tx_pool[q]);
	}
	if (err)
		ixgbe_why_fill(why, err, "cannot get DMA buffers for %u queues: %s%s",
			       engine->options->queues, strerror(-err),
			       err == -ENOMEM ? "; raise RLIMIT_MEMLOCK ('ulimit -l') or use fewer "
						"--queues"
					      : "");
	return err;
}

/* Names and counts outlive the port: a recovery must not lose them. */
static int keep_stat_names(struct engine *engine, struct ixgbe_why *why)
{
	size_t count = ixgbe_stats_count(engine->nic);

	if (engine->stat_name)
		return 0;
	engine->stat_name = calloc(count, sizeof(*engine->stat_name));
	engine->stat_before = calloc(count, sizeof(*engine->stat_before));
	if (!engine->stat_name || !engine->stat_before)
		goto no_memory;
	engine->stats = count;
	for (size_t i = 0; i < count; i++) {
		engine->stat_name[i] = strdup(ixgbe_stats_name(engine->nic, i));
		if (!engine->stat_name[i])
			goto no_memory;
	}
	return 0;
no_memory:
	return ixgbe_why_fill(why, -ENOMEM, "out of memory");
}

int engine_open(struct engine *engine, uint16_t mtu, struct ixgbe_why *why)
{
	int err;

	choose_cpus(engine);
	err = open_port(engine, mtu, why);
	if (!err)
		err = keep_stat_names(engine, why);
	if (!err)
		err = open_pools(engine, why);
	if (err)
		engine_close(engine);
	return err;
}

int engine_start(struct engine *engine, const int tap_fd[], struct ixgbe_why *why)
{
	int err = ixgbe_start(engine->nic, engine->rx_pool, why);

	if (err)
		return err;
	engine->started = true;
	for (uint16_t q = 0; q < engine->options->queues; q++) {
		const struct worker_config config = {
			.nic = engine->nic,
			.queue = q,
			.tap_fd = tap_fd[q],
			.rx_pool = engine->rx_pool[q],
			.tx_pool = engine->tx_pool[q],
			.poll = engine->options->poll,
			.coalesce = engine->coalesce,
			.csum_replace = engine->csum_replace,
			.cpu = engine->cpu[q],
		};

		err = worker_start(&config, &engine->worker[q], why);
		if (err)
			return err;
	}
	return 0;
}

void engine_link_set(struct engine *engine, bool up)
{
	for (uint16_t q = 0; q < engine->options->queues; q++)
		if (engine->worker[q])
			worker_link_set(engine->worker[q], up);
}

void engine_receive_set(struct engine *engine, bool coalesce, bool csum_replace)
{
	engine->coalesce = coalesce;
	engine->csum_replace = csum_replace;
	for (uint16_t q = 0; q < engine->options->queues; q++)
		if (engine->worker[q])
			worker_receive_set(engine->worker[q], coalesce, csum_replace);
}

static void stop_workers(struct engine *engine)
{
	for (uint16_t q = 0; q < engine->options->queues; q++) {
		struct bridge_counters last;

		if (!engine->worker[q])
			continue;
		worker_halt(engine->worker[q]);
		worker_counters(engine->worker[q], &last);
		bridge_counters_add(&engine->worker_before[q], &last);
		worker_stop(engine->worker[q]);
		engine->worker[q] = NULL;
	}
}

void engine_close(struct engine *engine)
{
	stop_workers(engine);
	if (engine->started && ixgbe_stop(engine->nic))
		log_debug("the NIC did not stop in order: it is reset all the same");
	engine->started = false;
	if (engine->nic) {
		/* A dead NIC's last counts are lost; those that were read before are not. */
		(void)ixgbe_stats_update(engine->nic);
		for (size_t i = 0; i < engine->stats; i++)
			engine->stat_before[i] += ixgbe_stats_value(engine->nic, i);
	}
	for (uint16_t q = 0; q < engine->options->queues; q++) {
		ixgbe_pool_free(engine->rx_pool[q]);
		ixgbe_pool_free(engine->tx_pool[q]);
		engine->rx_pool[q] = engine->tx_pool[q] = NULL;
	}
	ixgbe_close(engine->nic);
	engine->nic = NULL;
	soft_nic_stop(&engine->soft);
}

void engine_free(struct engine *engine)
{
	engine_close(engine);
	for (size_t i = 0; i < engine->stats; i++)
		free(engine->stat_name[i]);
	free(engine->stat_name);
	free(engine->stat_before);
	engine->stat_name = NULL;
	engine->stat_before = NULL;
	engine->stats = 0;
}

/* ---- Counts ---- */

void engine_counters(const struct engine *engine, uint16_t queue, struct bridge_counters *out)
{
	struct bridge_counters now = {0};

	if (engine->worker[queue])
		worker_counters(engine->worker[queue], &now);
	*out = engine->worker_before[queue];
	bridge_counters_add(out, &now);
}

int engine_stats_update(struct engine *engine)
{
	return engine->nic ? ixgbe_stats_update(engine->nic) : 0;
}

int engine_stats_step(struct engine *engine)
{
	return engine->nic ? ixgbe_stats_step(engine->nic) : 0;
}

uint64_t engine_stat(const struct engine *engine, size_t i)
{
	return engine->stat_before[i] + (engine->nic ? ixgbe_stats_value(engine->nic, i) : 0);
}
