/* SPDX-License-Identifier: MIT */
/*
 * What ixtapd answers on its control socket, by default /run/ixtap/TAP.sock, where TAP is the name
 * given with --tap. How to ask is in service/control.h. New members may appear in objects; those
 * below stay. Names, paths and reasons are written as service/printable.h says: bytes that are not
 * UTF-8, control characters and backslashes are \xHH.
 *
 *     status
 *         {"version": "0.1.0", "pid": 4711,
 *          "uptime_s": 12.345678,            with that of ixtapds that were killed and followed
 *          "state": "running",
 *          "reason": "",                     why it is not running, for people
 *          "recoveries": 0,                  times the NIC was brought back
 *          "nic": {"name": "soft:tap:tap0-wire",   as given with --nic, defaults filled in
 *                  "backend": "vfio-user", "device": "8086:10fb",
 *                  "mtu": 1500,             what the NIC has; it follows the interface's
 *                  "mac": "02:...", "mac_permanent": "02:...",
 *                  "sfp": "none|sr|lr|da|other",
 *                  "sfp_checksum": "unread|right|wrong",   of what the module says of itself
 *                  "irq_storm": 0,          interrupts a second that nothing caused
 *                  "soft": {"pid": 4712, "wire": "tap:tap0-wire", "control": "PATH"} or null,
 *                  "dma_refused": 0, "dma_timeout": 0,   times noticed, see ixtapd(8)
 *                  "irq_lost": 0, "tx_timeout": 0, "counter_full": 0},   the same
 *          "tap": {"name": "tap0", "ifindex": 7, "netns": "blue" or null,
 *                  "away": false,            true: not in the namespace where ixtapd was started
 *                  "reachable": true,        false: it was moved to where ixtapd may not follow
 *                  "mtu": 1500, "mac": "02:...",
 *                  "up": true,               the administrator's
 *                  "carrier": true,          what the kernel has
 *                  "promiscuity": 0, "allmulti": 0, "persist": false},
 *          "link": {"up": true, "speed_mbps": 10000},
 *          "poll": "adaptive",
 *          "queues": [{"queue": 0, "state": "idle|busy|stopped",
 *                      "cpu": 1}],           that it is bound to now; -1: to none
 *          "rings": {"rx": 512, "tx": 512},   descriptors, of each queue
 *          "filters": {"promiscuous": false, "allmulticast": false,
 *                      "multicast_groups": 4,
 *                      "unicast_addresses": 0,   besides the MAC address
 *                      "vlan": false},
 *          "offloads": ["csum", "tso4", "tso6", "tso_ecn", "uso4", "uso6"],   in force
 *          "driver": {"pid": 4713,          null: there is none
 *                     "starts": {"warm": 0,      behind a driver that died, or a killed ixtapd
 *                                "cold": 1, "upgrade": 0},
 *                     "lost": {"tap_reads": 0,   frames that the kernel gave to a driver that died
 *                                                before it knew
 *                              "held": 0},       tx_drop_driver_died of `stats`
 *                     "repeated": {"rx_frames": 0},   that a successor took again: as many came
 *                                                     twice, at most
 *                     "last": {"dead_ns": 0, "started_ns": 1, "attached_ns": 2,
 *                              "running_ns": 3}},     of the last change, CLOCK_MONOTONIC
 *          "isolation": {"wanted": "require|best|off",
 *                        "user": {"state": "in force|missing|unused", "text": "uid 61184"},
 *                        ...                 the mechanisms of spawn/spawn.h
 *                        "keeper": {"state": "in force|missing|unused",   of the whole
 *                                   "text": "net_admin, ...",   the capabilities that are left
 *                                   "user": {"state": ..., "text": ...},
 *                                   ...             the mechanisms of keeper/rights.h
 *                                   "cannot": ["open the NIC again", ...]}}}
 *         The states are those of state.h. While recovering, nic has only name, soft and the
 * counts.
 *
 *     stats
 *         {"time": 1700000000.123456,        CLOCK_REALTIME, in seconds
 *          "uptime_s": 12.345678,            CLOCK_MONOTONIC: divide by the difference of two
 *          "nic": {"rx_packets": 0, ...},    the names of `ethtool -S` on the in-kernel driver,
 *                                            and dma_refused, dma_timeout as in status
 *          "bridge": {"rx_received": 0, ...,    sums over the queues, names of counters.h
 *                     "kernel_drop": 0},        tx_dropped of the interface
 *          "queues": [{"queue": 0, "rx_received": 0, ...}]}
 *         All values are 64-bit counts since start; they survive a recovery of the NIC.
 *
 *     registers [PREFIX]
 *         {"registers": [{"name": "CTRL", "offset": 0, "value": 4}, ...]}
 *         Those whose name begins with PREFIX, in any case, without those whose reading changes
 *         something.
 *
 *     features [rx on|off|all]
 *         {"rx": "on",         how far the NIC's verdict on checksums is used: see --rx-checksum
 *          "gro": true,        of 'ethtool -K'
 *          "coalesce": true,   of --coalesce
 *          "merging": true}    received TCP frames are merged: both of these, and rx not "off"
 *         With words behind it, sets that first.
 *
 *     upgrade [PROGRAM]
 *         {"version": "0.2.0", "previous": "0.1.0",
 *          "start": "warm|cold",   warm: the NIC ran on
 *          "gap_us": 12000}        from the former driver's end to the next one's frames
 *         Executes PROGRAM in place, or the file that this program was executed from. The answer is
 *         the next program's; an error: this version goes on.
 *
 *     monitor
 *             {"event": "start", "status": {...}}     first: what `status` answers
 *             {"event": "state", "state": "running", "previous": "waiting", "reason": ""}
 *             {"event": "link", "up": true, "speed_mbps": 10000}
 *             {"event": "module", "sfp": "sr"}        the NIC's module was changed
 *             {"event": "module_checksum", "checksum": "wrong"}   what it says of itself
 *             {"event": "admin", "up": true}          what `ip link set up|down` did
 *             {"event": "mtu", "mtu": 9000}
 *             {"event": "mac", "mac": "02:..."}
 *             {"event": "promiscuous", "on": true}
 *             {"event": "allmulticast", "on": true}
 *             {"event": "multicast", "groups": 5}
 *             {"event": "unicast", "addresses": 1}    besides the MAC address
 *             {"event": "features", "rx": "on", "gro": false, "merging": false}
 *             {"event": "address", "address": "192.0.2.1/24", "added": true}
 *             {"event": "name", "name": "uplink0"}    the interface was renamed
 *             {"event": "netns", "reachable": true}   it moved to another namespace
 *             {"event": "dma_refused", "count": 1}    the NIC reached for memory not its own
 *             {"event": "dma_timeout", "count": 1}    a read of the NIC had no answer
 *             {"event": "driver", "pid": 4714, "resumed": true, "before": "was killed by signal 9"}
 *             {"event": "upgrade", "version": "0.2.0", "previous": "0.1.0", "start": "warm",
 *              "gap_us": 12000}
 *             {"event": "tx_timeout", "queue": 0, "cure": "queue|reset", "lost": 3}
 *             {"event": "irq_lost", "count": 1}       by all queues
 *             {"event": "irq_storm", "per_second": 20000}   0: it is over
 *             {"event": "counter_full", "count": 1}   a counter of the NIC was at its maximum
 */
#pragma once

#include "bridge/service/control.h"

struct daemon;

/* For control_open, whose context is a struct daemon. */
extern const struct control_command answers_commands[];
/* What control_meanwhile tells the others. */
const char *answers_busy(const struct daemon *daemon);
