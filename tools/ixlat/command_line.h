/* SPDX-License-Identifier: MIT */
/* The command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ixgbe/ixgbe.h"

enum mode { MODE_UDP, MODE_TCP, MODE_RAW };
enum command { COMMAND_RUN, COMMAND_REFLECT, COMMAND_COMPARE };

enum {
	COMPARE_MAX = 8,
	PROBE_PORT = 8259,
	PROBE_BYTES_MIN = 40,    /* a probe without padding */
	IN_FLIGHT_MAX = 1 << 22, /* probes that are on their way at one time */
};

struct ixlat_options {
	enum command command;
	enum mode mode;
	/* Where to, or where. */
	const char *host;
	uint8_t mac[6];
	const char *interface, *listen;
	uint16_t port;
	/* How. */
	double rate_hz; /* 0: the next goes when the answer is there */
	uint32_t count; /* 0: by time */
	double duration_s;
	uint32_t warmup, size_bytes, timeout_ms;
	bool one_way, busy, kernel_stamps;
	/* What comes out. */
	const char *json, *hgrm, *plot, *label;
	/* What is compared. */
	const char *files[COMPARE_MAX];
	unsigned int file_count;
};

/* "udp", "tcp", "raw" */
const char *mode_name(enum mode mode);
/* Fills *options, whose texts are those of argv: 0, or -EINVAL, see option_table_parse. */
int ixlat_options_parse(struct ixlat_options *options, int argc, char *argv[],
			struct ixgbe_why *why);
