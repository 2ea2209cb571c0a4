/* SPDX-License-Identifier: MIT */
/*
 * The NIC starts, its link comes and goes, it fails, it is closed and opened again.
 *
 * While a NIC is away the TAP stays, with its addresses and connections, without carrier. The NIC
 * is opened again after growing delays (state_retry_delay_ms), about half a minute in all. Then
 * ixtapd exits 1: the supervisor should know. All backends are treated alike: a software NIC is
 * started again, a server may be back at its socket, a device gets its reset.
 *
 * A NIC that reaches for memory outside its own, and is refused by the IOMMU, has not failed: the
 * memory is safe, and frames may well flow on. A reset would not mend such hardware, and would
 * cost the connections. The administrator is told, and decides.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "nic_life.h"
#include "publish.h"
#include "watch.h"

/* How long the end of a software NIC that fails is waited for. */
#define SOFT_NIC_END_MS 100

static void link_set(struct daemon *daemon, const struct ixgbe_link *link)
{
	const struct ixgbe_link was = daemon->link;
	char text[32];

	daemon->link = *link;
	daemon->facts.link_up = link->up;
	engine_link_set(&daemon->engine, link->up);
	if (was.up == link->up && was.speed_mbps == link->speed_mbps)
		return;
	interface_link_set(&daemon->iface, link, daemon->sfp);
	/* One format for up and down: log_limited sums up a link that flaps by its last change. */
	snprintf(text, sizeof(text), "up, %u Mbit/s", link->speed_mbps);
	log_info("%s: link %s", daemon->iface.tap.name, link->up ? text : "down");
	publish_event(daemon, json_pack("{s:s,s:b,s:i}", "event", "link", "up", link->up,
					"speed_mbps", (int)link->speed_mbps));
	publish_state(daemon);
}

/* Plans the next attempt, or gives up. `reason` says why the NIC is not there. */
static void retry_later(struct daemon *daemon)
{
	int delay_ms = state_retry_delay_ms(daemon->attempt);

	if (delay_ms < 0) {
		log_error("%s: giving up on the NIC %s after %u attempts: %s",
			  daemon->iface.tap.name, daemon->options->nic, daemon->attempt,
			  daemon->reason.text);
		publish_stop(daemon, 1);
		return;
	}
	daemon->attempt++;
	daemon->retry_at_ms = clock_ms() + delay_ms;
}

static void nic_close(struct daemon *daemon)
{
	if (daemon->engine.nic)
		watch_remove(daemon, ixgbe_irq_other_fd(daemon->engine.nic));
	watch_remove(daemon, daemon->engine.soft.pidfd);
	watch_remove(daemon, daemon->engine.soft.output);
	patience_begin(&daemon->patience, PATIENCE_STOP_MS);
	engine_close(&daemon->engine);
}

void nic_life_close(struct daemon *daemon)
{
	daemon->facts.nic_open = false;
	link_set(daemon, &(struct ixgbe_link){0});
	publish_state(daemon);
	nic_close(daemon);
	daemon->retry_at_ms = clock_ms();
}

void nic_life_failed(struct daemon *daemon, const char *what)
{
	char fate[64];

	/* A dead software NIC often shows first as a server that does not answer. */
	if (soft_nic_ended(&daemon->engine.soft, SOFT_NIC_END_MS)) {
		soft_nic_fate(&daemon->engine.soft, fate);
		ixgbe_why_fill(&daemon->reason, 0, "the software NIC %s", fate);
	} else {
		ixgbe_why_fill(&daemon->reason, 0, "%s", what);
		patience_explain(&daemon->patience, &daemon->reason);
	}
	if (patience_signalled(&daemon->patience))
		log_info("%s: told to stop: %s", daemon->iface.tap.name, daemon->reason.text);
	else
		log_error("%s: %s: carrier off, trying to bring the NIC back",
			  daemon->iface.tap.name, daemon->reason.text);
	nic_life_close(daemon);
	if (clock_ms() - daemon->opened_at_ms > STATE_STABLE_MS)
		daemon->attempt = 0;
	retry_later(daemon);
}

void nic_life_failed_errno(struct daemon *daemon, const char *what, int err)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", what,
		 err == -ENODEV ? "the device is gone" : strerror(-err));
	nic_life_failed(daemon, text);
}

bool nic_life_link_read(struct daemon *daemon)
{
	struct ixgbe_link link;
	int err = ixgbe_link_get(daemon->engine.nic, &link);

	if (err) {
		nic_life_failed_errno(daemon, "cannot read the NIC's link", err);
		return false;
	}
	link_set(daemon, &link);
	return true;
}

void nic_life_module_read(struct daemon *daemon)
{
	daemon->sfp = ixgbe_sfp_type(daemon->engine.nic);
	interface_link_set(&daemon->iface, &daemon->link, daemon->sfp);
}

