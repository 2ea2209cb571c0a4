/* SPDX-License-Identifier: MIT */
/*
 * The life of a port.
 *
 *     open   backend, identity, reset, EEPROM, module, memory, vectors
 *     start  rings, transmitter, receiver, interrupts
 *     stop   the reverse, then a reset
 *     close  reset, and everything goes back
 *
 * One rule holds the states together: a port that is not started has just been
 * reset and configured. Start needs no reset of its own, and stop and start cure a
 * fault. A device that could not be reset is no bus master, and the next start resets it
 * again. Settings (addresses, filters, MTU, link) are kept in `struct ixgbe` and written to
 * the device at once; port_reset() writes them again.
 */
#include "mac.h"
#include "parts.h"
#include "wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of what state memory holds, and where. Raised with any change of it. */
#define STATE_VERSION 3u

/* Everything after a reset that does not depend on queues. */
static void port_configure(struct ixgbe *nic)
{
	init_configure(nic);
	filters_apply(nic);
	init_memory_errors_report(nic);
	irq_configure(nic);
}

static int port_reset(struct ixgbe *nic)
{
	int err = init_reset(nic);

	if (!err) {
		port_configure(nic);
		err = init_bus_master_set(nic, true);
	}
	if (!err)
		err = link_apply(nic);
	nic->reset_failed = err != 0;
	if (err)
		init_bus_master_set(nic, false); /* it does no DMA, whatever else it does */
	return err;
}

static int bus_set(struct ixgbe *nic, bool master, struct ixgbe_why *why)
{
	int err = init_bus_master_set(nic, master);

	return err ? ixgbe_why_fill(why, err,
				    "cannot write the PCI configuration space: %s; see whether the "
				    "device is still there",
				    strerror(-err))
		   : 0;
}

static int module_set_up(struct ixgbe *nic, struct ixgbe_why *why)
{
	int err = sfp_identify(nic);

	if (err)
		return ixgbe_why_fill(
			why, err,
			"cannot reach the SFP+ module (%s): firmware or another driver "
			"holds its bus; close that program, or reboot",
			strerror(-err));
	err = sfp_setup(nic);
	if (err)
		return ixgbe_why_fill(
			why, err,
			"cannot set up the SFP+ module from the EEPROM (%s): write the "
			"EEPROM anew with the adapter maker's tool",
			strerror(-err));
	return 0;
}

/* Takes the device from any state to that of a port that is not started. */
static int bring_up(struct ixgbe *nic, struct ixgbe_why *why)
{
	/* From here on registers answer. Without bus mastering the device does no DMA to rings of a
	 * former owner. */
	int err = bus_set(nic, false, why);

	if (err)
		return err;
	if (port_gone(nic))
		return -ENODEV; /* device_take says why */
	err = init_reset(nic);
	if (err)
		return ixgbe_why_fill(
			why, err,
			"the reset of the device failed (%s): it hangs; power-cycle the machine",
			strerror(-err));
	err = eeprom_check(nic, why);
	if (err)
		return err;
	memcpy(nic->kept->mac, nic->kept->mac_permanent, sizeof(nic->kept->mac));
	port_configure(nic);
	err = module_set_up(nic, why);
	if (!err)
		err = bus_set(nic, true, why);
	if (err)
		return err;
	stats_discard(nic);
	err = link_apply(nic);
	return err ? ixgbe_why_fill(why, err, "cannot set up the link: %s", strerror(-err)) : 0;
}

static int memory_new(struct ixgbe *nic, struct ixgbe_why *why)
{
	int err = rings_new(nic);

	if (err)
		ixgbe_why_fill(
			why, err,
			"cannot get DMA memory for %u queues with rings of %u and %u: %s%s",
			nic->options.queues, nic->options.rx_ring, nic->options.tx_ring,
			strerror(-err),
			err == -ENOMEM
				? "; raise the limit of locked memory (ulimit -l) or use fewer "
				  "queues"
				: "");
	return err;
}

/* Frees what exists; the device does no DMA any more. */
static void port_free(struct ixgbe *nic)
{
	struct ixgbe_device *device = nic->device;

	irq_free(nic);
	rings_free(nic);
	stats_free(nic);
	filters_free(nic);
	state_free(device->state, nic->kept);
	if (nic->backend != device->backend)
		nic->backend->ops->close(nic->backend);
	free(nic);
	if (!device->state)
		device_free(device);
}

static bool state_fits(const struct port_state *kept, const struct ixgbe_options *options)
{
	return kept->version == STATE_VERSION && kept->queues == options->queues &&
	       kept->rx_ring == options->rx_ring && kept->tx_ring == options->tx_ring;
}

