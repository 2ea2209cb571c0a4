/* SPDX-License-Identifier: MIT */
/*
 * What ethtool shows and sets of a TAP: its link and its features.
 *
 * The kernel keeps what any program says of a TAP's link, and does nothing with it.
 */
#include "tap.h"

#include <assert.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(TAP_LINK_MASKS == 3 * 127, "supported, advertised, link partner: an int8_t counts");

/* The settings and their masks, as the kernel lays them out. */
union request {
	struct ethtool_link_settings settings;
	uint8_t room[sizeof(struct ethtool_link_settings) + TAP_LINK_MASKS * sizeof(uint32_t)];
};

static_assert(sizeof(union request) == sizeof(((struct tap *)0)->link), "tap.h has the room");

/* ---- ethtool's requests ---- */

static int ethtool_open(const struct tap *tap, struct ifreq *ifr)
{
	struct ifreq current = {0};
	int fd;

	/* By its present name: it may have been renamed. */
	if (ioctl(tap->fd[0], TUNGETIFF, &current) < 0)
		return -errno;
	memcpy(ifr->ifr_name, current.ifr_name, IFNAMSIZ);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int ethtool(int fd, struct ifreq *ifr, void *request)
{
	ifr->ifr_data = request;
	return ioctl(fd, SIOCETHTOOL, ifr) < 0 ? -errno : 0;
}

static int settings_get(int fd, struct ifreq *ifr, union request *out)
{
	int8_t words;
	int err;

	/* The kernel's first answer is the number of mask words alone, negated. */
	*out = (union request){.settings.cmd = ETHTOOL_GLINKSETTINGS};
	err = ethtool(fd, ifr, out);
	words = (int8_t)-out->settings.link_mode_masks_nwords;
	if (err || words <= 0)
		return err ? err : -EBADMSG;
	*out = (union request){
		.settings = {.cmd = ETHTOOL_GLINKSETTINGS, .link_mode_masks_nwords = words}};
	return ethtool(fd, ifr, out);
}

/* ---- What is shown ---- */

/* Adds a mode to those that are supported and advertised. */
static void mode_add(union request *request, unsigned int bit)
{
	size_t words = (size_t)request->settings.link_mode_masks_nwords;
	uint32_t mask[TAP_LINK_MASKS];

	if (bit / 32 >= words)
		return; /* an older kernel does not know the mode */
	memcpy(mask, request->room + sizeof(request->settings), sizeof(mask));
	mask[bit / 32] |= 1u << bit % 32;
	mask[words + bit / 32] |= 1u << bit % 32;
	memcpy(request->room + sizeof(request->settings), mask, sizeof(mask));
}

static void module_show(union request *request, enum ixgbe_sfp sfp)
{
	static const struct {
		uint8_t port;
		unsigned int mode;
	} shown[] = {
		[IXGBE_SFP_NONE] = {PORT_NONE, ETHTOOL_LINK_MODE_FIBRE_BIT},
		[IXGBE_SFP_SR] = {PORT_FIBRE, ETHTOOL_LINK_MODE_10000baseSR_Full_BIT},
		[IXGBE_SFP_LR] = {PORT_FIBRE, ETHTOOL_LINK_MODE_10000baseLR_Full_BIT},
		[IXGBE_SFP_DA] = {PORT_DA, ETHTOOL_LINK_MODE_10000baseCR_Full_BIT},
		[IXGBE_SFP_OTHER] = {PORT_FIBRE, ETHTOOL_LINK_MODE_FIBRE_BIT},
	};

	memset(request->room + sizeof(request->settings), 0,
	       sizeof(request->room) - sizeof(request->settings));
	request->settings.port = shown[sfp].port;
	mode_add(request, ETHTOOL_LINK_MODE_FIBRE_BIT);
	mode_add(request, shown[sfp].mode);
}

int tap_link_set(struct tap *tap, uint32_t speed_mbps, enum ixgbe_sfp sfp)
{
	union request request;
	struct ifreq ifr = {0};
	int err, fd = ethtool_open(tap, &ifr);

	if (fd < 0)
		return fd;
	err = settings_get(fd, &ifr, &request);
	if (!err) {
		/* Zero elsewhere, as in a new TAP: the kernel keeps what others have set. */
		request.settings = (struct ethtool_link_settings){
			.cmd = ETHTOOL_SLINKSETTINGS,
			.speed = speed_mbps ? speed_mbps : (uint32_t)SPEED_UNKNOWN,
			.duplex = speed_mbps ? DUPLEX_FULL : DUPLEX_UNKNOWN,
			.autoneg = AUTONEG_DISABLE,
			.link_mode_masks_nwords = request.settings.link_mode_masks_nwords,
		};
		module_show(&request, sfp);
		err = ethtool(fd, &ifr, &request);
	}
	if (!err)
		err = settings_get(fd, &ifr, &request);
	close(fd);
	if (!err)
		memcpy(tap->link, request.room, sizeof(request.room));
	tap->link_set = !err;
	return err;
}

/* ---- What another program has set ---- */

static const char *duplex_name(uint8_t duplex)
{
	return duplex == DUPLEX_HALF ? "half" : duplex == DUPLEX_FULL ? "full" : "unknown";
}

static const char *port_name(uint8_t port)
{
	static const char *const names[] = {
		[PORT_TP] = "TP",       [PORT_AUI] = "AUI", [PORT_MII] = "MII",
		[PORT_FIBRE] = "FIBRE", [PORT_BNC] = "BNC", [PORT_DA] = "DA",
		[PORT_NONE] = "NONE",
	};

	return port < sizeof(names) / sizeof(names[0]) && names[port] ? names[port] : "other";
}

static void add(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One more item of the list in `text`. */
static void add(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	if (used && size - used > sizeof(", "))
		used += (size_t)snprintf(text + used, size - used, ", ");
	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

/* Lists in what the link settings differ from what we have set. */
static void changes_list(const union request *was, const union request *now, char *text,
			 size_t size)
{
	const struct ethtool_link_settings *a = &was->settings, *b = &now->settings;
	const size_t masks = sizeof(*a);

	text[0] = '\0';
	if (a->speed != b->speed && b->speed == (uint32_t)SPEED_UNKNOWN)
		add(text, size, "speed unknown");
	else if (a->speed != b->speed)
		add(text, size, "speed %u Mbit/s", b->speed);
	if (a->duplex != b->duplex)
		add(text, size, "duplex %s", duplex_name(b->duplex));
	if (a->autoneg != b->autoneg)
		add(text, size, "autonegotiation %s", b->autoneg ? "on" : "off");
	if (a->port != b->port)
		add(text, size, "port %s", port_name(b->port));
	if (memcmp(was->room + masks, now->room + masks, sizeof(was->room) - masks) != 0)
		add(text, size, "modes");
	if (!*text)
		add(text, size, "others than speed, duplex and port");
}

bool tap_link_changed(const struct tap *tap, char *what, size_t size)
{
	union request request, before;
	struct ifreq ifr = {0};
	int err, fd;

	if (!tap->link_set)
		return false;
	fd = ethtool_open(tap, &ifr);
	if (fd < 0)
		return false;
	err = settings_get(fd, &ifr, &request);
	close(fd);
	if (err || !memcmp(tap->link, request.room, sizeof(request.room)))
		return false;
	memcpy(before.room, tap->link, sizeof(before.room));
	changes_list(&before, &request, what, size);
	return true;
}

/* ---- Features ---- */

/* Those that TUNSETOFFLOAD turns on, whatever the administrator had asked for. */
static const char *const offload_features[] = {
	"tx-checksum-ip-generic",  "tx-tcp-segmentation", "tx-tcp6-segmentation",
	"tx-tcp-ecn-segmentation", "tx-udp-segmentation",
};

#define OFFLOAD_FEATURES (sizeof(offload_features) / sizeof(offload_features[0]))
#define FEATURES_MAX     512u

static_assert(OFFLOAD_FEATURES <= 8, "tap_features_off has a bit for each");

/* The kernel numbers features as it likes. Fills in the number of each of ours, -1: none. Returns
 * how many features there are. */
static int feature_numbers(int fd, struct ifreq *ifr, int number[OFFLOAD_FEATURES])
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
	int err = ethtool(fd, ifr, &size);

	for (size_t f = 0; f < OFFLOAD_FEATURES; f++)
		number[f] = -1;
	if (err)
		return err;
	memcpy(&count, size.room + sizeof(size.info), sizeof(count));
	if (!size.info.sset_mask || count > FEATURES_MAX)
		return -ENOTSUP;
	names.strings.len = count;
	err = ethtool(fd, ifr, &names);
	if (err)
		return err;
	for (size_t f = 0; f < OFFLOAD_FEATURES; f++)
		for (uint32_t i = 0; i < count; i++)
			if (!strncmp((char *)names.room + sizeof(names.strings) +
					     (size_t)i * ETH_GSTRING_LEN,
				     offload_features[f], ETH_GSTRING_LEN))
				number[f] = (int)i;
	return (int)count;
}

static int features_get(int fd, struct ifreq *ifr, const int number[OFFLOAD_FEATURES], int count,
			uint8_t *off)
{
	union {
		struct ethtool_gfeatures features;
		uint8_t room[sizeof(struct ethtool_gfeatures) +
			     FEATURES_MAX / 32 * sizeof(struct ethtool_get_features_block)];
	} got = {.features = {.cmd = ETHTOOL_GFEATURES, .size = ((uint32_t)count + 31) / 32}};
	struct ethtool_get_features_block block[FEATURES_MAX / 32];
	int err = ethtool(fd, ifr, &got);

	if (err)
		return err;
	memcpy(block, got.room + sizeof(got.features), sizeof(block));
	*off = 0;
	for (size_t f = 0; f < OFFLOAD_FEATURES; f++)
		if (number[f] >= 0 && !(block[number[f] / 32].requested & 1u << number[f] % 32))
			*off |= (uint8_t)(1u << f);
	return 0;
}

static int features_set(int fd, struct ifreq *ifr, const int number[OFFLOAD_FEATURES], int count,
			uint8_t off)
{
	union {
		struct ethtool_sfeatures features;
		uint8_t room[sizeof(struct ethtool_sfeatures) +
			     FEATURES_MAX / 32 * sizeof(struct ethtool_set_features_block)];
	} set = {.features = {.cmd = ETHTOOL_SFEATURES, .size = ((uint32_t)count + 31) / 32}};
	struct ethtool_set_features_block block[FEATURES_MAX / 32] = {0};

	for (size_t f = 0; f < OFFLOAD_FEATURES; f++)
		if (number[f] >= 0 && off & 1u << f)
			block[number[f] / 32].valid |= 1u << number[f] % 32;
	memcpy(set.room + sizeof(set.features), block, sizeof(block));
	return ethtool(fd, ifr, &set);
}

/* Asks which offloads are off, or turns off those in `*off`. */
static int features(const struct tap *tap, bool set, uint8_t *off)
{
	struct ifreq ifr = {0};
	int number[OFFLOAD_FEATURES];
	int count, err, fd = ethtool_open(tap, &ifr);

	if (fd < 0)
		return fd;
	count = feature_numbers(fd, &ifr, number);
	err = count < 0 ? count
	      : set     ? features_set(fd, &ifr, number, count, *off)
			: features_get(fd, &ifr, number, count, off);
	close(fd);
	return err;
}

int tap_features_get(const struct tap *tap, uint8_t *off)
{
	return features(tap, false, off);
}

int tap_features_off(const struct tap *tap, uint8_t off)
{
	return off ? features(tap, true, &off) : 0;
}

int tap_gro_get(const struct tap *tap, bool *on)
{
	struct ethtool_value request = {.cmd = ETHTOOL_GGRO};
	struct ifreq ifr = {0};
	int err, fd = ethtool_open(tap, &ifr);

	if (fd < 0)
		return fd;
	err = ethtool(fd, &ifr, &request);
	close(fd);
	if (!err)
		*on = request.data;
	return err;
}
