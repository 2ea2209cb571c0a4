/* SPDX-License-Identifier: MIT */
/*
 * The record of a device, and what reads it: image.c for a driver, pass.c for a keeper. Internal to
 * libixgbe.
 */
#pragma once

#include "device.h"

#include <assert.h>

#define IMAGE_MAGIC   0x6d696269u
#define IMAGE_VERSION 3u /* raised with any change of the record, or of what state memory holds */
#define AREAS_MAX     (2u * IXGBE_QUEUES_MAX + IXGBE_DEVICE_POOLS_MAX)
#define NAME_BYTES    16u

struct image_memory {
	uint64_t at, bytes;
	uint64_t iova, asked; /* of DMA memory */
};

struct image_window {
	uint64_t offset, bytes, fd_offset;
};

struct image_record {
	uint32_t magic, version, bytes; /* of the record */
	uint32_t fds;
	char name[NAME_BYTES]; /* of the backend */
	uint16_t device_id, queues, rx_ring, tx_ring, mtu, itr_us;
	uint32_t vlan_strip;
	uint32_t vectors, areas, windows;
	uint32_t reserved; /* 0 */
	uint64_t bar_bytes;
	struct image_memory state;
	struct image_memory area[AREAS_MAX];
	struct image_window window[BACKEND_WINDOWS_MAX];
};
static_assert(sizeof(struct image_record) == 104 + AREAS_MAX * 32 + BACKEND_WINDOWS_MAX * 24,
	      "no padding: what a record says is all there is in it");

/* A record of `bytes` bytes that comes with `fds` descriptors. -EBADMSG: it is of another version,
 * or its counts do not add up. */
int image_read(const void *from, size_t bytes, uint32_t fds, struct image_record *record,
	       struct ixgbe_why *why);
/* The options in it, checked, with those of `callbacks` that are functions. */
int image_options_read(const struct image_record *record, const struct ixgbe_options *callbacks,
		       struct ixgbe_options *out, struct ixgbe_why *why);
/* Maps state memory and DMA memory; device->dma is there, and empty. The descriptors stay the
 * caller's. -EBADMSG, -EEXIST, -ENOMEM. */
int image_memories_map(struct ixgbe_device *device, const struct image_record *record,
		       const int *fd, struct ixgbe_why *why);
/* Fills `why` for a record that says `what` wrong: -EBADMSG. */
int image_broken(struct ixgbe_why *why, const char *what);