/* Whether a former driver left a NIC that runs, and a state that a driver can have left. */
static bool state_resumable(const struct port_state *kept)
{
	return kept->running == 1 && !(kept->intent & ~INTENT_FILTERS) &&
	       kept->mtu >= IXGBE_MTU_MIN && kept->mtu <= IXGBE_MTU_MAX &&
	       mac_check(kept->mac) == 0 && mac_check(kept->mac_permanent) == 0 &&
	       kept->admin_up <= 1 && kept->sfp <= IXGBE_SFP_OTHER && kept->sfp_limiting <= 1 &&
	       kept->sfp_two_rates <= 1 && kept->sfp_sum <= IXGBE_SFP_SUM_WRONG;
}

/* Makes the port's own records. Of a former driver's, statistics go on in any case. */
static int port_prepare(struct ixgbe *nic)
{
	struct state_memory *state = nic->device->state;

	if (state)
		state->used = 0;
	nic->kept = state_alloc(state, sizeof(*nic->kept));
	if (!nic->kept || filters_new(nic) || stats_new(nic) || irq_new(nic))
		return -ENOMEM;
	nic->resumed.resumed = state_fits(nic->kept, &nic->options) && state_resumable(nic->kept);
	if (nic->resumed.resumed)
		return 0;
	*nic->kept = (struct port_state){
		.version = STATE_VERSION,
		.queues = nic->options.queues,
		.rx_ring = nic->options.rx_ring,
		.tx_ring = nic->options.tx_ring,
		.mtu = nic->options.mtu,
	};
	filters_forget(nic);
	return 0;
}

static int device_take(struct ixgbe *nic, struct ixgbe_why *why)
{
	int err = nic->resumed.resumed ? 0 : bring_up(nic, why);

	if (!err)
		err = memory_new(nic, why);
	/* A device that is gone makes any step fail, and that step's advice is wrong. */
	if (err && port_gone(nic))
		return ixgbe_why_fill(
			why, -ENODEV,
			"the NIC does not answer any more: its vfio-user server ended or "
			"hangs (see its log), or the device was removed or hangs (echo 1 > "
			"/sys/bus/pci/devices/BDF/reset, or power-cycle the machine)");
	return err;
}

