/* SPDX-License-Identifier: MIT */
/* TAP interfaces against the kernel, in a network namespace of the test's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/frames/offload.h"
#include "bridge/frames/tap.h"

#define NAME "data-tap0"

static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x42};

static int open_tap(void **state)
{
	static struct tap tap;
	struct ixgbe_why why = {""};

	if (tap_open(&tap, NAME, 1, false, &why) != 0)
		fail_msg("%s", why.text);
	*state = &tap;
	return 0;
}

static int close_tap(void **state)
{
	tap_close(*state);
	return 0;
}

static void set_up(bool up)
{
	struct ifreq ifr = {.ifr_name = NAME};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &ifr), 0);
	ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

/* A raw socket on the interface that also tells what the kernel thinks of checksums. */
static int packet_socket(const struct tap *tap)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_ALL),
				   .sll_ifindex = tap->ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	return fd;
}

/* Bytes of the next frame from a TAP; other programs' frames (IPv6 discovery) are skipped. */
static ssize_t read_frame(int fd, void *buf, size_t size, uint16_t ethertype)
{
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		ssize_t n;

		assert_int_equal(poll(&pfd, 1, 5000), 1);
		n = read(fd, buf, size);
		if (n < 0)
			return -errno;
		if (offload_get_be16((uint8_t *)buf + TAP_VNET_HDR_BYTES + 12) == ethertype)
			return n;
	}
}

static void opens_with_all_settings(void **state)
{
	struct tap *tap = *state;
	struct ifreq ifr = {0};
	int value;

	assert_string_equal(tap->name, NAME);
	assert_int_equal(tap->queues, 1);
	assert_int_equal(tap->ifindex, if_nametoindex(NAME));
	assert_int_equal(tap->fd[1], -1);
	assert_int_equal(ioctl(tap->fd[0], TUNGETIFF, &ifr), 0);
	assert_int_equal(ifr.ifr_flags & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE),
			 IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
	assert_int_equal(ioctl(tap->fd[0], TUNGETVNETHDRSZ, &value), 0);
	assert_int_equal(value, 12);
	assert_true(fcntl(tap->fd[0], F_GETFL) & O_NONBLOCK);
	assert_true(tap->offloads & TUN_F_CSUM);
	assert_true(tap->offloads & TUN_F_TSO4);
}

static void goes_away_when_closed(void **state)
{
	struct ixgbe_why why;
	struct tap tap;

	(void)state;
	assert_int_equal(tap_open(&tap, NAME "x", 4, false, &why), 0);
	assert_int_equal(tap.queues, 4);
	assert_int_not_equal(if_nametoindex(NAME "x"), 0);
	tap_close(&tap);
	assert_int_equal(if_nametoindex(NAME "x"), 0);
}

static void persistent_stays_and_is_found_again(void **state)
{
	struct ixgbe_why why;
	struct tap tap;
	int ifindex;

	(void)state;
	assert_int_equal(tap_open(&tap, NAME "p", 1, true, &why), 0);
	ifindex = tap.ifindex;
	assert_int_equal(tap_mac_set(&tap, mac), 0);
	tap_close(&tap);
	assert_int_equal(if_nametoindex(NAME "p"), ifindex);

	assert_int_equal(tap_open(&tap, NAME "p", 2, false, &why), 0);
	assert_int_equal(tap.ifindex, ifindex);
	tap_close(&tap);
	assert_int_equal(if_nametoindex(NAME "p"), 0);
}

static void refuses_what_is_taken(void **state)
{
	struct ixgbe_why why = {""};
	struct tap tap = {.queues = 77};

	(void)state;
	assert_int_equal(tap_open(&tap, NAME, 1, false, &why), -EBUSY);
	assert_non_null(strstr(why.text, "in use"));
	assert_int_equal(tap.queues, 77); /* untouched */
	assert_int_equal(tap_open(&tap, "lo", 1, false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "no TAP"));
}

static void refuses_a_persistent_one_of_another_kind(void **state)
{
	struct ifreq ifr = {.ifr_name = NAME "s", .ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR);
	struct ixgbe_why why = {""};
	struct tap tap;

	(void)state;
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1ul), 0);
	close(fd);
	assert_int_equal(tap_open(&tap, NAME "s", 1, false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "ip link del"));
	assert_int_not_equal(if_nametoindex(NAME "s"), 0); /* not ours to remove */

	fd = open("/dev/net/tun", O_RDWR);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 0ul), 0);
	close(fd);
}

static void refuses_bad_names(void **state)
{
	static const char *const names[] = {"",    ".",   "..",    "sixteencharacter",
					    "a/b", "a b", "tap%d", "a:b"};
	struct ixgbe_why why;
	struct tap tap;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(tap_open(&tap, names[i], 1, false, &why), -EINVAL);
	assert_int_equal(tap_open(&tap, NAME "q", 0, false, &why), -EINVAL);
	assert_int_equal(tap_open(&tap, NAME "q", 17, false, &why), -EINVAL);
	assert_int_equal(if_nametoindex(NAME "q"), 0);
}

