/* SPDX-License-Identifier: MIT */
/* What test_spawn.c asks its driver to do. The driver is spawn_puppet.c behind the product's
 * main(). */
#pragma once

#include <stdint.h>

/* What prepare is told to do, in the record. */
enum puppet_prepare {
	PREPARE_WELL,
	PREPARE_FAIL,
	PREPARE_EXIT,
	PREPARE_HANG,
	PREPARE_NONSENSE, /* writes another message into the socket */
	PREPARE_VERSION,  /* says that it is of another version */
};

struct puppet_record {
	uint32_t prepare;
	uint32_t last; /* isolation_last before the driver answers */
	char text[64];
};

/* What a driver does, a letter each in its order's socket, which it answers with a struct
 * puppet_answer. See deeds[] in spawn_puppet.c. */
struct puppet_answer {
	int64_t value; /* of the call, or -errno */
	char text[4096];
};
