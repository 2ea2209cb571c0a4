/* SPDX-License-Identifier: MIT */
/* ixtap-driver: the program of spawner and driver. See ixtap-driver(8). */
#include "bridge/spawn/spawn.h"

/* Descriptors that a driver opens itself: an io_uring for each queue, and as many registered files;
 * threads: one for each queue, one for control, and what the kernel makes for io_uring. */
#define DRIVER_FILES 256u
#define DRIVER_TASKS 512u

int main(int argc, char **argv)
{
	static const struct spawn_program program = {
		.prepare = driver_prepare,
		.run = driver_main,
		.files = DRIVER_FILES,
		.tasks = DRIVER_TASKS,
	};

	return spawn_main(argc, argv, &program);
}