/* As `ip` and `ethtool` see it. */
static bool carrier(void)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
	struct ifreq ifr = {.ifr_name = NAME, .ifr_data = (void *)&value};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	close(fd);
	return value.data;
}

static void carrier_is_off_until_set(void **state)
{
	struct tap *tap = *state;

	set_up(true);
	assert_false(carrier());
	assert_int_equal(tap_carrier_set(tap, true), 0);
	assert_true(carrier());
	assert_int_equal(tap_carrier_set(tap, false), 0);
	assert_false(carrier());
}

/* ethtool_cmd_speed() shifts into the sign. */
static uint32_t speed_of(const struct ethtool_cmd *cmd)
{
	return cmd->speed | (uint32_t)cmd->speed_hi << 16;
}

static void mac_and_speed_show(void **state)
{
	struct ethtool_cmd cmd = {.cmd = ETHTOOL_GSET};
	struct ifreq ifr = {.ifr_name = NAME};
	struct tap *tap = *state;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(tap_mac_set(tap, mac), 0);
	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &ifr), 0);
	assert_memory_equal(ifr.ifr_hwaddr.sa_data, mac, 6);

	assert_int_equal(tap_link_set(tap, 10000, IXGBE_SFP_SR), 0);
	ifr.ifr_data = (void *)&cmd;
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	assert_int_equal(speed_of(&cmd), 10000);
	assert_int_equal(cmd.duplex, DUPLEX_FULL);

	assert_int_equal(tap_link_set(tap, 0, IXGBE_SFP_SR), 0);
	cmd.cmd = ETHTOOL_GSET;
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	assert_int_equal(speed_of(&cmd), (uint32_t)SPEED_UNKNOWN);
	close(fd);
}

static void gro_is_read(void **state)
{
	struct ethtool_value value = {.cmd = ETHTOOL_SGRO};
	struct ifreq ifr = {.ifr_name = NAME, .ifr_data = (void *)&value};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (value.data = 0; value.data < 2; value.data++) {
		bool on = !value.data;

		assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
		assert_int_equal(tap_gro_get(*state, &on), 0);
		assert_int_equal(on, value.data);
	}
	close(fd);
}

static void link_get(struct ethtool_link_settings *settings, size_t size)
{
	struct ifreq ifr = {.ifr_name = NAME, .ifr_data = (void *)settings};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (int i = 0; i < 2; i++) {
		int8_t words = settings->link_mode_masks_nwords;

		memset(settings, 0, size);
		settings->cmd = ETHTOOL_GLINKSETTINGS;
		settings->link_mode_masks_nwords = (int8_t)-words;
		assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	}
	close(fd);
}

static void module_shows(void **state)
{
	static const struct {
		enum ixgbe_sfp sfp;
		uint8_t port;
		int mode;
	} rows[] = {
		{IXGBE_SFP_SR, PORT_FIBRE, ETHTOOL_LINK_MODE_10000baseSR_Full_BIT},
		{IXGBE_SFP_LR, PORT_FIBRE, ETHTOOL_LINK_MODE_10000baseLR_Full_BIT},
		{IXGBE_SFP_DA, PORT_DA, ETHTOOL_LINK_MODE_10000baseCR_Full_BIT},
		{IXGBE_SFP_OTHER, PORT_FIBRE, -1},
		{IXGBE_SFP_NONE, PORT_NONE, -1},
	};
	union {
		struct ethtool_link_settings settings;
		struct {
			struct ethtool_link_settings head;
			uint32_t mask[TAP_LINK_MASKS];
		} whole;
	} got;
	struct tap *tap = *state;
	char what[160];

	assert_false(tap_link_changed(tap, what, sizeof(what)));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int words, bits = 0;

		assert_int_equal(tap_link_set(tap, 10000, rows[i].sfp), 0);
		assert_false(tap_link_changed(tap, what, sizeof(what)));
		memset(&got, 0, sizeof(got));
		link_get(&got.settings, sizeof(got));
		words = (uint8_t)got.settings.link_mode_masks_nwords;
		assert_int_equal(got.settings.port, rows[i].port);
		assert_int_equal(got.settings.speed, 10000);
		for (int w = 0; w < 2 * words; w++)
			bits += __builtin_popcount(got.whole.mask[w]);
		assert_int_equal(bits, rows[i].mode < 0 ? 2 : 4); /* supported and advertised */
		if (rows[i].mode >= 0) {
			assert_true(got.whole.mask[rows[i].mode / 32] & 1u << rows[i].mode % 32);
			assert_true(got.whole.mask[words + rows[i].mode / 32] &
				    1u << rows[i].mode % 32);
		}
		assert_true(got.whole.mask[0] & 1u << ETHTOOL_LINK_MODE_FIBRE_BIT);
	}
}

