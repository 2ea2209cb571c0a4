/* SPDX-License-Identifier: MIT */
/*
 * netlink/ against the real kernel, in a network namespace of its own with one TAP. Without the
 * privilege to make one, all tests are skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "netlink/netlink.h"

static const uint8_t mac_a[6] = {0x02, 0, 0, 0, 0, 0xaa};
#define SET_MAC_A "ip link set dev nl0 address 02:00:00:00:00:aa"

/* ---- What the monitor said ---- */

struct heard {
	struct netlink_link link;
	unsigned links, gone, addresses, addresses_gone, multicasts, resyncs;
	struct netlink_prefix address; /* the last one */
};

static void hear(void *ctx, const struct netlink_event *event)
{
	struct heard *heard = ctx;

	switch (event->type) {
	case NETLINK_EVENT_LINK:
		heard->link = event->link;
		heard->links++;
		break;
	case NETLINK_EVENT_LINK_GONE:
		heard->gone++;
		break;
	case NETLINK_EVENT_ADDRESS:
		heard->address = event->address;
		heard->addresses++;
		break;
	case NETLINK_EVENT_ADDRESS_GONE:
		heard->address = event->address;
		heard->addresses_gone++;
		break;
	case NETLINK_EVENT_MULTICAST:
		heard->multicasts++;
		break;
	case NETLINK_EVENT_RESYNC:
		heard->resyncs++;
		break;
	}
}

struct fixture {
	int tap;
	struct netlink *nl;
	struct netlink_link link;
	struct netlink_monitor *monitor;
	struct heard heard;
};

/* Dispatches until `condition` holds; fails after 5 s. */
#define hear_until(f, condition)                                                                   \
	do {                                                                                       \
		for (unsigned turn = 0; !(condition); turn++) {                                    \
			struct pollfd pfd = {netlink_monitor_fd((f)->monitor), POLLIN, 0};         \
			assert_true(turn < 500);                                                   \
			poll(&pfd, 1, 10);                                                         \
			assert_int_equal(netlink_monitor_dispatch((f)->monitor), 0);               \
		}                                                                                  \
	} while (0)

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	assert_non_null(f);
	f->tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (f->tap < 0) {
		free(f);
		return -1;
	}
	snprintf(request.ifr_name, sizeof(request.ifr_name), "nl0");
	assert_int_equal(ioctl(f->tap, TUNSETIFF, &request), 0);
	assert_int_equal(netlink_open(&f->nl), 0);
	assert_int_equal(netlink_link_find(f->nl, "nl0", &f->link), 0);
	assert_int_equal(netlink_monitor_open(f->link.ifindex, hear, &f->heard, &f->monitor), 0);
	hear_until(f, f->heard.links > 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	netlink_monitor_close(f->monitor);
	netlink_close(f->nl);
	close(f->tap);
	free(f);
	return 0;
}

/* ---- What the administrator does besides ---- */

static void run(const char *command)
{
	int status = system(command);

	if (status != 0)
		fail_msg("'%s' ended with %d", command, status);
}

/* ---- Text ---- */

static void test_prefix_text(void **state)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{"192.0.2.1/24", "192.0.2.1/24"},     {"192.0.2.1", "192.0.2.1/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},           {"2001:db8::1/64", "2001:db8::1/64"},
		{"2001:DB8:0::1", "2001:db8::1/128"},
	};
	static const char *const bad[] = {
		"",
		"/24",
		"192.0.2/24",
		"192.0.2.1/33",
		"192.0.2.1/",
		"192.0.2.1/-1",
		"192.0.2.1/24x",
		"192.0.2.1/ 24",
		"2001:db8::/129",
		"fe80::1%eth0/64",
		"192.0.2.1/0000000000024",
		"host/24",
		"2001:db8:1:2:3:4:5:6:7/64",
		"1234:1234:1234:1234:1234:1234:1234:1234:1234:1234:1234:1234/64",
	};
	struct netlink_prefix prefix;
	char text[NETLINK_PREFIX_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(netlink_prefix_parse(good[i].in, &prefix), 0);
		netlink_prefix_format(&prefix, text);
		assert_string_equal(text, good[i].out);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (netlink_prefix_parse(bad[i], &prefix) != -EINVAL)
			fail_msg("\"%s\" was taken for an address", bad[i]);
}

/* ---- Objects ---- */

