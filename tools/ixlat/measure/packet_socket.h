/* SPDX-License-Identifier: MIT */
/* A packet socket for probes on one interface. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Opens it for frames of PROBE_ETHERTYPE; needs CAP_NET_RAW. Returns the socket, the interface's
 * address and MTU, or -1 after a line on standard error.
 */
int packet_socket_open(const char *interface, bool nonblocking, uint8_t mac[6], unsigned int *mtu);
