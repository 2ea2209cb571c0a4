/* SPDX-License-Identifier: MIT */
/* A socket for Ethernet frames with probes, on one interface. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Opens a socket for frames of PROBE_ETHERTYPE, which needs CAP_NET_RAW. Returns the socket, and
 * sets the interface's address and MTU; or -1 after a line on standard error.
 */
int packet_socket_open(const char *interface, bool nonblocking, uint8_t mac[6], unsigned int *mtu);
