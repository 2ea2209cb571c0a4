/* SPDX-License-Identifier: MIT */
#include "nic_bus.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "bridge/service/clock.h"
#include "bridge/service/log.h"
#include "publish.h"
#include "watch.h"

/* ---- What is told ---- */

void nic_bus_refused(struct daemon *daemon)
{
	/* The IOMMU is the kernel's, and has told it the addresses. */
	bool kernel = daemon->options->nic_kind == OPTIONS_NIC_VFIO;

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

void nic_bus_timeout(struct daemon *daemon)
{
	if (notice_add(&daemon->dma_timeout, clock_ms()))
		log_warning("%s: a read of memory by the NIC had no answer: frames may be lost; "
			    "see the kernel's log, and whether the NIC sits well in its slot",
			    daemon->iface.tap.name);
	publish_event(daemon, json_pack("{s:s,s:I}", "event", "dma_timeout", "count",
					(json_int_t)daemon->dma_timeout.count));
}

/* ---- What the kernel tells ---- */

static void alarm_close(struct daemon *daemon, int *eventfd)
{
	watch_remove(daemon, *eventfd);
	if (*eventfd >= 0)
		close(*eventfd);
	*eventfd = -1;
}

/* New ones: those of a program before are that one's. A NIC without them works as well. */
void nic_bus_watch(struct daemon *daemon)
{
	if (daemon->options->nic_kind != OPTIONS_NIC_VFIO)
		return;
	daemon->release = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	daemon->error = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (daemon->release < 0 || daemon->error < 0 ||
	    watch_add(daemon, daemon->release, WATCH_RELEASE) ||
	    watch_add(daemon, daemon->error, WATCH_ERROR) ||
	    ixgbe_device_alarms(daemon->engine.device, daemon->release, daemon->error))
		log_warning("%s: nobody tells when the NIC is to be unbound or removed: stop "
			    "ixtapd before that",
			    daemon->iface.tap.name);
}

void nic_bus_unwatch(struct daemon *daemon)
{
	alarm_close(daemon, &daemon->release);
	alarm_close(daemon, &daemon->error);
}
