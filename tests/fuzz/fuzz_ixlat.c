/* SPDX-License-Identifier: MIT */
/*
 * Any histogram in a result that ixlat compares: it is refused, or one whose counters add up, whose
 * percentiles are in order, and which is the same when it is written and read again.
 *
 * An input is how it is packed (1 byte: as it should be, without base64, without compression), and
 * what is packed.
 */
#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fuzz.h"
#include "tools/ixlat/result/encoding.h"

#define COOKIE            0x1c849313u
#define COOKIE_COMPRESSED 0x1c849314u
#define HEADER_BYTES      40u

static void put32(uint8_t *to, uint32_t value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof(value));
}

static char *base64(const uint8_t *data, size_t size)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = calloc(size / 3 + 1, 4), *to = text;

	CHECK(text);
	/* Whole groups: what is over is cut. */
	for (; size >= 3; data += 3, size -= 3) {
		*to++ = letters[data[0] >> 2];
		*to++ = letters[(data[0] << 4 | data[1] >> 4) & 63];
		*to++ = letters[(data[1] << 2 | data[2] >> 6) & 63];
		*to++ = letters[data[2] & 63];
	}
	return text;
}

/* As it should be packed; two bytes after the end make the last group whole. */
static char *pack(const uint8_t *data, size_t size)
{
	uLongf packed = compressBound(size);
	uint8_t *outer = calloc(1, 8 + packed + 2);
	char *text;

	CHECK(outer && compress(outer + 8, &packed, data, size) == Z_OK);
	put32(outer, COOKIE_COMPRESSED);
	put32(outer + 4, (uint32_t)packed);
	text = base64(outer, 8 + packed + 2);
	free(outer);
	return text;
}

static void check(const struct histogram *histogram)
{
	struct histogram_step step = {0};
	double percentile = -1;
	int64_t value = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < histogram->length; i++)
		sum += histogram->counters[i];
	CHECK(sum == histogram->total);
	while (histogram_next(histogram, &step)) {
		CHECK(step.percentile >= percentile && step.value >= value);
		percentile = step.percentile;
		value = step.value;
	}
	CHECK(histogram_min(histogram) <= histogram_max(histogram));
	CHECK(histogram_percentile(histogram, 100) == histogram_max(histogram));
	CHECK(value == histogram_max(histogram) && step.count == histogram->total);
}

static void write_again(const struct histogram *histogram)
{
	char *text = encoding_write(histogram);
	struct histogram again;

	CHECK(text && encoding_read(text, &again) == 0);
	CHECK(again.total == histogram->total && again.length == histogram->length &&
	      again.lowest == histogram->lowest && again.highest == histogram->highest);
	CHECK(!memcmp(again.counters, histogram->counters, again.length * sizeof(*again.counters)));
	free(text);
	histogram_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct histogram histogram = {0};
	char *text;

	if (size < 1)
		return 0;
	switch (data[0]) {
	case 0:
		text = strndup((const char *)data + 1, size - 1);
		break;
	case 1:
		text = base64(data + 1, size - 1);
		break;
	default:
		text = pack(data + 1, size - 1);
	}
	CHECK(text);
	if (encoding_read(text, &histogram) == 0) {
		check(&histogram);
		write_again(&histogram);
		histogram_free(&histogram);
	} else {
		CHECK(!histogram.counters);
	}
	free(text);
	return 0;
}

/* Mostly a header that makes sense, and counters of few bytes. */
size_t fuzz_generate(uint8_t *to, size_t size, uint32_t (*random)(void))
{
	size_t bytes = random() % 200, all = 1 + HEADER_BYTES + bytes;
	uint8_t *header = to + 1;

	if (all > size)
		return 0;
	to[0] = random() % 16 ? 2 : (uint8_t)(random() % 2);
	memset(header, 0, HEADER_BYTES);
	put32(header, COOKIE);
	put32(header + 4, (uint32_t)bytes);
	put32(header + 12, 1 + random() % 5);
	put32(header + 20, 1u << random() % 12);
	put32(header + 24, random() >> random() % 32);
	put32(header + 28, random());
	for (size_t i = 0; i < bytes; i++)
		header[HEADER_BYTES + i] = (uint8_t)(random() % 3 ? random() & 0x7f : random());
	/* A counter beside which the others are nothing: nine bytes are one number. */
	if (bytes >= 9 && random() % 4 == 0)
		memset(header + HEADER_BYTES, 0xfe, 8);
	/* One thing wrong. */
	if (random() % 4 == 0)
		to[random() % all] = (uint8_t)random();
	return all;
}
