/* SPDX-License-Identifier: MIT */
/*
 * What ethtool shows and sets of a TAP: its link.
 *
 * The kernel keeps what any program says of a TAP's link, and does nothing with it.
 */
#include "tap_ethtool.h"

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

#include "bridge/service/printable.h"

static_assert(TAP_LINK_MASKS == 3 * 127, "supported, advertised, link partner: an int8_t counts");

/* The settings and their masks, as the kernel lays them out. */
union request {
	struct ethtool_link_settings settings;
	uint8_t room[sizeof(struct ethtool_link_settings) + TAP_LINK_MASKS * sizeof(uint32_t)];
};

static_assert(sizeof(union request) == sizeof(((struct tap *)0)->link), "tap.h has the room");

/* ---- ethtool's requests ---- */

int tap_ethtool_open(const struct tap *tap, struct ifreq *ifr)
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

int tap_ethtool(int fd, struct ifreq *ifr, void *request)
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
	err = tap_ethtool(fd, ifr, out);
	words = (int8_t)-out->settings.link_mode_masks_nwords;
	if (err || words <= 0)
		return err ? err : -EBADMSG;
	*out = (union request){
		.settings = {.cmd = ETHTOOL_GLINKSETTINGS, .link_mode_masks_nwords = words}};
	return tap_ethtool(fd, ifr, out);
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
	int err, fd = tap_ethtool_open(tap, &ifr);

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
		err = tap_ethtool(fd, &ifr, &request);
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
	char item[64];
	va_list args;

	va_start(args, format);
	vsnprintf(item, sizeof(item), format, args);
	va_end(args);
	printable_list(text, size, item);
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
	fd = tap_ethtool_open(tap, &ifr);
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
