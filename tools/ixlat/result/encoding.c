/* SPDX-License-Identifier: MIT */
/*
 * The format:
 *
 *   base64( cookie 0x1c849314, length, deflate(
 *       cookie 0x1c849313, length of the counters, offset of the first (0), digits,
 *       lowest, highest, factor for doubles (1.0), counters ) )
 *
 * Numbers are big endian. They have four bytes; lowest, highest and factor have eight. A counter is
 * a zigzag number in base 128, low digits first; its ninth byte, if there is one, holds 8 bits. A
 * negative number -n stands for n counters that are 0.
 */
#include "encoding.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
	COOKIE = 0x1c849303 | 0x10,
	COOKIE_COMPRESSED = 0x1c849304 | 0x10,
	OUTER_BYTES = 8,
	INNER_BYTES = 40,
	NUMBER_BYTES_MAX = 9,
};

/* ---- Big-endian numbers ---- */

static void put32(uint8_t *to, uint32_t value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof(value));
}

static void put64(uint8_t *to, uint64_t value)
{
	value = htobe64(value);
	memcpy(to, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return be32toh(value);
}

static uint64_t get64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return be64toh(value);
}

/* ---- Counters ---- */

static uint8_t *put_number(uint8_t *to, int64_t number)
{
	uint64_t zigzag = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);

	for (int i = 1; i < NUMBER_BYTES_MAX && zigzag > 0x7f; i++) {
		*to++ = (uint8_t)(zigzag | 0x80);
		zigzag >>= 7;
	}
	*to++ = (uint8_t)zigzag;
	return to;
}

/* Returns the number's end; NULL: it is not whole. */
static const uint8_t *get_number(const uint8_t *from, const uint8_t *end, int64_t *number)
{
	uint64_t zigzag = 0;

	for (int i = 0; i < NUMBER_BYTES_MAX && from < end; i++) {
		uint64_t byte = *from++;
		bool last = i == NUMBER_BYTES_MAX - 1;

		zigzag |= (last ? byte : byte & 0x7f) << (7 * i);
		if (last || byte < 0x80) {
			*number = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
			return from;
		}
	}
	return NULL;
}

/* Writes the counters up to the last that is not 0, and returns their end. */
static uint8_t *put_counters(uint8_t *to, const struct histogram *histogram)
{
	size_t used = histogram->length, i = 0;

	while (used > 0 && histogram->counters[used - 1] == 0)
		used--;
	while (i < used) {
		size_t first = i;

		if (histogram->counters[i]) {
			to = put_number(to, (int64_t)histogram->counters[i++]);
			continue;
		}
		while (i < used && histogram->counters[i] == 0)
			i++;
		to = put_number(to, i - first > 1 ? -(int64_t)(i - first) : 0);
	}
	return to;
}

static int get_counters(const uint8_t *from, const uint8_t *end, struct histogram *histogram)
{
	size_t i = 0;

	while (from < end) {
		int64_t number;

		from = get_number(from, end, &number);
		if (!from)
			return -EINVAL;
		if (number < 0) {
			if (number < -(int64_t)(histogram->length - i))
				return -EINVAL;
			i += (size_t)-number;
			continue;
		}
		if (i == histogram->length ||
		    number > (int64_t)(INT64_MAX - (int64_t)histogram->total))
			return -EINVAL;
		histogram->counters[i++] = (uint64_t)number;
		histogram->total += (uint64_t)number;
	}
	return 0;
}

/* ---- base64 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
enum { PADDING = 64 }; /* the index of '=' */

static char *base64_write(const uint8_t *from, size_t bytes)
{
	char *text = malloc((bytes + 2) / 3 * 4 + 1), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < bytes; i += 3) {
		size_t here = bytes - i < 3 ? bytes - i : 3;
		uint32_t group = (uint32_t)from[i] << 16;

		if (here > 1)
			group |= (uint32_t)from[i + 1] << 8;
		if (here > 2)
			group |= from[i + 2];
		*to++ = alphabet[group >> 18];
		*to++ = alphabet[group >> 12 & 63];
		*to++ = alphabet[here > 1 ? group >> 6 & 63 : PADDING];
		*to++ = alphabet[here > 2 ? group & 63 : PADDING];
	}
	*to = '\0';
	return text;
}

