/* SPDX-License-Identifier: MIT */
/*
 * bus: the PCI function around the chip. The server owns its configuration space and eventfds;
 * nic->dma is the client's memory, a table of mappings by IOVA, which the server fills and
 * through which the data path reaches memory.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     irqfd.c         interrupts as the client gets them: eventfds, MSI-X table, masks
 *       |
 *     config_space.c  the configuration space
 *     memory.c        the client's memory
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dma;
struct nic;

int dma_new(struct nic *nic);
void dma_free(struct nic *nic);

/* ---- For the server ---- */

/* As many mappings as a client may have at a time: the default of the protocol. */
#define DMA_MAPPINGS_MAX 65535u

/* And as many files behind them: each is searched for at every mapping. */
#define DMA_FILES_MAX 1024u

enum { DMA_READABLE = 1u << 0, DMA_WRITABLE = 1u << 1 };

/*
 * The device may reach `size` bytes at `iova`, which are `fd` from `offset` on. The descriptor
 * stays the caller's: the table maps a file once, however many mappings lie in it. fd -1 is memory
 * that the client cannot share: known, and every access to it is a fault.
 * Errors: -EINVAL (no access, size 0, ranges that wrap, not of whole pages, or outside the file),
 * -EEXIST (overlaps a mapping), -ENOTSUP (not memory: no memfd, shared memory or huge pages),
 * -ENOSPC (too many mappings or files), -EACCES, -ENOMEM.
 */
int dma_table_map(struct dma *dma, uint64_t iova, uint64_t size, uint32_t access, int fd,
		  uint64_t offset);

/* Removes all mappings within the range. 0 too when there is none; -EINVAL if one lies across an
 * end of it, and then nothing is removed. */
int dma_table_unmap(struct dma *dma, uint64_t iova, uint64_t size);
void dma_table_unmap_all(struct dma *dma);

/* Becomes readable when a file was cut short under its mappings. The device reads zeros
 * there then, and what it writes is lost; whoever watches this drops the client. */
int dma_table_torn_fd(const struct dma *dma);
/* Whether that is so since the last look, or since all was unmapped. */
bool dma_table_torn(struct dma *dma);

size_t dma_table_mappings(const struct dma *dma);
size_t dma_table_files(const struct dma *dma);

/* Called when a read of the data path is refused: server.c notes it in the PCI status. */
void dma_refused_set(struct dma *dma, void (*refused)(void *ctx), void *ctx);

/* Whether the function may master the bus (Command register, bit 2); off at first. */
void dma_table_enable(struct dma *dma, bool on);

/* ---- For the device ---- */

/* A host pointer to `len` bytes at `iova`, contiguous and with the right to read
 * (and to write, if `write`); NULL if not mapped so, or not contiguous here. Valid until the loop
 * runs again. */
void *dma_at(struct nic *nic, uint64_t iova, size_t len, bool write);
/* Whether the function may master the bus: without, every access fails, and none is a fault of the
 * driver. A kernel takes the right away before it resets a device. */
bool dma_enabled(const struct nic *nic);
/* Copies, over several mappings if need be. 0 or -EFAULT, counted. */
int dma_read(struct nic *nic, uint64_t iova, void *to, size_t len);
int dma_write(struct nic *nic, uint64_t iova, const void *from, size_t len);
/* A read of the data path found no memory: the bus answers it with Unsupported Request. */
void dma_refused(struct nic *nic);
/* Whether dma_read or dma_write of the range would succeed. */
bool dma_reaches(struct nic *nic, uint64_t iova, size_t len, bool write);
