/* SPDX-License-Identifier: MIT */
/* An assertion for a child process: cmocka's would go on with the tests there. */
#pragma once

#include <stdio.h>
#include <unistd.h>

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);         \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)