/* A port of the device, without anything of its own. */
static int port_new(struct ixgbe_device *device, struct ixgbe **out, struct ixgbe_why *why)
{
	struct ixgbe *nic = calloc(1, sizeof(*nic));
	int err = 0;

	if (!nic) {
		if (!device->state)
			device_free(device);
		ixgbe_why_fill(why, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	nic->device = device;
	nic->backend = device->backend;
	nic->options = device->options;
	nic->dma = device->dma;
	if (device->state) {
		dma_keep(device->dma);
		err = device_registers(device, &nic->backend, why);
	}
	if (err)
		free(nic);
	else
		*out = nic;
	return err;
}

int ixgbe_attach(struct ixgbe_device *device, struct ixgbe **out, struct ixgbe_why *why)
{
	struct ixgbe *nic = NULL;
	int err = port_new(device, &nic, why);

	if (err)
		return err;
	err = port_prepare(nic);
	if (err)
		ixgbe_why_fill(why, err, "out of memory");
	else
		err = device_take(nic, why);
	if (err) {
		port_free(nic);
		return err;
	}
	if (!nic->resumed.resumed)
		(void)ixgbe_bus_errors(nic); /* forgets errors from before this driver */
	*out = nic;
	return 0;
}

int ixgbe_open(const char *name, const struct ixgbe_options *options, struct ixgbe **out,
	       struct ixgbe_why *why)
{
	struct ixgbe_backend *backend = NULL;
	struct ixgbe_device *device = NULL;
	int err = backend_open(name, options, &backend, why);

	if (!err)
		err = device_new(backend, options, &device, why);
	return err ? err : ixgbe_attach(device, out, why);
}

int ixgbe_device_open(const char *nic, const struct ixgbe_options *options,
		      const struct ixgbe_pool_plan *pool, uint32_t pools, struct ixgbe_device **out,
		      struct ixgbe_why *why)
{
	struct ixgbe_backend *backend = NULL;
	int err = backend_open(nic, options, &backend, why);

	return err ? err : device_keep(backend, options, pool, pools, out, why);
}

void ixgbe_close(struct ixgbe *nic)
{
	if (!nic)
		return;
	if (nic->started)
		ixgbe_stop(nic);
	nic->kept->admin_up = false;
	link_apply(nic); /* the partner sees the link go down */
	irq_mask_all(nic);
	init_reset(nic);
	init_bus_master_set(nic, false);
	reg_clear(nic, IXGBE_CTRL_EXT, IXGBE_CTRL_EXT_DRV_LOAD);
	port_free(nic);
}

/* ---- Start and stop ---- */

/* The NIC runs; the former driver may have died before any of this. */
static int traffic_resume(struct ixgbe *nic, struct ixgbe_pool *const rx_pool[],
			  struct ixgbe_why *why)
{
	int err = rings_resume(nic, rx_pool, &nic->resumed);

	if (err) {
		state_store(&nic->kept->running, 0);
		return ixgbe_why_fill(why, err,
				      "what the former driver left does not add up: the next one "
				      "resets the device");
	}
	if (nic->kept->intent & INTENT_FILTERS) {
		err = filters_redo(nic);
		if (err)
			return ixgbe_why_fill(why, err, "the receiver did not start: %s",
					      strerror(-err));
		intent_end(nic, INTENT_FILTERS);
	}
	irq_queues_configure(nic);
	return 0;
}

/* Section 4.5.9: no frame comes in, then the queues end. All of it is done even if a step fails:
 * the reset afterwards ends what did not end by itself. */
static int traffic_stop(struct ixgbe *nic)
{
	int receiver = init_receiver_set(nic, false);
	int rx = rings_receive_stop(nic);
	int tx = rings_transmit_stop(nic);

	return receiver ? receiver : rx ? rx : tx;
}

/* Sections 4.6.7, 4.6.8: all queues, and only then the receiver. */
static int traffic_start(struct ixgbe *nic, struct ixgbe_pool *const rx_pool[],
			 struct ixgbe_why *why)
{
	int err = rings_transmit_start(nic, why);

	if (err)
		return err;
	err = rings_receive_start(nic, rx_pool, why);
	if (err) {
		rings_transmit_stop(nic);
		return err;
	}
	err = init_receiver_set(nic, true);
	if (err) {
		traffic_stop(nic);
		return ixgbe_why_fill(why, err, "the receiver did not start: %s; reset the device",
				      strerror(-err));
	}
	return 0;
}

int ixgbe_start(struct ixgbe *nic, struct ixgbe_pool *const rx_pool[], struct ixgbe_why *why)
{
	int err;

	if (nic->started)
		return ixgbe_why_fill(why, -EBUSY, "the port is started already");
	if (nic->reset_failed) {
		err = port_reset(nic);
		if (err)
			return ixgbe_why_fill(
				why, err,
				"the reset of the device failed again (%s): it hangs; "
				"power-cycle the machine",
				strerror(-err));
	}
	if (nic->resumed.resumed) {
		err = traffic_resume(nic, rx_pool, why);
		if (err)
			return err;
	} else {
		err = traffic_start(nic, rx_pool, why);
		if (err) {
			port_reset(nic);
			return err;
		}
	}
	irq_other_arm(nic); /* 4.6.3.1: interrupts are enabled last */
	nic->started = true;
	state_store(&nic->kept->running, 1);
	return 0;
}

void ixgbe_resumed(const struct ixgbe *nic, struct ixgbe_resumed *out)
{
	*out = nic->resumed;
}

int ixgbe_stop(struct ixgbe *nic)
{
	int first, err;

	if (!nic->started)
		return 0;
	nic->started = false;
	nic->resumed.resumed = false;
	state_store(&nic->kept->running, 0);
	irq_mask_all(nic);
	first = traffic_stop(nic);
	err = ixgbe_stats_update(nic); /* before the reset clears them */
	first = first ? first : err;
	err = port_reset(nic);
	return first ? first : err;
}

int ixgbe_tx_watch(struct ixgbe *nic)
{
	return nic->started ? rings_transmit_watch(nic, wait_now_us()) : 0;
}

uint32_t ixgbe_tx_hung(const struct ixgbe *nic)
{
	return nic->tx_hung;
}

int ixgbe_tx_restart(struct ixgbe *nic, uint16_t queue)
{
	if (!nic->started || queue >= nic->options.queues)
		return -EINVAL;
	return rings_transmit_restart(nic, queue);
}

int ixgbe_rx_watch(struct ixgbe *nic)
{
	return nic->started ? rings_receive_watch(nic) : 0;
}

uint32_t ixgbe_rx_skipped(const struct ixgbe *nic)
{
	return nic->rx_skip.now;
}

/* ---- Insight ---- */

const char *ixgbe_backend_name(const struct ixgbe *nic)
{
	return nic->backend->ops->name;
}

uint16_t ixgbe_device_id(const struct ixgbe *nic)
{
	return nic->device->device_id;
}
