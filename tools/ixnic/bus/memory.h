/* SPDX-License-Identifier: MIT */
/*
 * The client's memory, as the device sees it: a table of mappings by IOVA. nic.h has what the
 * data path uses of it (dma_at, dma_read, dma_write); this is for the server.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dma;
struct nic;

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

/* Whether dma_read or dma_write of the range would succeed. */
bool dma_reaches(struct nic *nic, uint64_t iova, size_t len, bool write);

/* Called when a read of the data path is refused: server.c notes it in the PCI status. */
void dma_refused_set(struct dma *dma, void (*refused)(void *ctx), void *ctx);

/* Whether the function may master the bus (Command register, bit 2); off at first. */
void dma_table_enable(struct dma *dma, bool on);
