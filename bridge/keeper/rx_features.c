/* SPDX-License-Identifier: MIT */
/*
 * What is done to received frames before the kernel has them: checksums, and merging.
 *
 * Three settings decide. --coalesce is fixed. Our own "rx" is set at the start and by 'ixtap
 * features': the rx-checksumming of a TAP is fixed to off, and nobody can set that. "gro" is the
 * interface's, set by 'ethtool -K'. Kernels tell of such changes as of any change of a link, so
 * gro is read whenever the interface may have changed, and at each tick.
 *
 * The kernel's receive offload is not used by a TAP: our merging is what "gro" can mean. Merged
 * frames carry no checksums, so there are none with rx off; in-kernel drivers have the same rule.
 */
#include "bridge/service/log.h"
#include "rx_features.h"
#include "publish.h"

bool rx_features_merging(const struct daemon *daemon)
{
	return daemon->options->coalesce && daemon->gro &&
	       daemon->rx_checksum != OPTIONS_RX_CHECKSUM_OFF;
}

static void apply(struct daemon *daemon)
{
	engine_receive_set(&daemon->engine, rx_features_merging(daemon),
			   daemon->rx_checksum == OPTIONS_RX_CHECKSUM_ALL);
}

static void changed(struct daemon *daemon)
{
	const char *rx = options_rx_checksum_name(daemon->rx_checksum);

	apply(daemon);
	log_info("%s: rx %s, gro %s: received TCP frames are %smerged", daemon->iface.tap.name, rx,
		 daemon->gro ? "on" : "off", rx_features_merging(daemon) ? "" : "not ");
	publish_event(daemon, json_pack("{s:s,s:s,s:b,s:b}", "event", "features", "rx", rx, "gro",
					daemon->gro, "merging", rx_features_merging(daemon)));
}

void rx_features_start(struct daemon *daemon, enum options_rx_checksum rx)
{
	daemon->rx_checksum = rx;
	daemon->gro = true;
	/* Where it cannot be read, nobody can have set it. */
	(void)tap_gro_get(&daemon->iface.tap, &daemon->gro);
	apply(daemon);
}

void rx_features_follow(struct daemon *daemon)
{
	bool gro = daemon->gro;

	if (!daemon->iface.reachable || tap_gro_get(&daemon->iface.tap, &gro) || gro == daemon->gro)
		return;
	daemon->gro = gro;
	changed(daemon);
}

void rx_features_set(struct daemon *daemon, enum options_rx_checksum rx)
{
	if (rx == daemon->rx_checksum)
		return;
	daemon->rx_checksum = rx;
	changed(daemon);
}
