/* SPDX-License-Identifier: MIT */
/* The factory address of a NIC that was given none. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * An address that is the same whenever the same program is started at the same place, and another
 * for each of two that might meet. It is a hash of:
 *
 *     the words      of the command line, `count` of them, with absolute paths in place of others,
 * and the name `netns` of the wire's namespace; NULL: none machine-id(5)  which lives as long as
 * the machine's or the container's files the host name  since containers of one image may have one
 * machine-id, or none the namespace  of the network, unless the first process is in it: its name
 * for ip-netns(8), or, of one without a name, its number, which ends with it
 *
 * The address is locally administered.
 */
void factory_mac_derive(const char *const words[], size_t count, const char *netns, uint8_t mac[6]);
