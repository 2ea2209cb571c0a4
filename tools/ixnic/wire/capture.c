/* SPDX-License-Identifier: MIT */
/* --pcap: every frame that passes the connector, in either direction, into a file. */
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "bridge/service/path_walk.h"
#include "wire.h"

#define SNAPSHOT_BYTES 65536

#define NO_REGULAR_FILE "it is no regular file; for a program that reads, use tcpdump on the wire"

struct capture {
	pcap_t *pcap;
	pcap_dumper_t *file;           /* NULL: it could not be written any more */
	int64_t whole;                 /* bytes of the file that end with a whole record */
	uint64_t frames;               /* handed to the file since then */
	int err;                       /* errno of the first of them that could not be written */
	uint8_t frame[SNAPSHOT_BYTES]; /* one that came in two parts */
};

/*
 * A file of our own, or -errno. As dumpcap has it: others may not read what was on the wire (0600;
 * a file that was there keeps its mode), and no name that others can put there leads elsewhere. A
 * link is refused, and a file of another owner or with a second name. A pipe or a device would make
 * the frames wait for whoever is at its other end.
 */
static int file_open(const char *path, struct ixgbe_why *why)
{
	struct ixgbe_why reason;
	struct path_end end;
	struct stat st;
	int fd, err = path_walk(path, PATH_WRITE_OURS, &end, &reason);

	if (!err) {
		fd = path_open(&end, O_WRONLY | O_CREAT | O_NONBLOCK, 0600, &reason);
		close(end.folder);
		if (fd < 0)
			err = fd;
		else if (fstat(fd, &st) || (S_ISREG(st.st_mode) && ftruncate(fd, 0)))
			err = ixgbe_why_fill(&reason, -errno, "%s", strerror(errno));
		else if (!S_ISREG(st.st_mode))
			err = -ENXIO;
		if (!err)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return ixgbe_why_fill(why, -EINVAL, "capture %s: cannot write it: %s", path,
			      err == -ENXIO ? NO_REGULAR_FILE : reason.text);
}

int capture_new(struct nic *nic, const char *path, struct ixgbe_why *why)
{
	struct capture *capture;
	FILE *file = NULL;
	int fd = file_open(path, why);

	if (fd < 0)
		return fd;
	capture = calloc(1, sizeof(*capture));
	if (capture) {
		capture->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAPSHOT_BYTES,
								     PCAP_TSTAMP_PRECISION_NANO);
		file = capture->pcap ? fdopen(fd, "w") : NULL;
		/* Closes the file if it fails. */
		capture->file = file ? pcap_dump_fopen(capture->pcap, file) : NULL;
	}
	if (capture && capture->file) {
		if (!pcap_dump_flush(capture->file))
			capture->whole = pcap_dump_ftell64(capture->file);
		nic->capture = capture;
		return 0;
	}
	if (!file)
		close(fd);
	if (capture && capture->pcap)
		pcap_close(capture->pcap);
	free(capture);
	return ixgbe_why_fill(why, -ENOMEM, "capture %s: no memory", path);
}

static void file_close(struct capture *capture)
{
	if (capture->file)
		pcap_dump_close(capture->file);
	capture->file = NULL;
}

void capture_free(struct nic *nic)
{
	struct capture *capture = nic->capture;

	if (!capture)
		return;
	file_close(capture);
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
	if (!capture->file) {
		count(nic, COUNTER_capture_lost);
		return;
	}
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
	if (!capture->err && ferror(pcap_dump_file(capture->file)))
		capture->err = errno;
	capture->frames++;
}

/* What stdio could not write is lost with what it has kept since. The file ends with its last
 * whole record: a reader finds no record that is cut. */
static void file_end(struct nic *nic, struct capture *capture)
{
	int fd = dup(fileno(pcap_dump_file(capture->file)));

	file_close(capture);
	if (fd >= 0 && ftruncate(fd, capture->whole))
		log_warning("the capture's last record is cut: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	count_add(nic, COUNTER_capture_lost, capture->frames);
}

void capture_flush(struct nic *nic)
{
	struct capture *capture = nic->capture;

	if (!capture || !capture->frames)
		return;
	if (pcap_dump_flush(capture->file) && !capture->err)
		capture->err = errno;
	if (!capture->err) {
		capture->whole = pcap_dump_ftell64(capture->file);
		capture->frames = 0;
		return;
	}
	log_error("the capture ends, its file cannot be written: %s", strerror(capture->err));
	file_end(nic, capture);
	capture->frames = 0;
}
