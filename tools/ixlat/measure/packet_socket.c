/* SPDX-License-Identifier: MIT */
#include "packet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"
#include "tools/ixtap/output.h"

/* Reads the interface's address, MTU and kind: 0, or -errno. */
static int look_at(int fd, const char *interface, uint8_t mac[6], unsigned int *mtu, bool *ethernet)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	*mtu = (unsigned int)request.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	*ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
		    request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	return 0;
}

/*
 * Gives the socket its protocol together with its interface. A packet socket that has a protocol
 * and no interface receives from all of them.
 */
static int bind_to(int fd, const char *interface)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(PROBE_ETHERTYPE),
		.sll_ifindex = (int)if_nametoindex(interface),
	};

	if (!address.sll_ifindex ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

int packet_socket_open(const char *interface, bool nonblocking, uint8_t mac[6], unsigned int *mtu)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
	bool ethernet = false;
	int err;

	if (fd < 0) {
		fail("cannot open a packet socket: %s%s", strerror(errno),
		     errno == EPERM ? "; raw needs root or CAP_NET_RAW" : "");
		return -1;
	}
	err = look_at(fd, interface, mac, mtu, &ethernet);
	if (!err && ethernet)
		err = bind_to(fd, interface);
	if (!err && ethernet)
		return fd;
	if (err)
		fail("cannot use the interface %s: %s%s", interface, strerror(-err),
		     err == -ENODEV     ? "; see 'ip link'"
		     : err == -ENETDOWN ? "; set it up first: ip link set up"
					: "");
	else
		fail("the interface %s is no Ethernet interface", interface);
	close(fd);
	return -1;
}