static void test_link_changes(void **state)
{
	struct fixture *f = *state;
	struct netlink_link link;
	int index = f->link.ifindex;

	run(SET_MAC_A);
	assert_int_equal(netlink_link_set_mtu(f->nl, index, 9000), 0);
	assert_int_equal(netlink_link_set_up(f->nl, index, true), 0);
	assert_int_equal(netlink_link_get(f->nl, index, &link), 0);
	assert_string_equal(link.name, "nl0");
	assert_memory_equal(link.mac, mac_a, sizeof(mac_a));
	assert_int_equal(link.mtu, 9000);
	assert_true(link.flags & IFF_UP);

	assert_int_equal(netlink_link_set_up(f->nl, index, false), 0);
	run("ip link set dev nl0 name nl1");
	assert_int_equal(netlink_link_find(f->nl, "nl1", &link), 0);
	assert_int_equal(link.ifindex, index);
	assert_false(link.flags & IFF_UP);
	assert_int_equal(netlink_link_find(f->nl, "nl0", &link), -ENODEV);
}

static void test_link_kinds(void **state)
{
	struct fixture *f = *state;
	struct ifreq request = {.ifr_name = "nl2", .ifr_flags = IFF_TAP | IFF_MULTI_QUEUE};
	struct netlink_link link;
	int fd[2];

	assert_true(f->link.tun);
	assert_int_equal(f->link.tun_queues, 0); /* not IFF_MULTI_QUEUE */
	assert_int_equal(netlink_link_find(f->nl, "lo", &link), 0);
	assert_false(link.tun);
	assert_int_equal(link.tun_queues, 0);

	for (size_t i = 0; i < 2; i++) {
		fd[i] = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
		assert_int_equal(ioctl(fd[i], TUNSETIFF, &request), 0);
	}
	/* A queue that is switched off is attached still. */
	request.ifr_flags = IFF_DETACH_QUEUE;
	assert_int_equal(ioctl(fd[1], TUNSETQUEUE, &request), 0);
	assert_int_equal(netlink_link_find(f->nl, "nl2", &link), 0);
	assert_true(link.tun);
	assert_int_equal(link.tun_queues, 2);
	for (size_t i = 0; i < 2; i++)
		close(fd[i]);
}

/* netlink_open when no descriptor may be opened any more. */
static int open_without_room(void)
{
	struct rlimit before, none;
	struct netlink *nl;
	int err;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = netlink_open(&nl);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	return err;
}

static void test_link_errors(void **state)
{
	struct fixture *f = *state;
	struct netlink_link link = {.ifindex = 77};

	assert_int_equal(netlink_link_get(f->nl, 0, &link), -ENODEV);
	assert_int_equal(netlink_link_get(f->nl, 99999, &link), -ENODEV);
	assert_int_equal(netlink_link_find(f->nl, "a-name-that-is-too-long", &link), -ENODEV);
	assert_int_equal(link.ifindex, 77);
	assert_int_not_equal(netlink_link_set_mtu(f->nl, f->link.ifindex, 1), 0);
	assert_int_equal(open_without_room(), -EMFILE);
	/* An error must not leave an answer behind that a later call takes for its own. */
	assert_int_equal(netlink_link_get(f->nl, f->link.ifindex, &link), 0);
	assert_int_equal(link.ifindex, f->link.ifindex);
}

static struct netlink_prefix prefix_of(const char *text)
{
	struct netlink_prefix prefix;

	assert_int_equal(netlink_prefix_parse(text, &prefix), 0);
	return prefix;
}

static void test_addresses(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {"192.0.2.1/24", "2001:db8::1/64"};
	static const char *const remove[] = {"ip address del 192.0.2.1/24 dev nl0",
					     "ip address del 2001:db8::1/64 dev nl0"};

	for (size_t i = 0; i < 2; i++) {
		struct netlink_prefix prefix = prefix_of(texts[i]);
		char said[NETLINK_PREFIX_TEXT];

		f->heard = (struct heard){0};
		assert_int_equal(netlink_address_add(f->nl, f->link.ifindex, &prefix), 0);
		assert_int_equal(netlink_address_add(f->nl, f->link.ifindex, &prefix), 0);
		hear_until(f, f->heard.addresses > 0);
		netlink_prefix_format(&f->heard.address, said);
		assert_string_equal(said, texts[i]);
		run(remove[i]);
		hear_until(f, f->heard.addresses_gone > 0);
	}
}