/* Returns the bytes, to be freed. NULL: `text` is no base64 if *bytes is 0, else no memory. */
static uint8_t *base64_read(const char *text, size_t *bytes)
{
	size_t length = strlen(text), used = 0;
	uint8_t *out;

	*bytes = 0;
	if (length == 0 || length % 4 != 0)
		return NULL;
	*bytes = length / 4 * 3;
	out = malloc(*bytes);
	for (size_t i = 0; out && i < length; i += 4) {
		uint32_t group = 0;
		int letters = 4;

		while (i + 4 == length && letters > 2 && text[i + (size_t)letters - 1] == '=')
			letters--;
		for (int j = 0; j < letters; j++) {
			const char *at = strchr(alphabet, text[i + (size_t)j]);

			if (!at || at - alphabet >= PADDING) {
				free(out);
				*bytes = 0;
				return NULL;
			}
			group |= (uint32_t)(at - alphabet) << (18 - 6 * j);
		}
		for (int j = 0; j < letters - 1; j++)
			out[used++] = (uint8_t)(group >> (16 - 8 * j));
	}
	*bytes = used;
	return out;
}

/* ---- The whole ---- */

/* The inner part, to be compressed; NULL: no memory. */
static uint8_t *write_inner(const struct histogram *histogram, size_t *bytes)
{
	uint8_t *inner = malloc(INNER_BYTES + histogram->length * NUMBER_BYTES_MAX);
	double factor = 1;
	uint64_t factor_bits;

	if (!inner)
		return NULL;
	memcpy(&factor_bits, &factor, sizeof(factor_bits));
	*bytes = (size_t)(put_counters(inner + INNER_BYTES, histogram) - inner);
	put32(inner, COOKIE);
	put32(inner + 4, (uint32_t)(*bytes - INNER_BYTES));
	put32(inner + 8, 0);
	put32(inner + 12, (uint32_t)histogram->digits);
	put64(inner + 16, (uint64_t)histogram->lowest);
	put64(inner + 24, (uint64_t)histogram->highest);
	put64(inner + 32, factor_bits);
	return inner;
}

char *encoding_write(const struct histogram *histogram)
{
	size_t inner_bytes = 0;
	uint8_t *inner = write_inner(histogram, &inner_bytes);
	uLongf packed = compressBound(inner_bytes);
	uint8_t *outer = malloc(OUTER_BYTES + packed);
	char *text = NULL;

	if (inner && outer && compress(outer + OUTER_BYTES, &packed, inner, inner_bytes) == Z_OK) {
		put32(outer, COOKIE_COMPRESSED);
		put32(outer + 4, (uint32_t)packed);
		text = base64_write(outer, OUTER_BYTES + packed);
	}
	free(inner);
	free(outer);
	return text;
}

/* `inner` may hold anything. */
static int read_inner(const uint8_t *inner, size_t bytes, struct histogram *out)
{
	struct histogram made;
	int err;

	if (bytes < INNER_BYTES || get32(inner) != COOKIE ||
	    get32(inner + 4) > bytes - INNER_BYTES || get32(inner + 8) != 0)
		return -EINVAL;
	err = histogram_init(&made, (int64_t)get64(inner + 16), (int64_t)get64(inner + 24),
			     (int)get32(inner + 12));
	if (err)
		return err;
	err = get_counters(inner + INNER_BYTES, inner + INNER_BYTES + get32(inner + 4), &made);
	if (err)
		histogram_free(&made);
	else
		*out = made;
	return err;
}

static int read_outer(const uint8_t *outer, size_t bytes, struct histogram *out)
{
	/* The largest that we take. */
	uLongf room = INNER_BYTES + (uLongf)HISTOGRAM_COUNTERS_MAX * NUMBER_BYTES_MAX;
	uint8_t *inner;
	int err;

	if (bytes < OUTER_BYTES || get32(outer) != COOKIE_COMPRESSED ||
	    get32(outer + 4) > bytes - OUTER_BYTES)
		return -EINVAL;
	inner = malloc(room);
	if (!inner)
		return -ENOMEM;
	switch (uncompress(inner, &room, outer + OUTER_BYTES, get32(outer + 4))) {
	case Z_OK:
		err = read_inner(inner, room, out);
		break;
	case Z_MEM_ERROR:
		err = -ENOMEM;
		break;
	case Z_BUF_ERROR:
		err = -E2BIG;
		break;
	default:
		err = -EINVAL;
	}
	free(inner);
	return err;
}

int encoding_read(const char *text, struct histogram *out)
{
	size_t bytes;
	uint8_t *outer = base64_read(text, &bytes);
	int err;

	if (!outer)
		return bytes ? -ENOMEM : -EINVAL;
	err = read_outer(outer, bytes, out);
	free(outer);
	return err;
}
