/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <endian.h>

#define MAGIC 0x69786c74u /* "ixlt" */

void probe_write(struct probe *probe, uint16_t bytes, uint32_t run, uint32_t sequence,
		 int64_t sent_ns)
{
	*probe = (struct probe){
		.magic = htobe32(MAGIC),
		.version = PROBE_VERSION,
		.kind = PROBE_REQUEST,
		.bytes = htobe16(bytes),
		.run = htobe32(run),
		.sequence = htobe32(sequence),
		.sent_ns = htobe64((uint64_t)sent_ns),
	};
}

uint16_t probe_bytes(const struct probe *probe)
{
	uint16_t bytes = be16toh(probe->bytes);

	if (probe->magic != htobe32(MAGIC) || probe->version != PROBE_VERSION ||
	    bytes < sizeof(*probe))
		return 0;
	return bytes;
}

static bool is_whole(const struct probe *probe, size_t length, enum probe_kind kind)
{
	return length >= sizeof(*probe) && probe_bytes(probe) == length && probe->kind == kind;
}

bool probe_is_request(const struct probe *probe, size_t length)
{
	return is_whole(probe, length, PROBE_REQUEST);
}

void probe_make_answer(struct probe *probe, int64_t received_ns)
{
	probe->kind = PROBE_ANSWER;
	probe->reflector_received_ns = htobe64((uint64_t)received_ns);
}

void probe_stamp_sent(struct probe *probe, int64_t sent_ns)
{
	probe->reflector_sent_ns = htobe64((uint64_t)sent_ns);
}

bool probe_read_answer(const struct probe *probe, size_t length, uint32_t run, uint16_t bytes,
		       struct probe_stamps *out)
{
	if (length != bytes || !is_whole(probe, length, PROBE_ANSWER) || probe->run != htobe32(run))
		return false;
	*out = (struct probe_stamps){
		.sequence = be32toh(probe->sequence),
		.sent_ns = (int64_t)be64toh(probe->sent_ns),
		.reflector_received_ns = (int64_t)be64toh(probe->reflector_received_ns),
		.reflector_sent_ns = (int64_t)be64toh(probe->reflector_sent_ns),
	};
	return true;
}
