/* SPDX-License-Identifier: MIT */
/*
 * For tests/system/test_keeper_rights.py: a later version that cannot go on with the running NIC,
 * and is the program of the environment's IXTAP_NEXT otherwise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *next = getenv("IXTAP_NEXT");

	if (argc > 2 && strstr(argv[2], ":check")) {
		printf("{\"start\": \"cold\", \"why\": \"as the test wants\"}");
		return 0;
	}
	if (next)
		execv(next, argv);
	return 1;
}
