/* SPDX-License-Identifier: MIT */
/*
 * The operator's side of a NIC: requests on a control socket (bridge/service/control.h).
 *
 *   status               {"version", "mac", "client", "channel", "link", "cable", "laser", "light",
 *                         "violations"}
 *   link up|down         plugs or pulls the cable; replies as status
 *   registers [PREFIX]   {"registers": {"CTRL": 0, "RDT": [0, ...], ...}}
 *   queues               {"rx": [{"queue", "head", "tail", "length"}, ...], "tx": [...]}: those
 *                        that are enabled
 *   counters             {"counters": {...}, "statistics": {"GPRC": 0, ...}}
 *   violations [zero]    {"total", "counts": {"RX_TAIL_RANGE": 1, ...}, "rules": {"RX_TAIL_RANGE":
 *                         {"section", "text", "first": ["...", ...]}}, "clients": [{"client": 1,
 *                         "counts": {...}}, ...]}: those that were broken; zero: then forgets them
 *
 *   dma read IOVA LENGTH a bus access past the driver (rogue.h): {"path": "off|shared|message",
 *   dma write IOVA HEX   "refused": "why", or null, and "data": "HEX" of a read that was not}. The
 *                        next request on the same connection waits until then.
 */
#pragma once

#include "server.h"

struct operator_socket;

/*
 * Answers at `path` (see control_open), in the loop of `nic`. Without `server` (NULL) there is no
 * client and no bus.
 */
int operator_new(struct nic *nic, struct server *server, const char *path,
		 struct operator_socket **out, struct ixgbe_why *why);
void operator_free(struct operator_socket *op); /* takes NULL */
