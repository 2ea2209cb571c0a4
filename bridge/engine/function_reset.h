/* SPDX-License-Identifier: MIT */
/*
 * A reset of the NIC's function, in a thread of its own.
 *
 * A NIC that works takes 100 ms, one that hangs is waited for by the kernel up to a minute, and
 * nothing ends that wait (ixgbe/backends/vfio.c). So nobody waits for the thread: it says that it
 * is done. Until then the device is the thread's alone, and no driver lives.
 *
 * Who cannot wait any longer leaves the device to the thread. It closes the device when the kernel
 * comes back: only then may somebody open that NIC again.
 */
#pragma once

#include <stdbool.h>

#include "ixgbe/ixgbe.h"

struct function_reset;

/* Begins; `replace_memory`: and has DMA memory replaced afterwards. -EAGAIN, -EMFILE, -ENOMEM. */
int function_reset_start(struct ixgbe_device *device, bool replace_memory,
			 struct function_reset **out);
/* Readable when it is over. */
int function_reset_fd(const struct function_reset *reset);
/* Waits for the end, says what came out, and frees it: 0 or -errno. */
int function_reset_end(struct function_reset *reset, struct ixgbe_why *why);
/* Does not wait. The device is closed some time. */
void function_reset_leave(struct function_reset *reset);
