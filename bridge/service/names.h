/* SPDX-License-Identifier: MIT */
/*
 * Names that the kernel and ip-netns(8) take, and addresses as people write them.
 */
#pragma once

#include <stdint.h>

#define NAMES_MAC_BYTES 6u
#define NAMES_MAC_TEXT  18u /* "02:00:00:00:00:01" */

/* What is wrong with an interface's name, as the end of "the name 'X' ...", or NULL. The kernel's
 * dev_valid_name() decides; besides, a '%' would be replaced by a number. */
const char *names_interface_fault(const char *name);
/* The same of a network namespace's name, a file of /run/netns. */
const char *names_netns_fault(const char *name);

/* Six bytes as two digits each, with colons between: 0; -EINVAL: something else; -EADDRNOTAVAIL: a
 * multicast address, or zero, so no station's. *mac is untouched on failure. */
int names_mac_parse(const char *text, uint8_t mac[NAMES_MAC_BYTES]);
/* Returns `text`. */
const char *names_mac_format(const uint8_t mac[NAMES_MAC_BYTES], char text[NAMES_MAC_TEXT]);
