/* SPDX-License-Identifier: MIT */
/* Requests of ethtool's about a TAP. */
#pragma once

#include "tap.h"

/* A socket for requests in the thread's namespace, and the TAP's present name; or -errno. */
int tap_ethtool_open(const struct tap *tap, struct ifreq *ifr);
/* The kernel's answer replaces the request. 0 or -errno. */
int tap_ethtool(int fd, struct ifreq *ifr, void *request);
