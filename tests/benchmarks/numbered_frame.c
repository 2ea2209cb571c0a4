/* SPDX-License-Identifier: MIT */
#include "numbered_frame.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#define FILLINGS 1024u

struct head {
	uint8_t to[6], from[6];
	uint16_t type;
	uint16_t bytes;
	uint32_t run, way;
	uint32_t check; /* of the members behind and of run, way and bytes */
	uint64_t number;
	int64_t sent_ns;
} __attribute__((packed));
static_assert(sizeof(struct head) <= NUMBERED_BYTES_MIN, "each frame has a whole head");

static uint64_t mixed(uint64_t value)
{
	value = (value ^ (value >> 31)) * 0x9e3779b97f4a7c15u;
	value = (value ^ (value >> 29)) * 0xbf58476d1ce4e5b9u;
	return value ^ (value >> 32);
}

static uint32_t check_of(const struct head *head)
{
	uint64_t sum = mixed(head->number + 1);

	sum = mixed(sum ^ (uint64_t)head->sent_ns);
	sum = mixed(sum ^ ((uint64_t)head->run << 32 | head->way));
	return (uint32_t)mixed(sum ^ head->bytes);
}

/* What is behind the head: other bytes for each of FILLINGS numbers that follow each other. */
static const uint8_t *filling_of(uint64_t number)
{
	static uint8_t bytes[FILLINGS + NUMBERED_BYTES_MAX];

	if (!bytes[0]) {
		for (size_t i = 1; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)mixed(i);
		bytes[0] = 1;
	}
	return bytes + number % FILLINGS;
}

static uint16_t length_of(const struct numbered_kind *kind, uint64_t number)
{
	const uint32_t lengths = NUMBERED_BYTES_MAX - NUMBERED_BYTES_MIN + 1;

	if (kind->bytes)
		return (uint16_t)kind->bytes;
	return (uint16_t)(NUMBERED_BYTES_MIN + number * 389 % lengths);
}

size_t numbered_write(const struct numbered_kind *kind, struct numbered numbered, uint8_t *frame)
{
	struct head head = {
		.type = htons(NUMBERED_ETHERTYPE),
		.bytes = length_of(kind, numbered.number),
		.run = kind->run,
		.way = kind->way,
		.number = numbered.number,
		.sent_ns = numbered.sent_ns,
	};

	memcpy(head.to, kind->to, sizeof(head.to));
	memcpy(head.from, kind->from, sizeof(head.from));
	head.check = check_of(&head);
	memcpy(frame, &head, sizeof(head));
	memcpy(frame + sizeof(head), filling_of(numbered.number), head.bytes - sizeof(head));
	return head.bytes;
}

bool numbered_read(const struct numbered_kind *kind, const uint8_t *frame, size_t bytes,
		   struct numbered *out)
{
	struct head head;

	if (bytes < sizeof(head))
		return false;
	memcpy(&head, frame, sizeof(head));
	if (head.type != htons(NUMBERED_ETHERTYPE) || head.run != kind->run ||
	    head.way != kind->way || head.bytes != bytes || head.check != check_of(&head) ||
	    bytes != length_of(kind, head.number) || memcmp(head.to, kind->to, sizeof(head.to)) ||
	    memcmp(head.from, kind->from, sizeof(head.from)))
		return false;
	if (memcmp(frame + sizeof(head), filling_of(head.number), bytes - sizeof(head)) != 0)
		return false;
	*out = (struct numbered){head.number, head.sent_ns};
	return true;
}
