/* SPDX-License-Identifier: MIT */
/*
 * The handover: what a keeper's next program has to know, as JSON.
 *
 *     "handover"        HANDOVER_VERSION
 *     "version"         of the program that wrote it
 *     "options"         those that a running ixtapd cannot change
 *     "process"         those that this process cannot change, and another one can
 *     "settings"        those that are applied once: later the interface says what is wanted
 *     "interface"       interface_hand_over
 *     "engine"          engine_hand_over
 *     "daemon"          counts, and times
 *
 * Members "fd" are descriptors, wherever they are: an integer or an array of them; -1 is none.
 */
#pragma once

#include "daemon.h"

#define HANDOVER_VERSION 1
#define HANDOVER_BYTES   (16u << 20) /* at most */

/* A new reference; NULL: `why` is filled. */
json_t *handover_new(struct daemon *daemon, struct ixgbe_why *why);
/* A handover that was written; NULL: of another version, or none; `why` is filled. */
json_t *handover_parse(const char *text, size_t bytes, struct ixgbe_why *why);
/* As a file, and from one. -errno. */
int handover_write(const json_t *json);
json_t *handover_read(int fd, struct ixgbe_why *why);
/* Whether that was written under the same options. -EINVAL. */
int handover_options_check(const struct options *options, const json_t *handover,
			   struct ixgbe_why *why);
/* Whether a program in the same process is to have the isolation that the process has, and drivers
 * the user that the maker gives them. -EINVAL. */
int handover_process_check(const struct options *options, const json_t *handover,
			   struct ixgbe_why *why);

/* Says which options are others than then, and are those of the first start only. */
void handover_settings_tell(const struct options *options, const json_t *handover);

/* Called with each descriptor, and the "pid" beside it, or 0; returns what is to stand there in its
 * place, or -errno. */
typedef int (*handover_fd_fn)(void *ctx, int fd, pid_t pid);
/* All descriptors in a handover, or in a part of one, also behind one that fails: the first error
 * of `fn`; -EBADF: what stands there is none; -E2BIG: there are too many parts. */
int handover_fds(json_t *json, handover_fd_fn fn, void *ctx);
/* Sets FD_CLOEXEC, or 0, of all. */
int handover_fds_flag(json_t *json, int flag);
