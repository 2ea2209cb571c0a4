/* SPDX-License-Identifier: MIT */
/* --pcap: every frame that passes the connector, in either direction, into a file. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire.h"

#define SNAPSHOT_BYTES 65536

struct capture {
	pcap_t *pcap;
	pcap_dumper_t *file;
	bool dirty;
	uint8_t frame[SNAPSHOT_BYTES]; /* one that came in two parts */
};

int capture_new(struct nic *nic, const char *path, struct ixgbe_why *why)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	int err;

	if (!capture)
		return ixgbe_why_fill(why, -ENOMEM, "capture %s: no memory", path);
	capture->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAPSHOT_BYTES,
							     PCAP_TSTAMP_PRECISION_NANO);
	errno = 0;
	capture->file = capture->pcap ? pcap_dump_open(capture->pcap, path) : NULL;
	if (capture->file) {
		nic->capture = capture;
		return 0;
	}
	err = errno ? -errno : -EIO;
	ixgbe_why_fill(why, err, "capture %s: cannot write it: %s", path, strerror(-err));
	if (capture->pcap)
		pcap_close(capture->pcap);
	free(capture);
	return err;
}

void capture_free(struct nic *nic)
{
	struct capture *capture = nic->capture;

	if (!capture)
		return;
	pcap_dump_close(capture->file);
	pcap_close(capture->pcap);
	free(capture);
	nic->capture = NULL;
}

void capture_frame(struct nic *nic, const struct frame *frame)
{
	struct capture *capture = nic->capture;
	struct pcap_pkthdr header;
	const uint8_t *data = frame->head;
	struct timespec now;

	if (!capture)
		return;
	header.len = frame->head_len + frame->body_len;
	header.caplen = header.len < SNAPSHOT_BYTES ? header.len : SNAPSHOT_BYTES;
	if (frame->body_len && frame->head_len < header.caplen) {
		memcpy(capture->frame, frame->head, frame->head_len);
		memcpy(capture->frame + frame->head_len, frame->body,
		       header.caplen - frame->head_len);
		data = capture->frame;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	header.ts.tv_sec = now.tv_sec;
	header.ts.tv_usec = now.tv_nsec; /* nanoseconds, as the file says */
	pcap_dump((u_char *)capture->file, &header, data);
	capture->dirty = true;
}

void capture_flush(struct nic *nic)
{
	if (!nic->capture || !nic->capture->dirty)
		return;
	pcap_dump_flush(nic->capture->file);
	nic->capture->dirty = false;
}