/* ---- The monitor ---- */

static void test_monitor_hears_changes(void **state)
{
	struct fixture *f = *state;
	int index = f->link.ifindex;

	assert_int_equal(f->heard.link.ifindex, index);
	assert_int_equal(netlink_link_set_mtu(f->nl, index, 2000), 0);
	hear_until(f, f->heard.link.mtu == 2000);
	run(SET_MAC_A);
	hear_until(f, memcmp(f->heard.link.mac, mac_a, sizeof(mac_a)) == 0);
	assert_int_equal(netlink_link_set_up(f->nl, index, true), 0);
	hear_until(f, f->heard.link.flags & IFF_UP);
	assert_int_equal(ioctl(f->tap, TUNSETCARRIER, &(int){0}), 0);
	hear_until(f, !(f->heard.link.flags & IFF_RUNNING));
	run("ip link del dev nl0");
	hear_until(f, f->heard.gone > 0);
	/* and asked anew, it says so again, and not that there is a link */
	f->heard = (struct heard){0};
	assert_int_equal(netlink_monitor_resync(f->monitor), 0);
	hear_until(f, f->heard.gone > 0);
	assert_int_equal(f->heard.links, 0);
	assert_int_equal(f->heard.resyncs, 1);
}

static void test_monitor_hears_only_its_link(void **state)
{
	struct fixture *f = *state;
	struct netlink_link lo;
	unsigned before = f->heard.links;

	assert_int_equal(netlink_link_find(f->nl, "lo", &lo), 0);
	assert_int_equal(netlink_link_set_up(f->nl, lo.ifindex, true), 0);
	assert_int_equal(netlink_link_set_mtu(f->nl, f->link.ifindex, 1400), 0);
	hear_until(f, f->heard.link.mtu == 1400);
	assert_int_equal(f->heard.link.ifindex, f->link.ifindex);
	assert_true(f->heard.links >= before + 1);
	netlink_link_set_up(f->nl, lo.ifindex, false);
}

/* tcpdump's way: a packet socket, which does not show in the flags. */
static void test_promiscuity_of_a_capture(void **state)
{
	struct fixture *f = *state;
	int capture = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct {
		int ifindex;
		unsigned short type, length;
		unsigned char address[8];
	} membership = {f->link.ifindex, 1 /* PACKET_MR_PROMISC */, 0, {0}};

	assert_true(capture >= 0);
	assert_int_equal(netlink_link_set_up(f->nl, f->link.ifindex, true), 0);
	assert_int_equal(setsockopt(capture, 263 /* SOL_PACKET */, 1 /* PACKET_ADD_MEMBERSHIP */,
				    &membership, sizeof(membership)),
			 0);
	hear_until(f, f->heard.link.promiscuity == 1);
	assert_false(f->heard.link.flags & IFF_PROMISC);
	close(capture);
	hear_until(f, f->heard.link.promiscuity == 0);
}

/* How many different groups of nl0 begin with 03; the kernel adds and drops its own meanwhile. */
static int ours_of(struct netlink *nl)
{
	uint8_t groups[400][NETLINK_MAC_BYTES];
	bool seen[1 << 16] = {false};
	size_t count = 400;
	int ours = 0;

	assert_int_equal(netlink_multicast_groups(nl, "nl0", groups, &count), 0);
	for (size_t i = 0; i < count; i++) {
		unsigned int which = groups[i][4] << 8 | groups[i][5];

		ours += groups[i][0] == 0x03 && !seen[which];
		seen[which] |= groups[i][0] == 0x03;
	}
	return ours;
}

