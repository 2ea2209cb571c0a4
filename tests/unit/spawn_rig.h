/* SPDX-License-Identifier: MIT */
/* A keeper for tests: starts spawn_puppet, orders drivers, asks them to act. */
#pragma once

#include "spawn_puppet.h"

#define RIG_WAIT_MS 20000
#define NOBODY      65534u

struct driver {
	struct spawned process;
	int sock;
};

/*
 * What the command line says: PROGRAM off|require|user. `user` is `best`, for which root becomes
 * nobody. 0; -1: it cannot be had here, which is said; else the status of a failure.
 */
int rig_options(int argc, char **argv);
extern const char *rig_program;
extern enum isolation rig_isolation;

void wait_readable(int fd);
int start_as(const char *path, const struct puppet_record *record, const int *fd, uint32_t fds,
	     struct spawner *spawner, struct ixgbe_why *why);
void start(struct spawner *spawner, const struct puppet_record *record);
void order(struct spawner *spawner, struct driver *driver);
int64_t ask(const struct driver *driver, enum deed deed, struct puppet_answer *answer);
/* Asks, and takes no answer. */
void tell(const struct driver *driver, enum deed deed);
/* Waits for the driver's end. */
void driver_end(const struct driver *driver);
/* The same, and how it ended. */
void driver_ended(struct spawner *spawner, const struct driver *driver, struct spawn_end *end);
/* Of /proc/PID. */
void file_of(pid_t pid, const char *name, char *text, size_t size);
unsigned int files_of(pid_t pid);
