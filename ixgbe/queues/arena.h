/* SPDX-License-Identifier: MIT */
/*
 * Memory that several processes have at the same addresses. Internal to libixgbe.
 *
 * Records in it point to each other, so each process maps it where the first one did. The arena is
 * a part of the address space that nothing else of a process uses: neither the kernel nor a C
 * library places anything there by itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_PAGE_BYTES 4096u

/* A memfd of `bytes` bytes, multiples of its pages, that are there; it cannot be shrunk or grown.
 * -ENOMEM, or another -errno. */
int arena_file(const char *name, size_t bytes, unsigned int memfd_flags);
/* Maps such a file at the first free place from *next on (0: anywhere in the arena), and moves
 * *next behind it. -ENOMEM. */
int arena_map(int fd, size_t bytes, uint64_t *next, void **out);
/* Maps it where another process has it. -EEXIST: something else is there. -EBADMSG: no such place
 * in the arena, or no file of that length that cannot be shrunk. */
int arena_map_at(int fd, size_t bytes, uint64_t at, void **out);