static void link_settings_of_others_are_seen(void **state)
{
	struct ethtool_cmd cmd = {.cmd = ETHTOOL_GSET};
	struct ifreq ifr = {.ifr_name = NAME, .ifr_data = (void *)&cmd};
	struct tap *tap = *state;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char what[160] = "";

	assert_int_equal(tap_link_set(tap, 10000, IXGBE_SFP_LR), 0);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	cmd.cmd = ETHTOOL_SSET;
	ethtool_cmd_speed_set(&cmd, 2500);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	assert_true(tap_link_changed(tap, what, sizeof(what)));
	assert_non_null(strstr(what, "speed 2500 Mbit/s"));
	assert_int_equal(tap_link_set(tap, 10000, IXGBE_SFP_LR), 0);
	assert_false(tap_link_changed(tap, what, sizeof(what)));
	close(fd);
}

static void all_link_settings_are_put_back(void **state)
{
	struct ethtool_cmd cmd = {.cmd = ETHTOOL_GSET}, before;
	struct ifreq ifr = {.ifr_name = NAME, .ifr_data = (void *)&cmd};
	struct tap *tap = *state;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char what[160] = "";

	assert_int_equal(tap_link_set(tap, 10000, IXGBE_SFP_LR), 0);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	before = cmd;
	cmd.cmd = ETHTOOL_SSET;
	cmd.phy_address = 3;
	cmd.mdio_support = ETH_MDIO_SUPPORTS_C22;
	cmd.eth_tp_mdix_ctrl = ETH_TP_MDI_X;
	cmd.port = PORT_MII;
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	assert_true(tap_link_changed(tap, what, sizeof(what)));
	assert_memory_equal(what, "port MII", strlen("port MII"));
	assert_int_equal(tap_link_set(tap, 10000, IXGBE_SFP_LR), 0);
	cmd = (struct ethtool_cmd){.cmd = ETHTOOL_GSET};
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	assert_memory_equal(&cmd, &before, sizeof(cmd));
	close(fd);
}

/* Returns whether the offload was on. */
static bool tso_set(const char *name, bool on)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GTSO};
	struct ifreq ifr = {.ifr_data = (void *)&value};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool was;

	strcpy(ifr.ifr_name, name);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	was = value.data;
	value = (struct ethtool_value){ETHTOOL_STSO, on};
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	close(fd);
	return was;
}

static void offloads_of_a_persistent_one_stay_off(void **state)
{
	struct ixgbe_why why;
	struct tap tap;

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(tap_open(&tap, NAME "p", 1, round < 2, &why), 0);
		/* On at first, off in the next round, then on again. */
		assert_int_equal(tso_set(NAME "p", round > 0), round != 1);
		tap_close(&tap);
	}
	assert_int_equal(if_nametoindex(NAME "p"), 0);
}

/* ---- What the worker relies on ---- */

static void write_while_down_is_eio(void **state)
{
	uint8_t frame[TAP_VNET_HDR_BYTES + 60] = {0};
	struct tap *tap = *state;

	set_up(false);
	assert_int_equal(write(tap->fd[0], frame, sizeof(frame)), -1);
	assert_int_equal(errno, EIO);
}

static void read_of_an_empty_queue_is_eagain(void **state)
{
	uint8_t frame[TAP_VNET_HDR_BYTES + 60];
	struct tap *tap = *state;

	set_up(true);
	assert_int_equal(tap_carrier_set(tap, true), 0);
	while (read(tap->fd[0], frame, sizeof(frame)) >= 0)
		;
	assert_int_equal(errno, EAGAIN);
}

static void short_read_truncates_silently(void **state)
{
	uint8_t frame[100] = {0}, buf[TAP_VNET_HDR_BYTES + 40];
	struct tap *tap = *state;
	int fd = packet_socket(tap);

	set_up(true);
	tap_carrier_set(tap, true);
	offload_put_be16(frame + 12, 0x88b5);
	/* The queue opens a moment after the carrier. */
	for (int i = 0; i < 500 && send(fd, frame, sizeof(frame), 0) < 0; i++)
		poll(NULL, 0, 10);
	assert_int_equal(read_frame(tap->fd[0], buf, sizeof(buf), 0x88b5), sizeof(buf));
	close(fd);
}

