/* SPDX-License-Identifier: MIT */
/* ixtapd: one NIC port as one network interface. */
#include "bridge/keeper/daemon.h"
#include "bridge/service/log.h"
#include "bridge/service/option_table.h"
#include "bridge/start/config.h"
#include "bridge/start/options.h"

int main(int argc, char *argv[])
{
	struct options options;
	struct ixgbe_why why;
	int err;

	options_init(&options);
	err = options_parse(&options, argc, argv, &why);
	if (!err && *options.config)
		err = config_load(&options, options.config, &why);
	if (!err)
		err = options_finish(&options, &why);
	if (err)
		option_usage_exit(&why);
	log_level_set(options.log_level);
	return daemon_run(&options);
}
