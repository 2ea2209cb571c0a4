/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "state_memory.h"

#define CACHE_LINE_BYTES 64u

void *state_alloc(struct state_memory *state, size_t bytes)
{
	void *piece;

	if (bytes > SIZE_MAX - CACHE_LINE_BYTES)
		return NULL;
	bytes = (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
	if (!state) {
		piece = aligned_alloc(CACHE_LINE_BYTES, bytes);
		return piece ? memset(piece, 0, bytes) : NULL;
	}
	if (bytes > state->bytes - state->used)
		return NULL;
	piece = state->at + state->used;
	state->used += bytes;
	return piece;
}

void state_free(struct state_memory *state, void *piece)
{
	if (!state)
		free(piece);
}