static void bus_refused(struct daemon *daemon)
{
	/* The IOMMU is the kernel's, and has told it the addresses. */
	bool kernel = !strcmp(ixgbe_backend_name(daemon->engine.nic), "vfio");

	if (notice_add(&daemon->dma_refused, clock_ms()))
		log_warning("%s: the NIC reached for memory outside its own and was refused: "
			    "nothing was lost, but %s",
			    daemon->iface.tap.name,
			    kernel ? "its firmware or hardware is not to be trusted; see the "
				     "kernel's log for the addresses (dmesg, 'fault addr') and "
				     "replace it"
				   : "its server is not to be trusted: replace it");
	publish_event(daemon, json_pack("{s:s,s:I}", "event", "dma_refused", "count",
					(json_int_t)daemon->dma_refused.count));
}

static void bus_timeout(struct daemon *daemon)
{
	if (notice_add(&daemon->dma_timeout, clock_ms()))
		log_warning("%s: a read of memory by the NIC had no answer: frames may be lost; "
			    "see the kernel's log, and whether the NIC sits well in its slot",
			    daemon->iface.tap.name);
	publish_event(daemon, json_pack("{s:s,s:I}", "event", "dma_timeout", "count",
					(json_int_t)daemon->dma_timeout.count));
}

bool nic_life_bus_check(struct daemon *daemon)
{
	int events = ixgbe_bus_errors(daemon->engine.nic);

	if (events < 0) {
		nic_life_failed_errno(daemon, "cannot read the NIC's PCI status", events);
		return false;
	}
	if (events & IXGBE_BUS_REFUSED)
		bus_refused(daemon);
	if (events & IXGBE_BUS_TIMEOUT)
		bus_timeout(daemon);
	return true;
}

bool nic_life_transmit_check(struct daemon *daemon)
{
	int err = ixgbe_tx_watch(daemon->engine.nic);

	if (err == -ETIMEDOUT)
		nic_life_failed(daemon, "the NIC has stopped to send");
	else if (err)
		nic_life_failed_errno(daemon, "cannot look after the NIC's transmitter", err);
	return !err;
}

static int nic_watch(struct daemon *daemon)
{
	int err = watch_add(daemon, ixgbe_irq_other_fd(daemon->engine.nic), WATCH_NIC);

	if (!err && daemon->engine.soft.pid > 0) {
		err = watch_add(daemon, daemon->engine.soft.pidfd, WATCH_SOFT_END);
		if (!err)
			err = watch_add(daemon, daemon->engine.soft.output, WATCH_SOFT_OUTPUT);
	}
	return err;
}

int nic_life_start(struct daemon *daemon, struct ixgbe_why *why)
{
	struct mirror wanted = {0};
	int err;

	interface_enter(&daemon->iface);
	interface_wanted(&daemon->iface, daemon->applied.mtu, &wanted);
	interface_leave(&daemon->iface); /* the workers stay where they are made */
	err = mirror_apply(daemon->engine.nic, &wanted, &daemon->applied, MIRROR_ALL);
	if (err)
		return ixgbe_why_fill(why, err, "cannot set the NIC up: %s; is it a working 82599?",
				      strerror(-err));
	daemon->facts.admin_up = daemon->applied.admin_up;
	err = engine_start(&daemon->engine, daemon->iface.tap.fd, why);
	if (err)
		return err;
	err = nic_watch(daemon);
	if (err)
		return ixgbe_why_fill(why, err, "cannot watch the NIC: %s", strerror(-err));
	daemon->opened_at_ms = clock_ms();
	daemon->facts.nic_open = true;
	interface_enter(&daemon->iface);
	nic_life_module_read(daemon);
	interface_leave(&daemon->iface);
	return 0;
}

void nic_life_retry(struct daemon *daemon)
{
	struct ixgbe_why why = {""};
	int err;

	patience_begin(&daemon->patience, PATIENCE_START_MS);
	interface_leave(&daemon->iface); /* a software NIC stays where it is started */
	err = engine_open(&daemon->engine, daemon->applied.mtu, &why);
	if (!err)
		err = nic_life_start(daemon, &why);
	interface_enter(&daemon->iface);
	if (err) {
		patience_explain(&daemon->patience, &why);
		nic_close(daemon);
		daemon->reason = why;
		log_warning("%s: attempt %u to bring the NIC back failed: %s",
			    daemon->iface.tap.name, daemon->attempt, why.text);
		retry_later(daemon);
		return;
	}
	daemon->recoveries++;
	daemon->reason.text[0] = '\0';
	log_info("%s: the NIC is back", daemon->iface.tap.name);
	publish_state(daemon);
	nic_life_link_read(daemon);
}
