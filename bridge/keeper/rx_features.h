/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* Before the workers start: from the options and the interface. */
void rx_features_start(struct daemon *daemon, enum options_rx_checksum rx);
/* Does what 'ethtool -K' has set since. */
void rx_features_follow(struct daemon *daemon);
void rx_features_set(struct daemon *daemon, enum options_rx_checksum rx);
/* Whether received TCP frames are merged. */
bool rx_features_merging(const struct daemon *daemon);
