/* SPDX-License-Identifier: MIT */
/* Frames, as wires and the data path hand them to each other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "header_fields.h"

struct slice {
	const uint8_t *data;
	uint32_t len;
};

/* A frame on the wire, without FCS: `head` has all headers, `body` (or NULL) follows it, so that
 * frames cut from a bigger one share its payload. */
struct frame {
	const uint8_t *head;
	const uint8_t *body;
	uint32_t head_len;
	uint32_t body_len;
	uint32_t checked; /* offset of a TCP or UDP header whose checksum is known to be right */
	bool looped;      /* HLREG0.LPBK: it never was on the wire */
};

#define FRAME_CHECKED_ANY UINT32_MAX /* `checked`: wherever it is */

/* Pads a frame that is too short: it moves to `to`, which has FRAME_MIN bytes and may overlap it.
 */
static inline void frame_pad(struct frame *frame, uint8_t *to)
{
	uint32_t len = frame->head_len + frame->body_len;

	if (len >= FRAME_MIN)
		return;
	memmove(to, frame->head, frame->head_len);
	if (frame->body_len)
		memcpy(to + frame->head_len, frame->body, frame->body_len);
	memset(to + len, 0, FRAME_MIN - len);
	*frame = (struct frame){.head = to, .head_len = FRAME_MIN, .checked = frame->checked};
}
