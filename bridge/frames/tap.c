/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * Every queue is one open of /dev/net/tun with TUNSETIFF of the same name. The kernel lets anybody
 * with the rights join a multi-queue TAP that is in use: two programs would share its frames. So
 * tap_open asks how many queues of the interface are attached before it attaches its own, and again
 * afterwards, since another program may have done the same meanwhile. More than ours: it is taken.
 */
#include "tap.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "bridge/service/names.h"
#include "bridge/service/printable.h"
#include "netlink/netlink.h"

#define OTHER_NAME "choose another name with --tap"

/* ---- Who uses an interface ---- */

/* -ENODEV: no such interface. */
static int link_find(const char *name, struct netlink_link *out)
{
	struct netlink *nl;
	int err = netlink_open(&nl);

	if (err)
		return err;
	err = netlink_link_find(nl, name, out);
	netlink_close(nl);
	return err;
}

static int check_free(const char *name, uint32_t ours, struct ixgbe_why *why)
{
	struct netlink_link link;
	int err = link_find(name, &link);

	if (err == -ENODEV && ours == 0)
		return 0;
	if (err)
		return ixgbe_why_fill(why, err, "cannot look up interface %s: %s", name,
				      strerror(-err));
	if (!link.tun && tun_altname_refuse(name, OTHER_NAME, why))
		return -EINVAL;
	if (!link.tun)
		return ixgbe_why_fill(why, -EINVAL,
				      "interface %s exists and is no TAP: " OTHER_NAME, name);
	if (link.tun_queues > ours)
		return ixgbe_why_fill(why, -EBUSY,
				      "TAP %s is in use by another program: stop it or " OTHER_NAME,
				      name);
	return 0;
}

/* ---- Opening ---- */

static int queue_open(const char *name, struct ixgbe_why *why)
{
	char who[sizeof("TAP ") + IFNAMSIZ];
	const struct tun_request request = {
		.name = name,
		.who = who,
		.other = OTHER_NAME,
		.multi_queue = true,
		.header_bytes = TAP_VNET_HDR_BYTES,
	};

	snprintf(who, sizeof(who), "TAP %s", name);
	return tun_open(&request, why);
}

static int check_arguments(const char *name, uint16_t queues, struct ixgbe_why *why)
{
	const char *fault = names_interface_fault(name);

	if (fault)
		return ixgbe_why_fill(why, -EINVAL, "the TAP name '%s' %s", name, fault);
	if (queues == 0 || queues > IXGBE_QUEUES_MAX)
		return ixgbe_why_fill(why, -EINVAL, "%u queues: 1 to %u are possible", queues,
				      IXGBE_QUEUES_MAX);
	return 0;
}

/* Attaches all queues. Nobody may be attached before, and nobody but us afterwards. */
static int open_queues(struct tap *tap, uint16_t queues, struct ixgbe_why *why)
{
	int err = check_free(tap->name, 0, why);

	if (err)
		return err;
	while (tap->queues < queues) {
		int fd = queue_open(tap->name, why);

		if (fd < 0)
			return fd;
		tap->fd[tap->queues++] = fd;
	}
	tap->was_persistent = tun_persists(tap->fd[0]);
	return check_free(tap->name, queues, why);
}

void tap_kept_begin(struct tap *tap)
{
	tun_kept_begin(tap->fd[0], TAP_VNET_HDR_BYTES, &tap->kept);
}

static int attributes_set(struct tap *tap, struct ixgbe_why *why)
{
	int err;

	tap_kept_begin(tap);
	err = tap_offloads_take(tap);
	if (err)
		log_warning("%s: offloads that were turned off by 'ethtool -K' are on again: %s",
			    tap->name, strerror(-err));
	err = tap_carrier_set(tap, false);
	if (!err && ioctl(tap->fd[0], TUNSETPERSIST, (unsigned long)tap->persist) < 0)
		err = -errno;
	if (err)
		return ixgbe_why_fill(why, err, "cannot set TAP %s up: %s", tap->name,
				      strerror(-err));
	tap->ifindex = (int)if_nametoindex(tap->name);
	return 0;
}

int tap_open(struct tap *tap, const char *name, uint16_t queues, bool persist,
	     struct ixgbe_why *why)
{
	struct tap new = {.queues = 0, .persist = persist};
	int err = check_arguments(name, queues, why);

	if (err)
		return err;
	memcpy(new.name, name, strlen(name) + 1);
	for (size_t i = 0; i < IXGBE_QUEUES_MAX; i++)
		new.fd[i] = -1;
	err = open_queues(&new, queues, why);
	if (!err)
		err = attributes_set(&new, why);
	if (err) {
		new.persist = new.queues > 0 && tun_persists(new.fd[0]); /* as it was */
		tap_close(&new);
		return err;
	}
	*tap = new;
	return 0;
}

void tap_close(struct tap *tap)
{
	if (tap->queues > 0)
		ioctl(tap->fd[0], TUNSETPERSIST, (unsigned long)tap->persist);
	while (tap->queues > 0) {
		tap->queues--;
		close(tap->fd[tap->queues]);
		tap->fd[tap->queues] = -1;
	}
}

/* ---- Settings ---- */

int tap_keep(struct tap *tap, char changes[TUN_CHANGES_TEXT])
{
	int err = tun_keep(tap->fd[0], &tap->kept, changes);

	if (err || tun_persists(tap->fd[0]) == tap->persist)
		return err;
	printable_list(changes, TUN_CHANGES_TEXT, tap->persist ? "not persistent" : "persistent");
	return ioctl(tap->fd[0], TUNSETPERSIST, (unsigned long)tap->persist) < 0 ? -errno : 0;
}

int tap_carrier_set(struct tap *tap, bool on)
{
	int carrier = on;

	return ioctl(tap->fd[0], TUNSETCARRIER, &carrier) < 0 ? -errno : 0;
}

int tap_mac_set(struct tap *tap, const uint8_t mac[IXGBE_MAC_BYTES])
{
	struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

	memcpy(ifr.ifr_hwaddr.sa_data, mac, IXGBE_MAC_BYTES);
	return ioctl(tap->fd[0], SIOCSIFHWADDR, &ifr) < 0 ? -errno : 0;
}
