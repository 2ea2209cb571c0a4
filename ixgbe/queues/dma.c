/* SPDX-License-Identifier: MIT */
/*
 * DMA memory: sealed memfds, and the IOVAs they are mapped at.
 *
 * The memory has a file descriptor, because a vfio-user server maps it too. The file is
 * sealed: neither side can shrink it under the other. Large areas have huge pages when the
 * machine has some, since an IOMMU pays dearly for 4 KiB pages. All pages exist before the
 * first frame does.
 *
 * An area's IOVA is the lowest place where it fits. The areas in use are a list in
 * ascending order, and the gaps between them are free. There are a few areas per queue, so a
 * list is enough. Between two areas at least one page stays unmapped, to catch a device that
 * runs over the end of one. Page 0 stays unmapped to catch address 0.
 *
 * Kept areas (dma_keep) outlive those who asked for them. They are never unmapped singly: who asks
 * next gets the same areas in the same order, with what is in them, and no other. Shared ones
 * (dma_share) lie in the arena, and their files stay open for the processes that are to have them
 * too.
 *
 * A process that has an area may punch a hole into its file. We get a new page there, and the
 * device keeps the old one, which is pinned: what one of us writes the other never sees. No look at
 * the file shows that. So after a process that may have done so all areas get other memory
 * (dma_replace).
 */
#include <assert.h>
#include <errno.h>
#include <linux/memfd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"
#include "dma.h"

#define PAGE_BYTES      4096u
#define HUGE_PAGE_BYTES (2u << 20)
#define GUARD_BYTES     PAGE_BYTES
/* An area of less than this leaves most of a huge page unused. */
#define HUGE_AREA_MIN_BYTES (HUGE_PAGE_BYTES / 2)

struct area {
	struct area *next;
	struct ixgbe_dma_area dma;
	size_t asked;    /* bytes; dma.len is whole pages */
	uint32_t number; /* in the order of creation */
	int fd;          /* of a shared area; -1: closed */
	bool in_use;
};

struct ixgbe_dma {
	struct ixgbe_backend *backend;
	struct area *areas; /* ascending by IOVA */
	ixgbe_iova first, last;
	uint32_t count;
	bool kept;
	bool shared;
	uint64_t next; /* place in the arena */
};

struct page_kind {
	size_t bytes;
	size_t area_min_bytes;
	unsigned int memfd_flags;
};

/* In the order they are tried. */
static const struct page_kind page_kinds[] = {
	{HUGE_PAGE_BYTES, HUGE_AREA_MIN_BYTES, MFD_HUGETLB | MFD_HUGE_2MB},
	{PAGE_BYTES, 0, 0},
};

struct ixgbe_dma *dma_empty(void)
{
	return calloc(1, sizeof(struct ixgbe_dma));
}

static void backend_set(struct ixgbe_dma *dma, struct ixgbe_backend *backend)
{
	dma->backend = backend;
	backend->ops->dma_range(backend, &dma->first, &dma->last);
	if (dma->first < PAGE_BYTES)
		dma->first = PAGE_BYTES;
}

int dma_new(struct ixgbe_backend *backend, struct ixgbe_dma **out)
{
	struct ixgbe_dma *dma = dma_empty();

	if (!dma)
		return -ENOMEM;
	backend_set(dma, backend);
	*out = dma;
	return 0;
}

static void area_unmap(struct ixgbe_dma *dma, struct area *area)
{
	if (dma->backend)
		dma->backend->ops->dma_unmap(dma->backend, area->dma.iova, area->dma.len);
	munmap(area->dma.addr, area->dma.len);
	if (area->fd >= 0)
		close(area->fd);
	free(area);
}

void dma_free(struct ixgbe_dma *dma)
{
	if (!dma)
		return;
	while (dma->areas) {
		struct area *area = dma->areas;

		dma->areas = area->next;
		area_unmap(dma, area);
	}
	free(dma);
}

/* Rounds up to a power of two; false: not representable. */
static bool align_up(uint64_t value, uint64_t unit, uint64_t *out)
{
	if (value > UINT64_MAX - (unit - 1))
		return false;
	*out = (value + unit - 1) & ~(unit - 1);
	return true;
}

