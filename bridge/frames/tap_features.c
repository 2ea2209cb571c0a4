/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * A TAP has an offload if its owner has taken it (TUNSETOFFLOAD), and the administrator asks for it
 * ('ethtool -K'). Any program that attaches can call TUNSETOFFLOAD. That sets what the
 * administrator asks for to the same, and the kernel tells nobody what was taken. So an offload
 * that is not asked for was turned off in one of two ways:
 *
 *     ethtool -K      it is there once it is asked for
 *     TUNSETOFFLOAD   it is not
 *
 * tap_offloads_keep() tries that with one offload, whenever some are off that were not before, and
 * where TUNSETOFFLOAD can have done it: without checksums it takes nothing else. To ask for an
 * offload needs CAP_NET_ADMIN; without that right, what is off and not asked for stays off.
 */
#include <assert.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tap_ethtool.h"

/* Those that TUNSETOFFLOAD turns on, whatever the administrator had asked for. */
static const struct {
	const char *name;
	uint32_t flags;
} offload_features[] = {
	{"tx-checksum-ip-generic", TUN_F_CSUM},
	{"tx-tcp-ecn-segmentation", TUN_F_TSO_ECN},
	{"tx-tcp-segmentation", TUN_F_TSO4},
	{"tx-tcp6-segmentation", TUN_F_TSO6},
	{"tx-udp-segmentation", TUN_F_USO4 | TUN_F_USO6},
	/* These we never take: another program has. */
	{"tx-udp_tnl-segmentation", 0},
	{"tx-udp_tnl-csum-segmentation", 0},
};

#define OFFLOAD_FEATURES (sizeof(offload_features) / sizeof(offload_features[0]))
#define CHECKSUM         1u /* bits of features, in the order of the table */
#define OURS             0x1fu
#define FEATURES_MAX     512u

static_assert(OFFLOAD_FEATURES <= 8, "a feature is a bit of a byte");

/* The requests' socket, and the kernel's number of each feature, -1: none. */
struct asking {
	int fd, count;
	struct ifreq ifr;
	int number[OFFLOAD_FEATURES];
};

struct shown {
	uint8_t requested, active;
};

/* ---- The kernel's features ---- */

/* The kernel numbers features as it likes. */
static int numbers_ask(struct asking *ask)
{
	union {
		struct ethtool_gstrings strings;
		uint8_t room[sizeof(struct ethtool_gstrings) + FEATURES_MAX * ETH_GSTRING_LEN];
	} names = {.strings = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES}};
	union {
		struct ethtool_sset_info info;
		uint8_t room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} size = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
	uint32_t count;
	int err = tap_ethtool(ask->fd, &ask->ifr, &size);

	if (err)
		return err;
	memcpy(&count, size.room + sizeof(size.info), sizeof(count));
	if (!size.info.sset_mask || count > FEATURES_MAX)
		return -ENOTSUP;
	names.strings.len = count;
	err = tap_ethtool(ask->fd, &ask->ifr, &names);
	if (err)
		return err;
	for (size_t f = 0; f < OFFLOAD_FEATURES; f++) {
		ask->number[f] = -1;
		for (uint32_t i = 0; i < count; i++)
			if (!strncmp((char *)names.room + sizeof(names.strings) +
					     (size_t)i * ETH_GSTRING_LEN,
				     offload_features[f].name, ETH_GSTRING_LEN))
				ask->number[f] = (int)i;
	}
	ask->count = (int)count;
	return 0;
}

static int asking_begin(const struct tap *tap, struct asking *out)
{
	int err;

	*out = (struct asking){.fd = -1};
	out->fd = tap_ethtool_open(tap, &out->ifr);
	if (out->fd < 0)
		return out->fd;
	err = numbers_ask(out);
	if (err)
		close(out->fd);
	return err;
}

static int shown_get(struct asking *ask, struct shown *out)
{
	union {
		struct ethtool_gfeatures features;
		uint8_t room[sizeof(struct ethtool_gfeatures) +
			     FEATURES_MAX / 32 * sizeof(struct ethtool_get_features_block)];
	} got = {.features = {.cmd = ETHTOOL_GFEATURES, .size = ((uint32_t)ask->count + 31) / 32}};
	struct ethtool_get_features_block block[FEATURES_MAX / 32];
	int err = tap_ethtool(ask->fd, &ask->ifr, &got);

	if (err)
		return err;
	memcpy(block, got.room + sizeof(got.features), sizeof(block));
	*out = (struct shown){0, 0};
	for (size_t f = 0; f < OFFLOAD_FEATURES; f++) {
		const int n = ask->number[f];

		if (n >= 0 && block[n / 32].requested & 1u << n % 32)
			out->requested |= (uint8_t)(1u << f);
		if (n >= 0 && block[n / 32].active & 1u << n % 32)
			out->active |= (uint8_t)(1u << f);
	}
	return 0;
}

