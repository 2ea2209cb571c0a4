/* SPDX-License-Identifier: MIT */
/*
 * bridge: one NIC port as one network interface.
 *
 * Four processes. ixtapd is the keeper: it has the device, the TAP, netlink and the control
 * socket. While a driver runs it touches no register but those that a driver has it relay. It
 * executes ixtap-driver as the spawner, which isolates itself and forks drivers. A driver moves the
 * frames, and may die at any instruction: the next one goes on with the same rings. The maker
 * executes what the keeper may not execute once it has given up its rights.
 *
 *     keeper ── orders, socket ──► driver ──► registers, rings, TAP
 *        ▲ ───── report ──────────── │
 *        ├── pidfd ── spawner ── fork┘
 *        └── requests ── maker ── exec: spawner, ixnic
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     ixtapd.c         the keeper's program
 *     ixtap_driver.c   the program of spawner and driver
 *       |
 *     keeper/          interface, control socket, supervision
 *       |
 *     engine/          the NIC as the keeper has it
 *       |
 *     interface/       the TAP, its namespace, netlink; what it had, and what it shows
 *       |
 *     driver/          the driver's life, and what both processes share
 *     start/           options: command line and file
 *       |
 *     frames/          frames between the TAP and the NIC's rings
 *     making/          processes are made for a keeper that may make none
 *       |
 *     spawn/           processes that drive, and hold nothing they could misuse
 *       |
 *     service/         log, control socket, clock
 */
#include "bridge/keeper/daemon.h"
#include "bridge/keeper/heir.h"
#include "bridge/keeper/upgrade.h"
#include "bridge/service/log.h"
#include "bridge/service/option_table.h"
#include "bridge/service/outlet.h"
#include "bridge/start/config.h"
#include "bridge/start/options.h"

int main(int argc, char *argv[])
{
	struct upgrade_order order;
	struct options options;
	json_t *handover = NULL;
	struct ixgbe_why why;
	int err;

	if (maker_is(argc, argv))
		maker_main();
	upgrade_words(&argc, &argv, &order);
	options_init(&options);
	err = options_parse(&options, argc, argv, &why);
	if (!err && *options.config)
		err = config_load(&options, options.config, &why);
	if (!err)
		err = options_finish(&options, &why);
	if (!err && options.isolation == ISOLATION_REQUIRE)
		outlet_user_changes();
	if (!err && order.mode == UPGRADE_CHECK)
		return upgrade_answer(&options, order.fd);
	if (order.mode != UPGRADE_NONE) {
		handover = upgrade_take(order.fd, err ? NULL : &why);
		if (err && handover && order.mode == UPGRADE_GO)
			upgrade_go_back(handover, argv, &why);
	}
	if (err || (order.mode != UPGRADE_NONE && !handover))
		option_usage_exit(&why);
	log_level_set(options.log_level);
	if (order.mode == UPGRADE_NONE) {
		handover = heir_take(&options);
		order.mode = handover ? UPGRADE_INHERIT : UPGRADE_NONE;
	}
	return daemon_run(&options, argv, order, handover);
}
