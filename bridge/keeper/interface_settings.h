/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon.h"

/* Brings the NIC up to what the interface is set to. */
void interface_settings_follow(struct daemon *daemon);
