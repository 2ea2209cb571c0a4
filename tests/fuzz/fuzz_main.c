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
#include <sys/wait.h>
#include <unistd.h>

/* Processes that share the inputs. What an input costs is mostly a wait, where a target gives an
 * io_uring back. */
#define SHARES 8

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

/* Every input is generated, so that all shares together are the inputs that one process would have.
 */
static void run_share(long rounds, long share)
{
	uint8_t input[4096];

	for (long i = 0; i < rounds; i++) {
		size_t n = fuzz_generate(input, sizeof(input), next);

		if (i % SHARES == share)
			LLVMFuzzerTestOneInput(input, n);
	}
}

static int run_generated(long rounds)
{
	int status, failed = 0;

	printf("%ld inputs from seed %llu\n", rounds, (unsigned long long)seed);
	fflush(stdout);
	for (long share = 0; share < SHARES; share++) {
		pid_t pid = fork();

		if (pid == 0) {
			run_share(rounds, share);
			exit(0);
		}
		failed |= pid < 0;
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}

int main(int argc, char **argv)
{
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
	return run_generated(rounds);
}