/* As 'ethtool -K' does it. */
static int request(struct asking *ask, uint8_t which, bool on)
{
	union {
		struct ethtool_sfeatures features;
		uint8_t room[sizeof(struct ethtool_sfeatures) +
			     FEATURES_MAX / 32 * sizeof(struct ethtool_set_features_block)];
	} set = {.features = {.cmd = ETHTOOL_SFEATURES, .size = ((uint32_t)ask->count + 31) / 32}};
	struct ethtool_set_features_block block[FEATURES_MAX / 32] = {0};
	int err;

	if (!which)
		return 0;
	for (size_t f = 0; f < OFFLOAD_FEATURES; f++)
		if (ask->number[f] >= 0 && which & 1u << f) {
			block[ask->number[f] / 32].valid |= 1u << ask->number[f] % 32;
			block[ask->number[f] / 32].requested |= on ? 1u << ask->number[f] % 32 : 0;
		}
	memcpy(set.room + sizeof(set.features), block, sizeof(block));
	err = tap_ethtool(ask->fd, &ask->ifr, &set);
	return err < 0 ? err : 0;
}

/* Those of ours that the kernel knows, and that are not asked for. */
static uint8_t off_of(const struct asking *ask, const struct shown *shown)
{
	uint8_t off = 0;

	for (size_t f = 0; f < OFFLOAD_FEATURES; f++)
		if (ask->number[f] >= 0 && !(shown->requested & 1u << f))
			off |= (uint8_t)(1u << f & OURS);
	return off;
}

/* ---- What the TAP has ---- */

static void remember(struct tap *tap, struct asking *ask)
{
	struct shown shown;

	if (shown_get(ask, &shown))
		return;
	tap->features = (struct tap_features){
		.known = true,
		.requested = shown.requested,
		.active = shown.active,
		.off = off_of(ask, &shown),
	};
}

uint32_t tap_offloads(const struct tap *tap)
{
	uint32_t flags = 0;

	if (!tap->features.known)
		return tap->offloads;
	for (size_t f = 0; f < OFFLOAD_FEATURES; f++)
		flags |= tap->features.active & 1u << f ? offload_features[f].flags : 0;
	return flags & tap->offloads;
}

int tap_offloads_take(struct tap *tap)
{
	struct asking ask;
	struct shown before;
	int err = asking_begin(tap, &ask);

	if (err) {
		tap->offloads = tun_offloads_set(tap->fd[0]);
		return tap->was_persistent ? err : 0;
	}
	err = tap->was_persistent ? shown_get(&ask, &before) : 0;
	tap->offloads = tun_offloads_set(tap->fd[0]);
	if (tap->was_persistent && !err)
		err = request(&ask, off_of(&ask, &before), false);
	remember(tap, &ask);
	close(ask.fd);
	return err;
}

/* Without checksums the kernel has no other offload, and that for ECN only with one for TCP, which
 * stands behind it in the table. */
static uint8_t one_to_try(uint8_t off)
{
	uint8_t one = OURS + 1;

	if (off & CHECKSUM)
		return CHECKSUM;
	while (one && !(off & one))
		one >>= 1;
	return one;
}

/* Asked for, and not there. */
static uint8_t missing_of(const struct shown *shown)
{
	return shown->requested & (uint8_t)~shown->active & OURS;
}

/* Whether TUNSETOFFLOAD can have left it so, and by trying, whether it has. */
static bool taken_by_other(struct asking *ask, const struct shown *now, uint8_t off)
{
	const bool checksums_alone = off & CHECKSUM && now->requested & OURS;
	const uint8_t one = one_to_try(off);
	struct shown tried = *now;

	if (now->active & ~OURS || (now->requested & CHECKSUM && missing_of(now)))
		return true;
	if (!off || checksums_alone || request(ask, one, true))
		return false;
	(void)shown_get(ask, &tried);
	(void)request(ask, one, false);
	return !(tried.active & one);
}

/* Takes the offloads again, for a TAP that shows less than it could. Returns whether that made a
 * difference. */
static bool take_again(struct tap *tap, struct asking *ask, const struct shown *now, uint8_t off)
{
	const uint8_t before = tap->features.known ? tap->features.off : 0;
	struct shown after = *now;
	bool more;

	if (ioctl(tap->fd[0], TUNSETOFFLOAD, (unsigned long)tap->offloads) ||
	    shown_get(ask, &after))
		return false;
	more = (after.active ^ now->active) != 0;
	/* What is missing the administrator has turned on since. */
	(void)request(ask, more ? before & (uint8_t)~missing_of(now) : off, false);
	return more;
}

bool tap_offloads_keep(struct tap *tap)
{
	struct asking ask;
	struct shown now;
	bool taken = false;

	if (asking_begin(tap, &ask))
		return false;
	if (!shown_get(&ask, &now) &&
	    (!tap->features.known || now.requested != tap->features.requested ||
	     now.active != tap->features.active)) {
		const uint8_t off = off_of(&ask, &now);

		taken = taken_by_other(&ask, &now, off) && take_again(tap, &ask, &now, off);
		remember(tap, &ask);
	}
	close(ask.fd);
	return taken;
}

int tap_gro_get(const struct tap *tap, bool *on)
{
	struct ethtool_value request = {.cmd = ETHTOOL_GGRO};
	struct ifreq ifr = {0};
	int err, fd = tap_ethtool_open(tap, &ifr);

	if (fd < 0)
		return fd;
	err = tap_ethtool(fd, &ifr, &request);
	close(fd);
	if (!err)
		*on = request.data;
	return err;
}
