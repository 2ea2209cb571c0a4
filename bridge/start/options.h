/* SPDX-License-Identifier: MIT */
/*
 * start: what ixtapd is told at its start.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     config.c    the configuration file
 *       |
 *     options.c   the options, from a command line or a file
 *
 * This file: one table of options is for both.
 *
 * Precedence: an option on the command line replaces what files say about it (all
 * of their addresses, if one is given). So the command line is read first, and what has been given
 * stays.
 */
#pragma once

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "ixgbe/ixgbe.h"
#include "netlink/netlink.h"
#include "bridge/frames/worker.h"
#include "bridge/spawn/spawn.h"

#define OPTIONS_ADDRESSES_MAX 64u
#define OPTIONS_PATH_BYTES    sizeof(((struct sockaddr_un *)0)->sun_path)

/* Descriptors of a ring. A receive ring of 4,096 holds what comes within 50 ms at 80,000 frames a
 * second, while one driver process follows another. */
#define OPTIONS_RINGS      4096u
#define OPTIONS_RINGS_MIN  64u
#define OPTIONS_RINGS_MAX  8192u
#define OPTIONS_RINGS_STEP 8u

enum options_nic_kind { OPTIONS_NIC_SOFT, OPTIONS_NIC_VFIO, OPTIONS_NIC_VFIO_USER };

/* How far the NIC's verdict on received checksums is used: see ixtapd(8). */
enum options_rx_checksum {
	OPTIONS_RX_CHECKSUM_OFF, /* not at all: every frame is as on the wire, none is merged */
	OPTIONS_RX_CHECKSUM_ON,  /* for frames that are merged */
	OPTIONS_RX_CHECKSUM_ALL, /* for single frames too: their checksum is replaced */
};

struct options {
	enum options_nic_kind nic_kind;
	/* The whole name, defaults filled in: "soft:tap:tap0-wire", "vfio:0000:03:00.0". */
	char nic[OPTIONS_PATH_BYTES + 32];
	char tap[IFNAMSIZ];
	char netns[NAME_MAX + 1]; /* "": the one ixtapd was started in */
	bool mac_given;           /* else the NIC's own */
	uint8_t mac[IXGBE_MAC_BYTES];
	uint16_t mtu; /* 0: what the interface has */
	struct netlink_prefix address[OPTIONS_ADDRESSES_MAX];
	size_t addresses;
	bool up;
	uint16_t queues;
	uint16_t rings; /* descriptors of each ring */
	enum worker_poll poll;
	bool coalesce;
	enum options_rx_checksum rx_checksum;
	bool persist;
	enum isolation isolation;
	uid_t driver_user;     /* ISOLATION_USER_FREE: one that nobody has */
	char config[PATH_MAX]; /* "": none */
	char control[OPTIONS_PATH_BYTES];
	enum ixgbe_log_level log_level;
	/* Sets of options, a bit for each row of the table. `decided`: given on the command line or
	 * in a file that counts more. `from_file`: given in the file that is being read. */
	uint32_t decided, from_file;
};

void options_init(struct options *options);

/* Reads the command line, see option_table_parse. */
int options_parse(struct options *options, int argc, char *argv[], struct ixgbe_why *why);

/* A file begins: what was given until now stays. */
void options_set_begin(struct options *options);
/*
 * Sets the option `name` from a `value` of that file. Errors, with `why` filled: -ENOENT (no such
 * option), -EINVAL (the value), -EEXIST (twice in the file).
 */
int options_set(struct options *options, const char *name, const char *value,
		struct ixgbe_why *why);

/* Fills in the defaults that depend on other options; -EINVAL: a required one is missing. */
int options_finish(struct options *options, struct ixgbe_why *why);

/* -EINVAL: no word of --rx-checksum; `why` is filled. */
int options_rx_checksum_parse(const char *word, enum options_rx_checksum *out,
			      struct ixgbe_why *why);
const char *options_rx_checksum_name(enum options_rx_checksum rx_checksum);
const char *options_isolation_name(enum isolation isolation);
/* The word of --poll. */
const char *options_poll_name(enum worker_poll poll);
