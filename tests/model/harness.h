/* SPDX-License-Identifier: MIT */
/*
 * A software NIC to test: the real ixnic program, driven as a driver would drive it.
 *
 *   test ─┬─ vfio-user over a socketpair ── ixnic ─┬─ wire seqpacket:DIR/wire ── test
 *         └─ DMA memory (memfds), eventfds         └─ control DIR/control ────── test
 *
 * model_start() hands back a NIC that is past power-on, with the link's cable plugged, memory and
 * bus master enabled, all MSI-X vectors connected, and nothing else done to it. Whatever goes wrong
 * below the test's own subject (the program dies, a message does not come) fails the test with a
 * line that says so; nothing waits longer than MODEL_DEADLINE_MS. model_stop() fails unless ixnic
 * ends with 0, so what a sanitizer finds in it fails the test too.
 *
 * The program is $IXNIC, which meson sets (model_kwargs in meson.build).
 *
 * Use with cmocka: model_setup and model_stop as fixtures, or a setup with options of its own.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>

#include "ixgbe/tables/desc.h"
#include "ixgbe/tables/fields.h"
#include "ixgbe/tables/regs.h"

#define MODEL_DEADLINE_MS 5000
#define MODEL_QUIET_MS    50 /* how long to look for what must not come */
#define MODEL_VECTORS     64
#define MODEL_FRAME_MAX   (64 * 1024)

struct model;

struct model_options {
	const char *mac;         /* --mac; NULL: 02:00:00:00:00:01 */
	const char *wire;        /* --wire; NULL: a seqpacket, for model_wire_send() and so on */
	bool link_down;          /* --link down */
	bool master_stays;       /* what a former owner set in the PCI command is not cleared */
	bool listen;             /* --socket DIR/nic, instead of the socketpair */
	const char *const *more; /* further arguments, NULL-terminated; NULL: none */
};

/* For cmocka's fixtures: *state is a struct model *. 0 or -1. `options` may be NULL. */
int model_start(void **state, const struct model_options *options);
int model_setup(void **state); /* without options */
/* SIGTERM, waits; kills after the deadline. Fails (-1) unless the program exited with 0. */
int model_stop(void **state);

/* Ends the program and starts another one with the same options: as new. DMA areas are gone. */
void model_restart(struct model *m);
/* With `listen`: drops the connection and makes a new one to the same NIC. DMA areas are gone. */
void model_reconnect(struct model *m);

/* For tests of the server itself: its socket's path (with `listen`), and the directory of this
 * model's sockets. */
const char *model_path(const struct model *m);
const char *model_dir(const struct model *m);
/* Closes the connection, and the test makes its own to model_path(); model_reconnect() ends that.
 */
void model_disconnect(struct model *m);
int model_pid(const struct model *m);
/* Waits until the program has ended by itself: whether it did so with 0. */
bool model_ended(struct model *m);

/* ---- Registers and configuration space ---- */

uint32_t model_read(struct model *m, uint32_t offset);
/* Posted, as a driver's: the next read of anything comes after it, and so does what reaches the NIC
 * by another way, by the functions for wire and control below. */
void model_write(struct model *m, uint32_t offset, uint32_t value);
static inline void model_set(struct model *m, uint32_t offset, uint32_t bits)
{
	model_write(m, offset, model_read(m, offset) | bits);
}
static inline void model_clear(struct model *m, uint32_t offset, uint32_t bits)
{
	model_write(m, offset, model_read(m, offset) & ~bits);
}
/* Waits until the bits of `mask` read as `value`; fails the test at the deadline. */
uint32_t model_wait(struct model *m, uint32_t offset, uint32_t mask, uint32_t value);

/* A register, changed: the bits of `clear` off, those of `set` on. */
struct model_change {
	uint32_t at, clear, set;
};
/* One after the other, `most` of them, or up to one of register 0. */
void model_change(struct model *m, const struct model_change *change, uint32_t most);

/* Little-endian, `len` of 1, 2 or 4 bytes. */
uint32_t model_config_read(struct model *m, uint32_t offset, uint32_t len);
void model_config_write(struct model *m, uint32_t offset, uint32_t len, uint32_t value);
/* Any region (VFIO_PCI_*_REGION_INDEX). 0 or the server's -errno. */
int model_region_read(struct model *m, uint32_t region, uint64_t offset, void *data, uint32_t len);
int model_region_write(struct model *m, uint32_t region, uint64_t offset, const void *data,
		       uint32_t len);
/* Of the function, by message (VFIO_USER_DEVICE_RESET). */
void model_reset(struct model *m);
/* By CTRL.RST, and the 10 ms that the datasheet wants behind it (4.2.1.6.1), from when the NIC has
 * had the write. */
void model_software_reset(struct model *m);
/* Any command: a payload with descriptors, and the reply's payload of at most `size` bytes. Its
 * length, or the server's -errno. */
int model_command(struct model *m, uint16_t number, const void *payload, size_t len, const int *fd,
		  uint32_t fds, void *reply, size_t size);

/* ---- DMA memory ---- */

struct model_dma {
	uint8_t *addr;
	uint64_t iova;
	size_t len;
};
/* Zeroed, `len` rounded up to pages, at an IOVA with an unmapped page on either side. */
struct model_dma model_dma_new(struct model *m, size_t len);
void model_dma_free(struct model *m, struct model_dma *dma);

/* ---- Interrupts ---- */

/* Whether the vector fired since the last look; it is consumed. Waits up to the deadline. */
bool model_irq_wait(struct model *m, uint32_t vector);
/* The same, at once after everything the NIC has done so far (a register read is in between). */
bool model_irq_pending(struct model *m, uint32_t vector);
/* Waits MODEL_QUIET_MS: whether the vector stayed silent. */
bool model_irq_quiet(struct model *m, uint32_t vector);

/* ---- The wire ---- */

/* A frame, without FCS, to the NIC. */
void model_wire_send(struct model *m, const void *frame, size_t len);
/* The next frame from the NIC: its length. Fails the test if none comes. */
size_t model_wire_recv(struct model *m, void *frame, size_t size);
/* Waits MODEL_QUIET_MS: whether no frame came. */
bool model_wire_quiet(struct model *m);

/* ---- Control ---- */

/* A request's words, as in "link down". The JSON of the reply (json_decref). */
json_t *model_control(struct model *m, const char *request);
/* A connection for requests of the test's own, which closes it. */
int model_control_connect(struct model *m);
/* An integer in it, by a path of names with dots: model_control_int(m, "counters", "wire.rx"). */
long long model_control_int(struct model *m, const char *request, const char *path);
/* How often a rule was broken. */
long long model_broken(struct model *m, const char *rule);
/* Waits until that integer is `value`; fails the test at the deadline. */
void model_control_wait(struct model *m, const char *request, const char *path, long long value);

/* ---- Odds and ends ---- */

/* Monotonic milliseconds, for loops with a deadline of their own. */
uint64_t model_now_ms(void);
