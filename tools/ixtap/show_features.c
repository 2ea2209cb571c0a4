/* SPDX-License-Identifier: MIT */
/* ixtap features: what is done to received frames before the kernel has them, and sets it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/service/control.h"
#include "ixtap.h"

static void put_feature(const char *name, const char *value, const char *text)
{
	put(COLOUR_NONE, "  %-9s %-4s", name, value);
	put(COLOUR_DIM, " %s", text);
	put(COLOUR_NONE, "\n");
}

static const char *on_off(const json_t *answer, const char *name)
{
	return member_true(answer, name) ? "on" : "off";
}

static void put_features(const json_t *answer)
{
	const char *rx = member_text(answer, "rx");

	put_feature("rx", rx,
		    strcmp(rx, "off") == 0  ? "every frame has the checksums it had on the wire"
		    : strcmp(rx, "on") == 0 ? "merged frames come without checksums"
					    : "merged and long frames come without checksums");
	put_feature("gro", on_off(answer, "gro"), "as set by ethtool -K");
	put_feature("coalesce", on_off(answer, "coalesce"), "as ixtapd was started");
	put_feature("merging", on_off(answer, "merging"),
		    member_true(answer, "merging")
			    ? "received TCP frames are merged"
			    : "received TCP frames are not merged: one of the above is off");
}

int ixtap_features(const struct ixtap *cli)
{
	char request[CONTROL_REQUEST_MAX] = "features";
	json_t *answer;
	int fd;

	if (cli->feature && snprintf(request, sizeof(request), "features %s %s", cli->feature,
				     cli->value) >= (int)sizeof(request)) {
		fail("a feature and its value are short words");
		return 1;
	}
	fd = client_connect(cli);
	if (fd < 0)
		return 1;
	answer = client_request(fd, request);
	close(fd);
	return client_show(cli, answer, put_features);
}
