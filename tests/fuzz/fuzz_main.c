/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without libFuzzer: on the files named (to look at a crash again), or on
 * generated inputs, the same in every run.
 *
 *     fuzz_server [FILE...]    fuzz_server -n ROUNDS [-s SEED]
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static uint64_t seed = 1;

/* splitmix64: small, and good enough to reach the corners. */
static uint32_t next(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)(z >> 32);
}

static int run_file(const char *name)
{
	static uint8_t input[1 << 20];
	FILE *file = fopen(name, "rbe");

	if (!file) {
		perror(name);
		return 1;
	}
	size_t n = fread(input, 1, sizeof(input), file);

	fclose(file);
	return LLVMFuzzerTestOneInput(input, n);
}

int main(int argc, char **argv)
{
	uint8_t input[4096];
	long rounds = 2000;
	int i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (argv[i][1] == 'n')
			rounds = strtol(argv[i + 1], NULL, 10);
		else
			seed = strtoull(argv[i + 1], NULL, 10);
	}
	if (i < argc) {
		int failed = 0;

		for (; i < argc; i++)
			failed |= run_file(argv[i]);
		return failed;
	}
	printf("%ld inputs from seed %llu\n", rounds, (unsigned long long)seed);
	while (rounds-- > 0)
		LLVMFuzzerTestOneInput(input, fuzz_generate(input, sizeof(input), next));
	return 0;
}