/* The kernel's view of a received UDP frame's checksum, as TP_STATUS_*. */
static uint32_t status_of_write(struct tap *tap, uint8_t vnet_flags)
{
	uint8_t buf[TAP_VNET_HDR_BYTES + 60] = {vnet_flags}, *frame = buf + TAP_VNET_HDR_BYTES;
	uint8_t got[2048], control[256];
	int fd = packet_socket(tap);
	uint32_t status = 0;
	bool found = false;

	memcpy(frame, mac, 6);
	memcpy(frame + 6, (uint8_t[]){2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46}, 12);
	frame[14 + 8] = 64;
	frame[14 + 9] = IPPROTO_UDP;
	memcpy(frame + 14 + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 7, 0, 26, 1, 1}, 16);
	if (vnet_flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		offload_put_le16(buf + VNET_CSUM_START, 34);
		offload_put_le16(buf + VNET_CSUM_OFFSET, 6);
	}
	assert_int_equal(write(tap->fd[0], buf, sizeof(buf)), sizeof(buf));
	while (!found) {
		struct iovec iov = {got, sizeof(got)};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		struct pollfd pfd = {.fd = fd, .events = POLLIN};

		assert_int_equal(poll(&pfd, 1, 5000), 1);
		assert_true(recvmsg(fd, &msg, 0) > 0);
		if (memcmp(got, frame, 14) != 0)
			continue;
		found = true;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
			if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
				status = ((struct tpacket_auxdata *)CMSG_DATA(c))->tp_status;
	}
	close(fd);
	return status;
}

static void data_valid_says_nothing_but_needs_csum_does(void **state)
{
	const uint32_t csum = TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID;
	struct tap *tap = *state;

	set_up(true);
	assert_int_equal(tap_mac_set(tap, mac), 0);
	assert_int_equal(status_of_write(tap, 0) & csum, 0);
	assert_int_equal(status_of_write(tap, VIRTIO_NET_HDR_F_DATA_VALID) & csum, 0);
	assert_int_equal(status_of_write(tap, VIRTIO_NET_HDR_F_NEEDS_CSUM) & csum,
			 TP_STATUS_CSUMNOTREADY);
}

static void kernel_refuses_bad_vnet_headers(void **state)
{
	static const struct {
		const char *what;
		uint8_t vnet[TAP_VNET_HDR_BYTES];
		uint32_t len;
	} cases[] = {
		{"runt", {0}, 13},
		{"hdr_len beyond the frame", {0, 0, 63, 0}, 60},
		{"csum_start beyond the frame", {1, 0, 0, 0, 0, 0, 60, 0, 0, 0}, 60},
		{"unknown gso type", {1, 7, 54, 0, 100, 0, 34, 0, 16, 0}, 60},
	};
	uint8_t buf[TAP_VNET_HDR_BYTES + 60] = {0};
	struct tap *tap = *state;

	set_up(true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(buf, cases[i].vnet, TAP_VNET_HDR_BYTES);
		if (write(tap->fd[0], buf, TAP_VNET_HDR_BYTES + cases[i].len) != -1)
			fail_msg("accepted: %s", cases[i].what);
		assert_int_equal(errno, EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_with_all_settings, open_tap, close_tap),
		cmocka_unit_test(goes_away_when_closed),
		cmocka_unit_test(persistent_stays_and_is_found_again),
		cmocka_unit_test_setup_teardown(refuses_what_is_taken, open_tap, close_tap),
		cmocka_unit_test(refuses_a_persistent_one_of_another_kind),
		cmocka_unit_test(refuses_bad_names),
		cmocka_unit_test_setup_teardown(carrier_is_off_until_set, open_tap, close_tap),
		cmocka_unit_test_setup_teardown(mac_and_speed_show, open_tap, close_tap),
		cmocka_unit_test_setup_teardown(module_shows, open_tap, close_tap),
		cmocka_unit_test_setup_teardown(link_settings_of_others_are_seen, open_tap,
						close_tap),
		cmocka_unit_test_setup_teardown(all_link_settings_are_put_back, open_tap,
						close_tap),
		cmocka_unit_test(offloads_of_a_persistent_one_stay_off),
		cmocka_unit_test_setup_teardown(gro_is_read, open_tap, close_tap),
		cmocka_unit_test_setup_teardown(write_while_down_is_eio, open_tap, close_tap),
		cmocka_unit_test_setup_teardown(read_of_an_empty_queue_is_eagain, open_tap,
						close_tap),
		cmocka_unit_test_setup_teardown(short_read_truncates_silently, open_tap, close_tap),
		cmocka_unit_test_setup_teardown(data_valid_says_nothing_but_needs_csum_does,
						open_tap, close_tap),
		cmocka_unit_test_setup_teardown(kernel_refuses_bad_vnet_headers, open_tap,
						close_tap),
	};

	if (unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("1..0 # SKIP needs root and /dev/net/tun: %s\n", strerror(errno));
		return 0; /* meson's TAP wants no 77 */
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
