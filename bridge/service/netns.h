/* SPDX-License-Identifier: MIT */
/*
 * Network namespaces. Each thread is in one.
 *
 * A namespace lives as long as something holds it: a process or thread in it, a name of
 * ip-netns(8), and every descriptor that was opened in it: sockets, files of /proc/net, and those
 * of /dev/net/tun, wherever their interface is now. Who only wants to use an interface there must
 * not keep such a descriptor, or 'ip netns del' removes the name alone, and an interface that
 * nobody can reach stays behind.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ixgbe/ixgbe.h"

#define NETNS_NAMES "/run/netns" /* where ip-netns(8) keeps them */

/* Which namespace a descriptor means. */
struct netns_id {
	dev_t dev;
	ino_t ino;
};

/* A descriptor of the calling thread's namespace, or -errno with `why` filled. */
int netns_current(struct ixgbe_why *why);
/* A descriptor of the namespace `name`, which names_netns_fault has checked. Errors, with `why`
 * filled: -ENOENT (there is none), and others of open(2). */
int netns_open(const char *name, struct ixgbe_why *why);
/* Takes the calling thread there: 0, or -errno with `why` filled; -EPERM: CAP_SYS_ADMIN is
 * needed. */
int netns_enter(int fd, struct ixgbe_why *why);
/* Takes the calling thread into a new namespace that nobody else has: as netns_enter. */
int netns_enter_new(struct ixgbe_why *why);

/* False: `fd` is no open descriptor. */
bool netns_identify(int fd, struct netns_id *out);
bool netns_same(const struct netns_id *a, const struct netns_id *b);
/* Whether the name `name` still means `id`. */
bool netns_is_named(const char *name, const struct netns_id *id);

/* Moves the interface `ifname` from the calling thread's namespace to another; it keeps name and
 * MAC address, goes down and loses its addresses. -EEXIST: the name is taken there; -ENODEV. */
int netns_interface_move(const char *ifname, int fd);
