/* SPDX-License-Identifier: MIT */
/*
 * A kernel that the test plays, for the VFIO backend: sysfs is a temporary directory, the system
 * calls are functions of fake_vfio.c. Each step can be made to fail.
 */
#pragma once

#include "ixgbe/backends/vfio.h"

#include <limits.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define BDF        "0000:03:00.0"
#define GROUP_PATH "/dev/vfio/12"
#define BAR_BYTES  0x20000u
#define MIB        (1u << 20)

enum fake_fd { CLOSED, CONTAINER, GROUP, DEVICE };

extern struct fake_vfio {
	/* The script. */
	const char *fail_path; /* open fails with fail_error */
	unsigned long fail_request;
	int fail_error;
	uint32_t group_flags, device_flags, bar_flags, vectors;
	int api_version, extension;
	struct vfio_iova_range range[4];
	uint32_t ranges;
	uint32_t cap_next;     /* 0: where the ranges are */
	uint64_t memlock_left; /* bytes that can be pinned */
	bool short_config, unmap_refused;
	bool reset_takes; /* a reset takes command register and interrupts away */

	/* What there is. */
	enum fake_fd fd[8];
	bool in_container, iommu_set, bar_mapped;
	uint32_t dma_maps;
	uint64_t dma_bytes;
	int eventfd[64];
	uint32_t irqs;
	char log[256]; /* what was done in which order */
	uint8_t bar[BAR_BYTES];
	uint8_t config[256];
	uint8_t command_at_reset;
} fake;

#define FAIL_MMAP 1ul /* as a request */

#define DEVICES      "bus/pci/devices/"
#define LINK_DRIVER  DEVICES BDF "/driver"
#define LINK_GROUP   DEVICES BDF "/iommu_group"
#define TARGET_VFIO  "../../../drivers/vfio-pci"
#define TARGET_GROUP "../../../../kernel/iommu_groups/12"

extern struct ixgbe_why fake_vfio_why;

/* For cmocka, of a group: the sysfs. */
int fake_vfio_begin(void **state);
int fake_vfio_end(void **state);
/* For each test: a machine on which everything works. */
int fake_vfio_setup(void **state);
void fake_vfio_link(const char *name, const char *target);
/* A device of it. */
struct ixgbe_backend *fake_vfio_opened(void);
/* Fails unless nothing is open, mapped or attached. */
void fake_vfio_nothing_left(void);
