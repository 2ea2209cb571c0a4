/* SPDX-License-Identifier: MIT */
#include "function_reset.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Who comes second, thread or owner, has the rest to do. */
enum stage { UNDER_WAY, OVER, LEFT };

struct function_reset {
	struct ixgbe_device *device;
	bool replace_memory;
	_Atomic enum stage stage;
	pthread_t thread;
	int over; /* an eventfd */
	int err;
	struct ixgbe_why why;
};

static void reset_free(struct function_reset *reset)
{
	if (reset->over >= 0)
		close(reset->over);
	free(reset);
}

static void *reset_run(void *arg)
{
	struct function_reset *reset = arg;

	reset->err = ixgbe_device_reset(reset->device, &reset->why);
	if (!reset->err && reset->replace_memory)
		reset->err = ixgbe_device_memory_replace(reset->device, &reset->why);
	if (atomic_exchange(&reset->stage, OVER) == UNDER_WAY) {
		eventfd_write(reset->over, 1);
		return NULL;
	}
	ixgbe_device_close(reset->device);
	reset_free(reset);
	return NULL;
}

int function_reset_start(struct ixgbe_device *device, bool replace_memory,
			 struct function_reset **out)
{
	struct function_reset *reset = calloc(1, sizeof(*reset));
	int err;

	if (!reset)
		return -ENOMEM;
	reset->device = device;
	reset->replace_memory = replace_memory;
	reset->over = eventfd(0, EFD_CLOEXEC);
	err = reset->over < 0 ? -errno : -pthread_create(&reset->thread, NULL, reset_run, reset);
	if (err)
		reset_free(reset);
	else
		*out = reset;
	return err;
}

int function_reset_fd(const struct function_reset *reset)
{
	return reset->over;
}

int function_reset_end(struct function_reset *reset, struct ixgbe_why *why)
{
	int err;

	pthread_join(reset->thread, NULL);
	err = reset->err;
	*why = reset->why;
	reset_free(reset);
	return err;
}

void function_reset_leave(struct function_reset *reset)
{
	pthread_t thread = reset->thread;

	if (atomic_exchange(&reset->stage, LEFT) == UNDER_WAY) {
		pthread_detach(thread);
		return;
	}
	pthread_join(thread, NULL);
	ixgbe_device_close(reset->device);
	reset_free(reset);
}
