/* SPDX-License-Identifier: MIT */
/*
 * The control socket of ixtapd: what other programs may ask a running bridge.
 *
 * Protocol. AF_UNIX, SOCK_SEQPACKET, by default /run/ixtap/TAP.sock (TAP is the name
 * given with --tap), mode 0600. A request is one packet of words with spaces
 * between, of at most CONTROL_REQUEST_MAX bytes; a newline at its end is ignored. The
 * reply is one packet with one JSON object, of at most CONTROL_REPLY_MAX bytes. Further
 * requests may follow on the same connection; replies come in order. New
 * members may appear in objects; those below stay.
 *
 *     status
 *         {"version": "0.1.0", "pid": 4711, "uptime_s": 12.345,
 *          "state": "running",
 *          "reason": "",                     why it is not running, for people
 *          "recoveries": 0,                  times the NIC was brought back
 *          "nic": {"name": "soft:tap:tap0-wire",   as given with --nic, defaults filled in
 *                  "backend": "vfio-user", "device": "8086:10fb",
 *                  "mac": "02:...", "mac_permanent": "02:...",
 *                  "sfp": "none|sr|lr|da|other",
 *                  "soft": {"pid": 4712, "wire": "tap:tap0-wire", "control": "PATH"} or null,
 *                  "dma_refused": 0, "dma_timeout": 0},   times noticed, see ixtapd(8)
 *          "tap": {"name": "tap0", "ifindex": 7, "netns": "blue" or null, "reachable": true, "mtu":
 * 1500, "mac": "02:...", "up": true, "carrier": true, "promiscuity": 0, "allmulti": 0, "persist":
 * false}, "link": {"up": true, "speed_mbps": 10000}, "poll": "adaptive", "queues": [{"queue": 0,
 * "state": "idle|busy|stopped", "cpu": 1}], "filters": {"promiscuous": false, "allmulticast":
 * false, "multicast_groups": 4, "vlan": false}, "offloads": ["csum", "tso4", "tso6", "tso_ecn",
 * "uso4", "uso6"]} state is one of opening, down, waiting, running, recovering, stopping
 * (daemon.h). tap.up is the administrator's, tap.carrier what the kernel was told of the link. cpu
 * is -1 when the worker is not pinned. tap.reachable is false when the interface was moved to a
 * namespace that ixtapd may not enter. While recovering, nic has only name, soft and the counts.
 *
 *     stats
 *         {"time": 1700000000.123456,        CLOCK_REALTIME, in seconds
 *          "uptime_s": 12.345,
 *          "nic": {"rx_packets": 0, ...},    the names of `ethtool -S` on the in-kernel driver,
 *                                            and dma_refused, dma_timeout as in status
 *          "bridge": {"rx_received": 0, ...},   sums over the queues, names of counters.h
 *          "queues": [{"queue": 0, "rx_received": 0, ...}]}
 *         All values are 64-bit counts since start; they survive a recovery of the NIC.
 *
 *     registers [PREFIX]
 *         {"registers": [{"name": "CTRL", "offset": 0, "value": 4}, ...]}
 *         Those whose name begins with PREFIX (in any case), without those whose reading changes
 * something.
 *
 *     monitor
 *         A stream of packets until the client closes, one event each, every one with
 *         "time" (CLOCK_REALTIME, seconds) and "event":
 *             {"event": "start", "status": {...}}     first: what `status` answers
 *             {"event": "state", "state": "running", "previous": "waiting", "reason": ""}
 *             {"event": "link", "up": true, "speed_mbps": 10000}
 *             {"event": "admin", "up": true}          what `ip link set up|down` did
 *             {"event": "mtu", "mtu": 9000}
 *             {"event": "mac", "mac": "02:..."}
 *             {"event": "promiscuous", "on": true}
 *             {"event": "allmulticast", "on": true}
 *             {"event": "multicast", "groups": 5}
 *             {"event": "address", "address": "192.0.2.1/24", "added": true}
 *             {"event": "name", "name": "uplink0"}    the interface was renamed
 *             {"event": "netns", "reachable": true}   it moved to another namespace
 *             {"event": "dma_refused", "count": 1}    the NIC reached for memory not its own
 *             {"event": "dma_timeout", "count": 1}    a read of the NIC had no answer
 *             {"event": "missed", "count": 3}         the client was too slow for 3 events
 *         After `monitor` the client sends nothing more.
 *
 *     anything else, or what fails
 *         {"error": "what, why, what to do"}
 *
 * Limits. The daemon never waits for a client. A client whose replies don't fit the
 * socket's buffer because it does not read them is closed. With CONTROL_CLIENTS_MAX connected, a
 * new one takes the place of the one that was silent longest; when all are monitors, it gets an
 * error. Requests that are too long, have more than CONTROL_WORDS_MAX words, or bytes
 * that are not printable ASCII are errors.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ixgbe/ixgbe.h"

#define CONTROL_REQUEST_MAX 256u
#define CONTROL_REPLY_MAX   (512u * 1024u)
#define CONTROL_WORDS_MAX   4u
#define CONTROL_CLIENTS_MAX 16u

struct control;

/*
 * Answers a request of `count` >= 1 words, NULL from there on: a new reference to an object, never
 * NULL.
 * `*monitor` set to true makes the client a monitor and the answer the first packet of its stream.
 */
typedef json_t *(*control_answer_fn)(void *ctx, size_t count, char *const words[], bool *monitor);

/*
 * Listens at `path`; makes the directory when only that is missing, and replaces a socket
 * that nobody listens on. -EADDRINUSE: somebody does; -EEXIST: it is no socket;
 * -ENAMETOOLONG; -EACCES and other errors of bind(2). `why` is filled on failure.
 */
int control_open(const char *path, control_answer_fn answer, void *ctx, struct control **out,
		 struct ixgbe_why *why);
/* Closes all clients, removes the socket. Takes NULL. */
void control_close(struct control *control);
/* Readable when there is something to dispatch. */
int control_fd(const struct control *control);
/* Handles what is there, without waiting. */
void control_dispatch(struct control *control);
/* Whether anybody monitors: events need not be made otherwise. */
bool control_monitored(const struct control *control);
/* Sends `event` (a reference that is taken; "time" is added) to all monitors. */
void control_publish(struct control *control, json_t *event);

/* CLOCK_REALTIME in seconds, to the microsecond. */
json_t *control_time(void);
/* {"error": text}, formatted. */
json_t *control_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
