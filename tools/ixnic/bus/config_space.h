/* SPDX-License-Identifier: MIT */
/*
 * The PCI configuration space of the software NIC: one function of an X520-DA2, with the
 * capabilities where the 82599 has them (section 9.3), since drivers read some by address.
 * Absent: VPD and the expansion ROM (there is no flash), ARI and SR-IOV (no virtual functions).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_BYTES 4096u

/* Sizes of the BARs; 1, 3 and 5 are the upper halves of 64-bit ones, or absent. */
#define BAR2_BYTES 32u
#define BAR4_BYTES 16384u

#define MSIX_PBA_OFFSET 0x2000u /* in BAR 4; the table is at 0 */

struct config_space {
	uint32_t value[CONFIG_BYTES / 4];
	uint32_t writable[CONFIG_BYTES / 4];
	uint32_t clear[CONFIG_BYTES / 4]; /* cleared by writing a one */
	uint8_t mac[6];
};

/* As after power-on and FLR. The serial number is made of `mac`. */
void config_space_init(struct config_space *config, const uint8_t mac[6]);
void config_space_reset(struct config_space *config);

/* `len` bytes at `offset`, both within the space. */
void config_space_read(const struct config_space *config, uint32_t offset, uint8_t *data,
		       uint32_t len);

/* Returned by a write that asks for a reset, which is the caller's to do. */
enum { CONFIG_FLR = 1u << 0 };
uint32_t config_space_write(struct config_space *config, uint32_t offset, const uint8_t *data,
			    uint32_t len);

/*
 * The outcome of a read by this function (9.3.3; PCI Express Base Specification, 6.2.3). After a
 * completion with Unsupported Request the requester sets Received Master Abort and nothing else:
 * the completer reports the error. No completion in time is an error of the requester's, not fatal
 * by default.
 */
void config_space_master_abort(struct config_space *config);
void config_space_pending(struct config_space *config, bool pending); /* requests on the bus */
void config_space_completion_timeout(struct config_space *config);
/* Clears the errors in the PCI status. */
void config_space_status_reset(struct config_space *config);

/* For the rest of the function. */
/* As a former owner left the function: it may master the bus. */
void config_space_master_set(struct config_space *config);
/* Somebody took that away. */
void config_space_master_clear(struct config_space *config);
bool config_space_bus_master(const struct config_space *config); /* and powered: in D0 */
bool config_space_memory(const struct config_space *config);     /* the registers answer */
bool config_space_intx_disabled(const struct config_space *config);
bool config_space_msix_masked(const struct config_space *config); /* the function's mask */
