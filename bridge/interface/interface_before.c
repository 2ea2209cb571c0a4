/* SPDX-License-Identifier: MIT */
/*
 * What a persistent interface has from before is the truth for all that no option names. Its
 * neighbours know its MAC address, be that of the NIC that was there or of the administrator.
 *
 * A new TAP has a random MAC address, which nobody chose. Only sysfs tells such an address from one
 * that somebody set. A mount of sysfs shows the interfaces of one network namespace, so this file
 * makes a mount for the thread's own, which no other process sees. Without the right to do so it
 * reads /sys, which may be for another namespace. Where nothing can be read, the address counts as
 * chosen.
 */
#include "interface_before.h"

#include <fcntl.h>
#include <linux/netdevice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "bridge/service/names.h"

/* The directory "class" of the thread's network namespace, or -1. */
static int sysfs_open(void)
{
	int fd = -1, fs = fsopen("sysfs", FSOPEN_CLOEXEC);

	if (fs >= 0 && !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (fs >= 0)
		close(fs);
	return fd >= 0 ? fd : open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The first line of an attribute of the interface; "": none. */
static void attribute_read(int sysfs, const char *ifname, const char *attribute, char text[32])
{
	char path[64];
	ssize_t bytes = -1;
	int fd;

	snprintf(path, sizeof(path), "class/net/%s/%s", ifname, attribute);
	fd = openat(sysfs, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		bytes = read(fd, text, 31);
		close(fd);
	}
	text[bytes > 0 ? bytes : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static bool made_up(const struct interface *iface)
{
	char address[32] = "", type[32] = "", mac[NAMES_MAC_TEXT];
	int sysfs = sysfs_open();

	if (sysfs < 0)
		return false;
	attribute_read(sysfs, iface->tap.name, "address", address);
	attribute_read(sysfs, iface->tap.name, "addr_assign_type", type);
	close(sysfs);
	/* Another namespace may have an interface of that name. */
	return !strcmp(address, names_mac_format(iface->link.mac, mac)) && *type &&
	       atoi(type) == NET_ADDR_RANDOM;
}

void interface_before_mac(const struct interface *iface, const struct options *options,
			  uint8_t mac[IXGBE_MAC_BYTES])
{
	char text[NAMES_MAC_TEXT];

	if (options->mac_given) {
		memcpy(mac, options->mac, IXGBE_MAC_BYTES);
		return;
	}
	if (!iface->tap.was_persistent || made_up(iface) ||
	    !memcmp(mac, iface->link.mac, IXGBE_MAC_BYTES))
		return;
	memcpy(mac, iface->link.mac, IXGBE_MAC_BYTES);
	log_info("%s: keeps its MAC address %s, which is not the NIC's own", iface->tap.name,
		 names_mac_format(mac, text));
}