/* The lowest free range of `len` bytes; *link is where the area belongs in the list. */
static int iova_find(struct ixgbe_dma *dma, size_t len, size_t align, ixgbe_iova *out,
		     struct area ***link)
{
	struct area **at = &dma->areas;
	ixgbe_iova from = dma->first;

	for (;; at = &(*at)->next) {
		const struct area *next = *at;
		ixgbe_iova iova;

		if (!align_up(from, align, &iova) || iova > dma->last || len - 1 > dma->last - iova)
			return -ENOSPC;
		if (!next ||
		    (iova < next->dma.iova && next->dma.iova - iova >= len + GUARD_BYTES)) {
			*out = iova;
			*link = at;
			return 0;
		}
		if (next->dma.len + GUARD_BYTES > UINT64_MAX - next->dma.iova)
			return -ENOSPC;
		from = next->dma.iova + next->dma.len + GUARD_BYTES;
	}
}

static int file_map(struct ixgbe_dma *dma, int fd, struct ixgbe_dma_area *area)
{
	if (dma->shared)
		return arena_map(fd, area->len, &dma->next, &area->addr);
	area->addr =
		mmap(NULL, area->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	return area->addr == MAP_FAILED ? -errno : 0;
}

/* Maps memory for us, and for the device. */
static int area_map(struct ixgbe_dma *dma, unsigned int memfd_flags, struct area *area)
{
	struct ixgbe_dma_area *at = &area->dma;
	int fd = arena_file("ixgbe-dma", at->len, memfd_flags);
	int err;

	if (fd < 0)
		return fd;
	err = file_map(dma, fd, at);
	if (!err) {
		err = dma->backend->ops->dma_map(dma->backend, at->addr, at->len, fd, 0, at->iova);
		if (err)
			munmap(at->addr, at->len);
	}
	area->fd = !err && dma->shared ? fd : -1;
	if (area->fd < 0)
		close(fd); /* the mappings keep the memory */
	return err;
}

/* An area of pages of one kind. */
static int area_new(struct ixgbe_dma *dma, size_t len, const struct page_kind *kind,
		    struct ixgbe_dma_area *out)
{
	struct area *area = calloc(1, sizeof(*area));
	struct area **link;
	uint64_t rounded;
	int err = -ENOMEM;

	if (!area)
		return -ENOMEM;
	if (!align_up(len, kind->bytes, &rounded) || rounded > SIZE_MAX / 2)
		goto fail;
	area->dma.len = rounded;
	err = iova_find(dma, area->dma.len, kind->bytes, &area->dma.iova, &link);
	if (!err)
		err = area_map(dma, kind->memfd_flags, area);
	if (err)
		goto fail;
	area->next = *link;
	area->asked = len;
	area->number = dma->count++;
	area->in_use = true;
	*link = area;
	*out = area->dma;
	return 0;

fail:
	free(area);
	return err;
}

/* A new area, of the best kind of pages that there are. */
static int area_best(struct ixgbe_dma *dma, size_t len, struct ixgbe_dma_area *out)
{
	int err = -EINVAL;

	for (size_t i = 0; i < sizeof(page_kinds) / sizeof(page_kinds[0]); i++) {
		if (len < page_kinds[i].area_min_bytes)
			continue;
		err = area_new(dma, len, &page_kinds[i], out);
		if (!err)
			break;
	}
	return err;
}

/* The oldest area that nobody has. */
static struct area *area_waiting(struct ixgbe_dma *dma)
{
	struct area *oldest = NULL;

	for (struct area *at = dma->areas; at; at = at->next)
		if (!at->in_use && (!oldest || at->number < oldest->number))
			oldest = at;
	return oldest;
}

int dma_alloc(struct ixgbe_dma *dma, size_t len, struct ixgbe_dma_area *out)
{
	struct area *area;

	if (len == 0)
		return -EINVAL;
	area = area_waiting(dma);
	if (!area && !dma->kept)
		return area_best(dma, len, out);
	if (!area || len != area->asked)
		return -EBADMSG;
	area->in_use = true;
	*out = area->dma;
	return 0;
}

void dma_keep(struct ixgbe_dma *dma)
{
	dma->kept = true;
	for (struct area *at = dma->areas; at; at = at->next)
		at->in_use = false;
}

void dma_release(struct ixgbe_dma *dma, struct ixgbe_dma_area *area)
{
	if (area->len == 0)
		return; /* half-built owner */
	for (struct area **at = &dma->areas; *at; at = &(*at)->next) {
		struct area *found = *at;

		if (found->dma.iova != area->iova)
			continue;
		*area = (struct ixgbe_dma_area){0};
		if (dma->kept) {
			found->in_use = false;
			return;
		}
		*at = found->next;
		area_unmap(dma, found);
		return;
	}
	assert(false); /* never allocated */
}

/* ---- For other processes ---- */

void dma_share(struct ixgbe_dma *dma)
{
	dma->shared = true;
}

static int area_fill(struct ixgbe_dma *dma, struct area *area, unsigned int memfd_flags)
{
	const struct ixgbe_dma_area *at = &area->dma;
	void *addr;
	int err, fd = arena_file("ixgbe-dma", at->len, memfd_flags);

	if (fd < 0)
		return fd;
	err = arena_map_at(fd, at->len, (uintptr_t)at->addr, &addr);
	if (!err) {
		err = dma->backend->ops->dma_map(dma->backend, addr, at->len, fd, 0, at->iova);
		if (err)
			munmap(addr, at->len);
	}
	if (err)
		close(fd);
	else
		area->fd = fd;
	return err;
}

static int area_replace(struct ixgbe_dma *dma, struct area *area)
{
	const struct ixgbe_dma_area *at = &area->dma;
	int err = dma->backend->ops->dma_unmap(dma->backend, at->iova, at->len);

	if (err)
		return err;
	munmap(at->addr, at->len);
	close(area->fd);
	area->fd = -1;
	err = -EINVAL;
	for (size_t i = 0; i < sizeof(page_kinds) / sizeof(page_kinds[0]); i++) {
		const struct page_kind *kind = &page_kinds[i];

		if (area->asked < kind->area_min_bytes || at->iova % kind->bytes != 0 ||
		    at->len % kind->bytes != 0)
			continue;
		err = area_fill(dma, area, kind->memfd_flags);
		if (!err)
			break;
	}
	return err;
}

int dma_replace(struct ixgbe_dma *dma)
{
	int err = 0;

	for (struct area *at = dma->areas; at && !err; at = at->next)
		err = area_replace(dma, at);
	return err;
}

uint32_t dma_count(const struct ixgbe_dma *dma)
{
	return dma->count;
}

void dma_show(const struct ixgbe_dma *dma, uint32_t number, struct dma_shared *out)
{
	const struct area *at = dma->areas;

	while (at->number != number)
		at = at->next;
	*out = (struct dma_shared){at->dma, at->asked, at->fd};
}

/* Where an area that another process describes belongs in the list; NULL: it is none, or lies over
 * another one. */
static struct area **link_of(struct ixgbe_dma *dma, const struct dma_shared *shared)
{
	const uint64_t iova = shared->dma.iova, len = shared->dma.len;
	struct area **at = &dma->areas;

	if (shared->asked == 0 || shared->asked > len || len - shared->asked >= HUGE_PAGE_BYTES ||
	    iova % PAGE_BYTES != 0 || len % PAGE_BYTES != 0 || len > UINT64_MAX - iova)
		return NULL;
	while (*at && (*at)->dma.iova <= iova) {
		if (iova - (*at)->dma.iova < (*at)->dma.len)
			return NULL;
		at = &(*at)->next;
	}
	return *at && (*at)->dma.iova - iova < len ? NULL : at;
}

int dma_adopt(struct ixgbe_dma *dma, const struct dma_shared *shared)
{
	struct area **link = link_of(dma, shared);
	struct area *area;
	int err;

	if (!link)
		return -EBADMSG;
	area = calloc(1, sizeof(*area));
	if (!area)
		return -ENOMEM;
	area->dma = shared->dma;
	err = arena_map_at(shared->fd, area->dma.len, (uintptr_t)shared->dma.addr, &area->dma.addr);
	if (err) {
		free(area);
		return err;
	}
	area->asked = shared->asked;
	area->fd = -1;
	area->number = dma->count++;
	area->next = *link;
	*link = area;
	return 0;
}

void dma_take(struct ixgbe_dma *dma, struct ixgbe_backend *backend, const int *fd)
{
	backend_set(dma, backend);
	dma_share(dma);
	dma_keep(dma);
	for (struct area *at = dma->areas; at; at = at->next)
		at->fd = fd[at->number];
}