static void test_multicast_groups(void **state)
{
	struct fixture *f = *state;
	uint8_t groups[32][NETLINK_MAC_BYTES];
	static const uint8_t all_hosts[6] = {0x01, 0, 0x5e, 0, 0, 1};
	size_t count = 32;
	bool found = false;

	assert_int_equal(netlink_link_set_up(f->nl, f->link.ifindex, true), 0);
	assert_int_equal(netlink_multicast_groups(f->nl, "nl0", groups, &count), 0);
	for (size_t i = 0; i < count; i++)
		found |= memcmp(groups[i], all_hosts, sizeof(all_hosts)) == 0;
	assert_true(found);
	assert_true(count > 1);

	size_t room = 1;
	assert_int_equal(netlink_multicast_groups(f->nl, "nl0", groups, &room), -ENOSPC);
	assert_true(room > 1);
	room = 32;
	assert_int_equal(netlink_multicast_groups(f->nl, "nl", groups, &room),
			 0); /* no prefix match */
	assert_int_equal(room, 0);

	/* Each call reads it anew, however long it is: 300 groups are more than three pages. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	for (int i = 0; i < 300; i++) {
		const struct packet_mreq group = {
			.mr_ifindex = f->link.ifindex,
			.mr_type = PACKET_MR_MULTICAST,
			.mr_alen = NETLINK_MAC_BYTES,
			.mr_address = {0x03, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i},
		};
		assert_int_equal(
			setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof(group)),
			0);
	}
	assert_int_equal(ours_of(f->nl), 300);
	close(fd);
	assert_int_equal(ours_of(f->nl), 0);
}

/* What the bridge relies on: a TAP's further addresses make it promiscuous, once and silently. */
static void test_unicast_addresses(void **state)
{
	struct fixture *f = *state;
	struct netlink_link link;
	uint8_t macs[4][NETLINK_MAC_BYTES];
	size_t count = 4;

	assert_int_equal(netlink_link_set_up(f->nl, f->link.ifindex, true), 0);
	assert_int_equal(netlink_unicast_addresses(f->nl, f->link.ifindex, macs, &count), 0);
	assert_int_equal(count, 0);

	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	for (uint8_t i = 0; i < 4; i++) { /* the zero address is one of them */
		const struct packet_mreq address = {
			.mr_ifindex = f->link.ifindex,
			.mr_type = PACKET_MR_UNICAST,
			.mr_alen = NETLINK_MAC_BYTES,
			.mr_address = {(uint8_t)(i ? 2 : 0), 0, 0, 0, 0, i},
		};
		assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &address,
					    sizeof(address)),
				 0);
	}
	count = 4;
	assert_int_equal(netlink_unicast_addresses(f->nl, f->link.ifindex, macs, &count), 0);
	assert_int_equal(count, 3);
	for (uint8_t i = 0; i < 3; i++)
		assert_memory_equal(macs[i], ((uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(i + 1)}), 6);
	count = 2;
	assert_int_equal(netlink_unicast_addresses(f->nl, f->link.ifindex, macs, &count), -ENOSPC);
	assert_int_equal(count, 3);
	count = 2;
	assert_int_equal(netlink_unicast_addresses(f->nl, f->link.ifindex + 1, macs, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(netlink_link_get(f->nl, f->link.ifindex, &link), 0);
	assert_int_equal(link.promiscuity, 1);
	close(fd);
	assert_int_equal(netlink_link_get(f->nl, f->link.ifindex, &link), 0);
	assert_int_equal(link.promiscuity, 0);
}

static void test_carrier(void **state)
{
	struct fixture *f = *state;
	struct netlink_link link;

	for (int on = 0; on < 2; on++) {
		assert_int_equal(ioctl(f->tap, TUNSETCARRIER, &on), 0);
		assert_int_equal(netlink_link_get(f->nl, f->link.ifindex, &link), 0);
		assert_int_equal(link.carrier, on);
		assert_false(link.bridge_port);
	}
}

/* More changes than any socket buffer holds, unread: the state must be right afterwards. */
static void test_monitor_recovers_from_lost_events(void **state)
{
	struct fixture *f = *state;
	int small = 1;

	assert_int_equal(setsockopt(netlink_monitor_fd(f->monitor), SOL_SOCKET, SO_RCVBUF, &small,
				    sizeof(small)),
			 0);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(netlink_link_set_mtu(f->nl, f->link.ifindex, 1500 + i), 0);
	struct netlink_prefix prefix = prefix_of("192.0.2.9/24");
	assert_int_equal(netlink_address_add(f->nl, f->link.ifindex, &prefix), 0);
	hear_until(f, f->heard.resyncs > 0 && f->heard.link.mtu == 1699 && f->heard.addresses > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix_text),
		cmocka_unit_test_setup_teardown(test_link_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor_hears_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor_hears_only_its_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_promiscuity_of_a_capture, setup, teardown),
		cmocka_unit_test_setup_teardown(test_multicast_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unicast_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_carrier, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor_recovers_from_lost_events, setup,
						teardown),
	};

	/* The namespace goes with the process. */
	if (unshare(CLONE_NEWNET) < 0) {
		printf("1..0 # SKIP needs CAP_SYS_ADMIN for a network namespace\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
