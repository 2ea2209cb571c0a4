/* SPDX-License-Identifier: MIT */
/* ixtapd: one NIC port as one network interface. */
#include "daemon.h"
#include "bridge/service/log.h"
#include "bridge/start/options.h"

int main(int argc, char *argv[])
{
	struct options options;

	/* Does not return on an error. */
	options_parse(&options, argc, argv, 0);
	log_level_set(options.log_level);
	return daemon_run(&options);
}
