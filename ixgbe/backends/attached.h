/* SPDX-License-Identifier: MIT */
/* The registers of a device that another process keeps. Internal to libixgbe. */
#pragma once

#include "backend.h"

/*
 * A backend over what is mapped of BAR 0: the windows stay mapped as long as it lives. `name` as
 * ixgbe_backend_name gives it. Its close touches no device. -ENOMEM.
 */
int attached_new(const char *name, const struct backend_registers *registers,
		 const struct ixgbe_options *options, struct ixgbe_backend **out);
/* Gives it the channel for what is not mapped. `sock` passes to the backend, also on failure.
 * -ENOTSOCK; -EALREADY: it has one. */
int attached_connect(struct ixgbe_backend *backend, int sock, uint64_t user_data);
