/* SPDX-License-Identifier: MIT */
#include "peer_maps.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#define LINES_MAX 20000u /* of a process that wants us to read for ever */

bool peer_maps_private_only(pid_t pid, dev_t dev, ino_t ino)
{
	bool private = false;
	char path[32], line[512];
	FILE *maps;

	if (pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	for (uint32_t n = 0; n < LINES_MAX && fgets(line, sizeof(line), maps); n++) {
		unsigned long long inode;
		unsigned major_no, minor_no;
		char shared;

		/* START-END rwxs OFFSET MAJOR:MINOR INODE PATH; the rest of a long line matches
		 * nothing. */
		if (sscanf(line, "%*x-%*x %*3c%c %*x %x:%x %llu", &shared, &major_no, &minor_no,
			   &inode) != 4 ||
		    inode != ino || major_no != major(dev) || minor_no != minor(dev))
			continue;
		if (shared == 's') {
			private = false;
			break;
		}
		private = true;
	}
	fclose(maps);
	return private;
}
