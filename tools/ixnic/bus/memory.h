/* SPDX-License-Identifier: MIT */
/*
 * bus: the PCI function around the chip. The server owns its configuration space and eventfds;
 * nic->memory is the client's memory, a table of mappings by IOVA, which the server fills and
 * through which the data path reaches memory.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     irqfd.c         interrupts as the client gets them: eventfds, MSI-X table, masks
 *       |
 *     config_space.c  the configuration space
 *     memory.c        the client's memory
 *     notifier.c      an eventfd is signalled without waiting
 *       |
 *     peer_maps.c     how the client itself has mapped a file
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct memory;
struct nic;

int memory_new(struct nic *nic);
void memory_free(struct nic *nic);

/* ---- For the server ---- */

/* Files behind the mappings (VU_DMA_MAPS_MAX): each is compared at every mapping. */
#define MEMORY_FILES_MAX 1024u

enum { MEMORY_READABLE = 1u << 0, MEMORY_WRITABLE = 1u << 1 };

/*
 * The device may reach `size` bytes at `iova`, which are `fd` from `offset` on. The descriptor
 * stays the caller's: the table maps a file once, however many mappings lie in it. fd -1 is memory
 * that the client cannot share: every access to it is a fault.
 * Errors: -EINVAL (no access, size 0, ranges that wrap, not of whole pages, or outside the file),
 * -EEXIST (overlaps a mapping), -ENOTSUP (not memory: no memfd, shared memory or huge pages),
 * -ENOSPC (too many mappings or files), -EACCES, -ENOMEM.
 */
int memory_map(struct memory *memory, uint64_t iova, uint64_t size, uint32_t access, int fd,
	       uint64_t offset);

/* A client has come: process `pid`, 0 if that is not known. What it cannot share, it is told of
 * once from now on, by the log: memory without a file, a file that it has mapped privately itself,
 * and an ordinary one. */
void memory_client(struct memory *memory, pid_t pid);
/* How often the device was sent to memory of this client that is mapped but not shared. No driver
 * is to blame. */
uint64_t memory_unshared(const struct memory *memory);

/* Removes all mappings within the range. 0 too when there is none; -EINVAL if one lies across an
 * end of it, and then nothing is removed. */
int memory_unmap(struct memory *memory, uint64_t iova, uint64_t size);
void memory_unmap_all(struct memory *memory);

/* Becomes readable when a file was cut short under its mappings. The device reads zeros there then,
 * and its writes are lost. The server watches this and drops the client. */
int memory_torn_fd(const struct memory *memory);
/* Whether a file was cut short since the last call, or since memory_unmap_all(). */
bool memory_torn(struct memory *memory);

/* `refused` is called at each memory_refused(): pci_function.c notes it in the PCI status. */
void memory_refused_set(struct memory *memory, void (*refused)(void *ctx), void *ctx);

/* Whether the function may master the bus (Command register, bit 2); off at first. */
void memory_enable(struct memory *memory, bool on);

/* ---- For the device ---- */

/* A host pointer to `len` bytes at `iova`, contiguous and with the right to read
 * (and to write, if `write`); NULL if not mapped so, or not contiguous here. Valid until the loop
 * runs again. */
void *memory_at(struct nic *nic, uint64_t iova, size_t len, bool write);
/* Whether the function may master the bus: without, every access fails, and none is a fault of the
 * driver. A kernel takes the right away before it resets a device. */
bool memory_enabled(const struct nic *nic);
/* Copies, over several mappings if need be. 0 or -EFAULT, counted. */
int memory_read(struct nic *nic, uint64_t iova, void *to, size_t len);
int memory_write(struct nic *nic, uint64_t iova, const void *from, size_t len);
/* The device was sent to `iova` and reaches nothing there: the rule DMA_FAULT, unless the client
 * mapped the address and only does not share it. `what`: the access, for the report. */
void memory_fault(struct nic *nic, uint64_t iova, const char *what, uint32_t which);
/* A read of the data path found no memory: the bus answers it with Unsupported Request. */
void memory_refused(struct nic *nic);
/* Whether memory_read or memory_write of the range would succeed. */
bool memory_reaches(struct nic *nic, uint64_t iova, size_t len, bool write);
