/* SPDX-License-Identifier: MIT */
/* What a fuzz target has: libFuzzer's entry, and inputs for where libFuzzer is not. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What must be true of any input. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input of at most `size` bytes. */
size_t fuzz_generate(uint8_t *to, size_t size, uint32_t (*random)(void));
