/* SPDX-License-Identifier: MIT */
/*
 * The flow director: filters that a driver adds and removes while frames come in, by the thousand
 * (section 7.1.2.7).
 *
 *   frame ── tuples AND masks ─┬─ hash with FDIRHKEY ── bucket: the head of a list of filters
 *                              └─ hash with FDIRSKEY ── signature ┐
 *                                 or the tuples themselves ───────┴─ the first filter that equals
 *
 * FDIRCTRL.PERFECT_MATCH chooses what is compared: 15 bits of signature, or every tuple. The driver
 * computes the bucket (and the signature) by the same hash and writes it with the filter: if the
 * two disagree about the hash, a filter is in a list where no frame looks for it.
 *
 * The tuples are those of section 7.1.2.7.15: VLAN tag, IP addresses, ports of TCP and UDP (those
 * of SCTP count as zero), two flexible bytes within the frame's first 64, pool, and type (IP
 * version, layer 4 protocol). The mask registers apply to all filters. Masked bits of a frame's
 * tuples count as zero, and have to be zero in the filter.
 *
 * Hash. The datasheet lays the 42 bytes out as a string S of bits, and adds S, shifted, for each
 * bit that is set in the key repeated eleven times (7.1.2.7.15). That is linear. The share of a bit
 * of S depends on its place modulo 32 alone, except at both ends of S, where VLAN, pool and type
 * are. The middle of S is folded into 32 bits, and the hash is eight table lookups, for both keys
 * at once.
 *
 * Memory. Filters share the packet buffer with the frames: PBALLOC takes 64, 128 or 256 KiB of it,
 * and reception has the rest. Here the filters have a memory of their own, allocated at the start
 * for the largest size; the limits are the datasheet's. A list may be as long as all filters
 * together (7.1.2.7.3), and a frame's walk along it ends there. FDIRCTRL.MAX_LENGTH limits nothing:
 * a match behind it is reported, and not dropped.
 *
 * Commands (FDIRCMD) are done when the write returns. FDIRCTRL written with INIT_DONE clear, or
 * with another size or mode, and FDIRCMD.CLEARHT empty the table. A second start without CLEARHT
 * does not end: INIT_DONE stays clear and no filter matches, until a right one or a reset.
 */
#include "fdir.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "ixgbe/tables/guard.h"
#include "tools/ixnic/chip/interrupt.h"
#include "tools/ixnic/chip/statistics.h"
#include "tools/ixnic/chip/violations.h"

enum {
	PBALLOC_MAX = 3,
	FILTERS_MAX = FDIR_SIGNATURE_FILTERS(PBALLOC_MAX),
	PERFECT_MAX = FDIR_PERFECT_FILTERS(PBALLOC_MAX),
	BUCKETS_MAX = 4096 << PBALLOC_MAX,
	STREAM_BYTES = 42, /* S of the hash */
	STREAM_BITS = STREAM_BYTES * 8,
	KEY_BITS = 32,
	ID_BITS = 0x7fff, /* of a signature or software index */
	VLAN_CFI = 0x1000,
	VLAN_ID = 0x0fff,
	VLAN_PRIORITY = 0xe000,
	THRESH_UNIT = 16, /* filters, of FDIRCTRL.FULL_THRESH */
	FLEX_UNIT = 2,    /* bytes, of FDIRCTRL.FLEX_OFFSET */
	TYPE_IPV6 = 4,    /* above L4TYPE, in the last byte of S */
	L4TYPE_UPPER = IXGBE_FDIRCMD_L4TYPE & IXGBE_FDIRCMD_L4TYPE << 1,
};

/* FDIRCMD: a filter's action, and the kind of flow that it is for. */
#define ACTION                                                                                     \
	(IXGBE_FDIRCMD_DROP | IXGBE_FDIRCMD_INT | IXGBE_FDIRCMD_QUEUE_EN | IXGBE_FDIRCMD_RX_QUEUE)
#define KIND                                                                                       \
	(IXGBE_FDIRCMD_IPV6_DMATCH | IXGBE_FDIRCMD_L4TYPE | IXGBE_FDIRCMD_IPV6 | IXGBE_FDIRCMD_POOL)

/* The tuples of a flow, in the form of the registers of a perfect match filter. */
struct flow {
	uint32_t source[4]; /* FDIRSIPV6 and FDIRIPSA; of IPv4 [3] alone */
	uint32_t destination;
	uint32_t ports;
	uint32_t vlan; /* and the flexible bytes */
	uint32_t kind; /* as in FDIRCMD */
};

struct filter {
	uint16_t next;   /* filter behind it in its list; 0: it is the last */
	uint16_t id;     /* signature or software index */
	uint32_t action; /* FDIRCMD's ACTION, KIND and COLLISION */
	bool far;        /* was added behind MAX_LENGTH; stays set (erratum 2) */
};

struct fdir {
	bool stale;            /* hash and ports are older than their registers */
	uint32_t hash[8][256]; /* share of a byte: bucket below, signature above */
	uint32_t tcp_ports;    /* bits of FDIRPORT that are compared */
	uint32_t udp_ports;
	uint32_t limit, free; /* filters */
	uint32_t collided;    /* filters */
	uint32_t fresh;       /* filters from here on were not used since the table was emptied */
	uint16_t released;    /* list of filters that were removed; 0: none */
	uint16_t head[BUCKETS_MAX];
	struct filter filter[FILTERS_MAX + 1]; /* counted from 1 */
	struct flow flow[PERFECT_MAX + 1];     /* of perfect match filters */
};

/* ---- The hash ---- */

/* The bits of S that each table of the hash stands for, by the byte of S: VLAN tag, the four bytes
 * into which addresses, ports and flexible bytes are folded, pool, type. */
static const uint8_t hash_bytes[8] = {0, 1, 2, 3, 4, 5, 40, 41};

/* The share of bit n of S (0 is the last bit of the last byte) in the hash. With
 *
 *   Ext_S = S[14:0] | S[335:0] | S[335:321],  Ext_K[i] = K[(i + 1) % 32],
 *   Hash  = XOR over i = 0..350 of (Ext_K[i] ? Ext_S[15 + i:i] : 0)
 *
 * the share follows from the one or two places of Ext_S where the bit stands.
 */
static uint16_t hash_bit(uint32_t key, uint32_t n)
{
	const int32_t places[] = {
		n >= STREAM_BITS - 15 ? (int32_t)n - (STREAM_BITS - 15) : -1,
		(int32_t)n + 15,
		n < 15 ? (int32_t)n + STREAM_BITS + 15 : -1,
	};
	uint32_t hash = 0;

	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		for (int32_t bit = 0; bit < 16; bit++) {
			int32_t i = places[p] - bit;

			if (places[p] >= 0 && i >= 0 && i <= STREAM_BITS + 14)
				hash ^= (key >> (uint32_t)(i + 1) % KEY_BITS & 1) << bit;
		}
	}
	return (uint16_t)hash;
}

static void hash_fill(uint32_t table[8][256], uint32_t bucket_key, uint32_t signature_key)
{
	for (uint32_t b = 0; b < 8; b++) {
		uint32_t last = (STREAM_BYTES - 1u - hash_bytes[b]) * 8;

		table[b][0] = 0;
		for (uint32_t bit = 0; bit < 8; bit++) {
			uint32_t adds = (uint32_t)hash_bit(signature_key, last + bit) << 16 |
					hash_bit(bucket_key, last + bit);

			for (uint32_t below = 0; below < 1u << bit; below++)
				table[b][1u << bit | below] = table[b][below] ^ adds;
		}
	}
}

/* `folded`: addresses, ports and flexible bytes, the first byte on the wire lowest. */
static uint32_t hash_flow(uint32_t table[8][256], uint32_t vlan, uint32_t folded, uint32_t pool,
			  uint32_t type)
{
	return table[0][vlan >> 8 & 0xff] ^ table[1][vlan & 0xff] ^ table[2][folded & 0xff] ^
	       table[3][folded >> 8 & 0xff] ^ table[4][folded >> 16 & 0xff] ^
	       table[5][folded >> 24] ^ table[6][pool & 0x3f] ^ table[7][type & 7];
}

/* ---- The table ---- */

static bool is_perfect(const struct nic *nic)
{
	return reg(nic, IXGBE_FDIRCTRL) & IXGBE_FDIRCTRL_PERFECT_MATCH;
}

static uint32_t pballoc(const struct nic *nic)
{
	return IXGBE_FIELD_GET(IXGBE_FDIRCTRL_PBALLOC, reg(nic, IXGBE_FDIRCTRL));
}

/* The bits of the hash that choose a bucket: 13 to 15 of signatures, 11 to 13 of perfect match. */
static uint32_t bucket_mask(const struct nic *nic)
{
	return ((is_perfect(nic) ? 1024u : 4096u) << pballoc(nic)) - 1;
}

static void table_empty(struct fdir *fdir, uint32_t limit)
{
	memset(fdir->head, 0, sizeof(fdir->head));
	fdir->limit = limit;
	fdir->free = limit;
	fdir->collided = 0;
	fdir->fresh = 1;
	fdir->released = 0;
}

/* The place in a bucket's list where the first filter's number stands that has this flow, or (with
 * flow NULL) this id; 0 stands there if there is none. *before: the filters before it. */
static uint16_t *table_find(struct fdir *fdir, uint32_t bucket, const struct flow *flow,
			    uint32_t id, uint32_t *before)
{
	uint16_t *link = &fdir->head[bucket];

	for (*before = 0; *link; ++*before) {
		if (flow ? memcmp(&fdir->flow[*link], flow, sizeof(*flow)) == 0
			 : fdir->filter[*link].id == id)
			break;
		link = &fdir->filter[*link].next;
	}
	return link;
}

/* An unused filter; there is one. */
static uint16_t table_take(struct fdir *fdir)
{
	uint16_t number = fdir->released;

	fdir->free--;
	if (!number) {
		IXGBE_GUARD(fdir->fresh <= fdir->limit);
		return (uint16_t)fdir->fresh++;
	}
	fdir->released = fdir->filter[number].next;
	return number;
}

static void table_remove(struct fdir *fdir, uint16_t *link)
{
	uint16_t number = *link;

	*link = fdir->filter[number].next;
	if (fdir->filter[number].action & IXGBE_FDIRCMD_COLLISION)
		fdir->collided--;
	fdir->filter[number].next = fdir->released;
	fdir->released = number;
	fdir->free++;
}

/* ---- Commands ---- */

/* Counts in a field of a statistics register, which sticks at its maximum. */
static void field_count(struct nic *nic, uint32_t offset, uint32_t mask)
{
	uint32_t value = reg(nic, offset);

	if ((value & mask) != mask)
		reg_store(nic, offset, value + IXGBE_FIELD_UNIT(mask));
}

static void free_show(struct nic *nic)
{
	const struct fdir *fdir = nic->data->fdir;

	reg_store(nic, IXGBE_FDIRFREE,
		  IXGBE_FIELD_PREP(IXGBE_FDIRFREE_FREE, fdir->free) |
			  IXGBE_FIELD_PREP(IXGBE_FDIRFREE_COLL, fdir->collided));
}

/* The field has the longest list's length less one, and sticks at its maximum (8.2.3.21.11). */
static void length_show(struct nic *nic, uint32_t bucket, uint32_t before)
{
	uint32_t value = reg(nic, IXGBE_FDIRLEN);
	uint32_t max = IXGBE_FIELD_GET(IXGBE_FDIRLEN_MAXLEN, IXGBE_FDIRLEN_MAXLEN);

	before = before < max ? before : max;
	if (before <= IXGBE_FIELD_GET(IXGBE_FDIRLEN_MAXLEN, value))
		return;
	value &= ~(IXGBE_FDIRLEN_MAXLEN | IXGBE_FDIRLEN_MAXHASH);
	reg_store(nic, IXGBE_FDIRLEN,
		  value | IXGBE_FIELD_PREP(IXGBE_FDIRLEN_MAXLEN, before) |
			  IXGBE_FIELD_PREP(IXGBE_FDIRLEN_MAXHASH, bucket));
}

static struct flow flow_programmed(const struct nic *nic, uint32_t command)
{
	struct flow flow = {
		.source[3] = reg(nic, IXGBE_FDIRIPSA),
		.ports = reg(nic, IXGBE_FDIRPORT),
		.vlan = reg(nic, IXGBE_FDIRVLAN),
		.kind = command & KIND,
	};

	if (command & IXGBE_FDIRCMD_IPV6)
		for (uint32_t i = 0; i < IXGBE_FDIRSIPV6_COUNT; i++)
			flow.source[i] = reg(nic, IXGBE_AT(FDIRSIPV6, i));
	else
		flow.destination = reg(nic, IXGBE_FDIRIPDA);
	return flow;
}

/* A filter that is there already (7.1.2.7.6 and 7.1.2.7.7). */
static void filter_again(struct nic *nic, struct filter *filter, uint32_t id, uint32_t command)
{
	struct fdir *fdir = nic->data->fdir;

	if (filter->id == id && (filter->action & ACTION) == (command & ACTION))
		return;
	if (command & IXGBE_FDIRCMD_FILTER_UPDATE) {
		filter->action = (filter->action & ~ACTION) | (command & ACTION);
		filter->id = (uint16_t)id;
	} else if (!(filter->action & IXGBE_FDIRCMD_COLLISION)) {
		filter->action |= IXGBE_FDIRCMD_COLLISION;
		fdir->collided++;
		free_show(nic);
	}
	field_count(nic, IXGBE_FDIRFSTAT, IXGBE_FDIRFSTAT_FADD);
}

static void command_add(struct nic *nic, uint32_t bucket, uint32_t id, uint32_t command)
{
	struct fdir *fdir = nic->data->fdir;
	struct flow flow = flow_programmed(nic, command);
	uint32_t before,
		threshold = IXGBE_FIELD_GET(IXGBE_FDIRCTRL_FULL_THRESH, reg(nic, IXGBE_FDIRCTRL));
	uint16_t *link = table_find(fdir, bucket, is_perfect(nic) ? &flow : NULL, id, &before);

	if (*link) {
		filter_again(nic, &fdir->filter[*link], id, command);
		return;
	}
	if (fdir->free == 0) {
		field_count(nic, IXGBE_FDIRFSTAT, IXGBE_FDIRFSTAT_FADD);
		interrupt_raise(nic, IXGBE_EICR_FLOW_DIR);
		return;
	}
	*link = table_take(fdir);
	fdir->filter[*link] = (struct filter){
		.id = (uint16_t)id,
		.action = command & (ACTION | KIND),
		.far = before >=
		       IXGBE_FIELD_GET(IXGBE_FDIRCTRL_MAX_LENGTH, reg(nic, IXGBE_FDIRCTRL)),
	};
	if (is_perfect(nic))
		fdir->flow[*link] = flow;
	field_count(nic, IXGBE_FDIRUSTAT, IXGBE_FDIRUSTAT_ADD);
	free_show(nic);
	length_show(nic, bucket, before);
	if (fdir->free == threshold * THRESH_UNIT)
		interrupt_raise(nic, IXGBE_EICR_FLOW_DIR);
}

static void command_remove(struct nic *nic, uint32_t bucket, uint32_t id)
{
	struct fdir *fdir = nic->data->fdir;
	uint32_t before;
	uint16_t *link = table_find(fdir, bucket, NULL, id, &before);

	if (!*link) {
		field_count(nic, IXGBE_FDIRFSTAT, IXGBE_FDIRFSTAT_FREMOVE);
		return;
	}
	table_remove(fdir, link);
	field_count(nic, IXGBE_FDIRUSTAT, IXGBE_FDIRUSTAT_REMOVE);
	free_show(nic);
}

/* The answer of a query that found a filter (7.1.2.7.11). */
static void query_found(struct nic *nic, uint32_t number)
{
	const struct filter *filter = &nic->data->fdir->filter[number];
	const struct flow *flow; /* of perfect match filters only */
	uint32_t command = filter->action | IXGBE_FDIRCMD_FILTER_VALID |
			   (filter->next ? 0 : IXGBE_FDIRCMD_LAST);

	if (!is_perfect(nic)) {
		reg_store(nic, IXGBE_FDIRCMD, command & ~IXGBE_FDIRCMD_POOL);
		return;
	}
	flow = &nic->data->fdir->flow[number];
	reg_store(nic, IXGBE_FDIRCMD, command);
	for (uint32_t i = 0; i < IXGBE_FDIRSIPV6_COUNT; i++)
		reg_store(nic, IXGBE_AT(FDIRSIPV6, i), flow->source[i]);
	reg_store(nic, IXGBE_FDIRIPSA, flow->source[3]);
	reg_store(nic, IXGBE_FDIRIPDA, flow->destination);
	reg_store(nic, IXGBE_FDIRPORT, flow->ports);
	reg_store(nic, IXGBE_FDIRVLAN, flow->vlan);
}

static void command_query(struct nic *nic, uint32_t bucket, uint32_t id)
{
	struct fdir *fdir = nic->data->fdir;
	uint32_t max = IXGBE_FIELD_GET(IXGBE_FDIRLEN_BUCKET_LENGTH, IXGBE_FDIRLEN_BUCKET_LENGTH);
	uint32_t hash = reg(nic, IXGBE_FDIRHASH) & ~IXGBE_FDIRHASH_BUCKET_VALID;
	uint32_t length = reg(nic, IXGBE_FDIRLEN) & ~IXGBE_FDIRLEN_BUCKET_LENGTH;
	uint32_t before;
	uint16_t *link = table_find(fdir, bucket, NULL, id, &before);

	reg_store(nic, IXGBE_FDIRHASH,
		  hash | (fdir->head[bucket] ? IXGBE_FDIRHASH_BUCKET_VALID : 0));
	reg_store(nic, IXGBE_FDIRLEN,
		  length | IXGBE_FIELD_PREP(IXGBE_FDIRLEN_BUCKET_LENGTH,
					    before < max ? before : max));
	reg_store(nic, IXGBE_FDIRCMD, 0);
	if (*link)
		query_found(nic, *link);
}

static void table_restart(struct nic *nic)
{
	uint32_t size = pballoc(nic);
	uint32_t limit =
		is_perfect(nic) ? FDIR_PERFECT_FILTERS(size) : FDIR_SIGNATURE_FILTERS(size);

	table_empty(nic->data->fdir, size ? limit : 0);
	free_show(nic);
}

/* CLEARHT is set, then cleared, before the tables are started again (7.1.2.7.9). */
static void clear_seen(struct nic *nic, bool set)
{
	struct data *dp = nic->data;

	if (set)
		dp->fdir_clear = FDIR_CLEAR_SET;
	else if (dp->fdir_clear == FDIR_CLEAR_SET)
		dp->fdir_clear = FDIR_CLEARED;
}

static void fdircmd_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t hash = reg(nic, IXGBE_FDIRHASH);
	uint32_t bucket = hash & bucket_mask(nic);
	uint32_t id = IXGBE_FIELD_GET(IXGBE_FDIRHASH_SIG_SW_INDEX, hash) & ID_BITS;

	(void)index, (void)old;
	reg_store(nic, IXGBE_FDIRCMD, reg(nic, IXGBE_FDIRCMD) & ~IXGBE_FDIRCMD_CMD);
	clear_seen(nic, written & IXGBE_FDIRCMD_CLEARHT);
	if (!nic->data->fdir_on)
		return;
	if (written & IXGBE_FDIRCMD_CLEARHT)
		table_restart(nic);
	switch (IXGBE_FIELD_GET(IXGBE_FDIRCMD_CMD, written)) {
	case IXGBE_FDIRCMD_CMD_ADD:
		command_add(nic, bucket, id, written);
		break;
	case IXGBE_FDIRCMD_CMD_REMOVE:
		command_remove(nic, bucket, id);
		break;
	case IXGBE_FDIRCMD_CMD_QUERY:
		command_query(nic, bucket, id);
		break;
	default:
		break;
	}
}

/* Erratum 4: the upper bit of L4TYPE may read wrong; of a filter that was found, always here. */
static uint32_t fdircmd_read(struct nic *nic, uint32_t index, uint32_t value)
{
	(void)nic, (void)index;
	return value & IXGBE_FDIRCMD_FILTER_VALID ? value ^ L4TYPE_UPPER : value;
}

uint32_t fdir_memory(const struct nic *nic)
{
	uint32_t size = pballoc(nic);

	return size ? FDIR_MEMORY_MIN << (size - 1) : 0;
}

static bool fdir_runs(const struct nic *nic, uint32_t index)
{
	(void)index;
	return nic->data->fdir_on;
}

/* The driver has to leave the filters their memory (7.1.2.7.4). */
static void judge_memory(struct nic *nic, uint32_t index)
{
	uint32_t frames = 0;

	(void)index;

	for (uint32_t i = 0; i < IXGBE_RXPBSIZE_COUNT; i++)
		frames += reg(nic, IXGBE_AT(RXPBSIZE, i)) & IXGBE_RXPBSIZE_SIZE;
	if (frames > RX_BUFFER_BYTES - fdir_memory(nic))
		violation(nic, VIOLATION_FDIR_MEMORY, "RXPBSIZE %u KiB, flow director %u KiB",
			  frames / 1024, fdir_memory(nic) / 1024);
}

/* Whether the tables start. A second start needs them cleared before: the in-kernel driver calls
 * that an erratum, without which the initialization does not end. */
static bool start_check(struct nic *nic)
{
	struct data *dp = nic->data;
	bool again = dp->fdir_started;

	dp->fdir_started = true;
	if (!again || dp->fdir_clear == FDIR_CLEARED) {
		dp->fdir_clear = FDIR_NOT_CLEARED;
		judge_memory(nic, 0);
		return true;
	}
	violation(nic, VIOLATION_FDIR_RESTART, "FDIRCTRL = 0x%08x", reg(nic, IXGBE_FDIRCTRL));
	return false;
}

static void fdirctrl_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	const uint32_t shape = IXGBE_FDIRCTRL_PBALLOC | IXGBE_FDIRCTRL_PERFECT_MATCH;
	bool on = pballoc(nic) != 0, hung = nic->data->fdir_started && !nic->data->fdir_on;
	uint32_t done = IXGBE_FDIRCTRL_INIT_DONE;

	(void)index;
	if (!(written & IXGBE_FDIRCTRL_INIT_DONE) || (written ^ old) & shape || hung) {
		table_restart(nic);
		if (on && !start_check(nic)) {
			on = false;
			done = 0;
		}
	}
	nic->data->fdir_on = on;
	reg_store(nic, IXGBE_FDIRCTRL,
		  (reg(nic, IXGBE_FDIRCTRL) & ~IXGBE_FDIRCTRL_INIT_DONE) | done);
}

void fdir_check_first(struct nic *nic)
{
	uint32_t fdirctrl = reg(nic, IXGBE_FDIRCTRL);
	bool report = fdirctrl & IXGBE_FDIRCTRL_REPORT_STATUS;
	bool always = fdirctrl & IXGBE_FDIRCTRL_REPORT_STATUS_ALWAYS;

	if (nic->data->fdir_on &&
	    ((report && !(reg(nic, IXGBE_RXCSUM) & IXGBE_RXCSUM_PCSD)) || (always && !report)))
		violation(nic, VIOLATION_FDIR_REPORT, "FDIRCTRL is 0x%08x, RXCSUM 0x%08x", fdirctrl,
			  reg(nic, IXGBE_RXCSUM));
}

static void key_write(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index, (void)old, (void)written;
	nic->data->fdir->stale = true;
}

const struct reg_hook fdir_hooks[] = {
	{.offset = IXGBE_FDIRCTRL, .write = fdirctrl_write},
	{.offset = IXGBE_FDIRCMD, .read = fdircmd_read, .write = fdircmd_write},
	{.offset = IXGBE_FDIRHKEY, .write = key_write},
	{.offset = IXGBE_FDIRSKEY, .write = key_write},
	{.offset = IXGBE_FDIRTCPM, .write = key_write},
	{.offset = IXGBE_FDIRUDPM, .write = key_write},
	REG_JUDGED(RXPBSIZE, IXGBE_RXPBSIZE_SIZE, fdir_runs, judge_memory),
	{0},
};

int fdir_new(struct fdir **out)
{
	struct fdir *fdir = calloc(1, sizeof(*fdir));

	if (!fdir)
		return -ENOMEM;
	*out = fdir;
	return 0;
}

void fdir_free(struct fdir *fdir)
{
	free(fdir);
}

void fdir_reset(struct nic *nic)
{
	nic->data->fdir_on = nic->data->fdir_started = false;
	nic->data->fdir_clear = FDIR_NOT_CLEARED;
	nic->data->fdir->stale = true;
	table_empty(nic->data->fdir, 0);
}

/* ---- Frames ---- */

/* The port masks have the bits of each port in the opposite order: bit 0 masks the port's bit 15
 * (8.2.3.21.6). */
static uint32_t ports_compared(uint32_t mask)
{
	uint32_t compared = 0;

	for (uint32_t bit = 0; bit < 16; bit++)
		compared |= (~mask >> bit & 0x00010001u) << (15 - bit);
	return compared;
}

static void refresh(struct nic *nic)
{
	struct fdir *fdir = nic->data->fdir;

	hash_fill(fdir->hash, reg(nic, IXGBE_FDIRHKEY), reg(nic, IXGBE_FDIRSKEY));
	fdir->tcp_ports = ports_compared(reg(nic, IXGBE_FDIRTCPM));
	fdir->udp_ports = ports_compared(reg(nic, IXGBE_FDIRUDPM));
	fdir->stale = false;
}

/* The bytes of a word that four bits of FDIRIP6M leave: bit 0 masks the first on the wire. */
static uint32_t bytes_compared(uint32_t mask)
{
	return (mask & 1 ? 0 : 0xffu) | (mask & 2 ? 0 : 0xff00u) | (mask & 4 ? 0 : 0xff0000u) |
	       (mask & 8 ? 0 : 0xff000000u);
}

/* Whether the destination is the NIC's own, by IP6AT (8.2.3.24.6). */
static bool destination_ours(const struct nic *nic, const uint8_t *address)
{
	if (!(reg(nic, IXGBE_IPAV) & IXGBE_IPAV_V60))
		return false;
	for (uint32_t i = 0; i < IXGBE_IP6AT_COUNT; i++)
		if (le32_at(address + i * 4) != reg(nic, IXGBE_AT(IP6AT, i)))
			return false;
	return true;
}

/* The IP addresses, masked, into the flow; returns them folded for the hash. A perfect match knows
 * of an IPv6 destination only whether it is ours, and that alone is hashed (7.1.2.7.15). */
static uint32_t flow_addresses(const struct nic *nic, const struct parsed *packet,
			       const uint8_t *ip, struct flow *flow)
{
	const uint8_t *source = ip + IPV6_ADDRESSES, *destination = source + 16;
	uint32_t mask = reg(nic, IXGBE_FDIRIP6M), folded = 0;

	if (packet->ip == PARSE_IPV4) {
		flow->source[3] = le32_at(ip + IPV4_ADDRESSES) & ~reg(nic, IXGBE_FDIRSIP4M);
		flow->destination = le32_at(ip + IPV4_ADDRESSES + 4) & ~reg(nic, IXGBE_FDIRDIP4M);
		return flow->source[3] ^ flow->destination;
	}
	flow->kind |= IXGBE_FDIRCMD_IPV6;
	for (uint32_t i = 0; i < 4; i++) {
		flow->source[i] = le32_at(source + i * 4) & bytes_compared(mask >> i * 4);
		folded ^= flow->source[i];
		if (!is_perfect(nic))
			folded ^=
				le32_at(destination + i * 4) & bytes_compared(mask >> (16 + i * 4));
	}
	if (is_perfect(nic) && !(reg(nic, IXGBE_FDIRM) & IXGBE_FDIRM_DIPV6) &&
	    destination_ours(nic, destination)) {
		flow->kind |= IXGBE_FDIRCMD_IPV6_DMATCH;
		folded ^= 1;
	}
	return folded;
}

/* Type and ports of layer 4; the ports folded for the hash. Masking the type does not mask them. */
static uint32_t flow_l4(const struct nic *nic, const struct parsed *packet, const uint8_t *l4,
			struct flow *flow)
{
	const struct fdir *fdir = nic->data->fdir;
	uint32_t type = IXGBE_FDIRCMD_L4TYPE_SCTP, compared = 0;

	if (!packet->l4)
		return 0;
	if (packet->l4_protocol == IPPROTO_TCP) {
		type = IXGBE_FDIRCMD_L4TYPE_TCP;
		compared = fdir->tcp_ports;
	} else if (packet->l4_protocol == IPPROTO_UDP) {
		type = IXGBE_FDIRCMD_L4TYPE_UDP;
		compared = fdir->udp_ports;
	}
	if (!(reg(nic, IXGBE_FDIRM) & IXGBE_FDIRM_L4P))
		flow->kind |= IXGBE_FIELD_PREP(IXGBE_FDIRCMD_L4TYPE, type);
	flow->ports = ((uint32_t)be16_at(l4 + 2) << 16 | be16_at(l4)) & compared;
	return (flow->ports >> 8 & 0x00ff00ffu) | (flow->ports & 0x00ff00ffu) << 8;
}

static uint32_t frame_byte(const struct frame *frame, uint32_t at)
{
	if (at < frame->head_len)
		return frame->head[at];
	at -= frame->head_len;
	return at < frame->body_len ? frame->body[at] : 0;
}

/* VLAN tag and flexible bytes, as in FDIRVLAN. The tag's CFI is never compared (8.2.3.21.20). */
static uint32_t flow_vlan(const struct nic *nic, const struct parsed *packet,
			  const struct frame *frame)
{
	uint32_t fdirm = reg(nic, IXGBE_FDIRM);
	uint32_t at =
		IXGBE_FIELD_GET(IXGBE_FDIRCTRL_FLEX_OFFSET, reg(nic, IXGBE_FDIRCTRL)) * FLEX_UNIT;
	uint32_t vlan = packet->vlan ? packet->tag & ~(uint32_t)VLAN_CFI : 0;

	if (fdirm & IXGBE_FDIRM_VLANID)
		vlan &= ~(uint32_t)VLAN_ID;
	if (fdirm & IXGBE_FDIRM_VLANP)
		vlan &= ~(uint32_t)VLAN_PRIORITY;
	if (!(fdirm & IXGBE_FDIRM_FLEX))
		vlan |= frame_byte(frame, at) << 16 | frame_byte(frame, at + 1) << 24;
	return vlan;
}

/* The masked tuples of a frame, and its hash. */
static uint32_t flow_received(const struct nic *nic, const struct parsed *packet,
			      const struct frame *frame, uint32_t pool, struct flow *flow)
{
	uint32_t folded;

	if (reg(nic, IXGBE_FDIRM) & IXGBE_FDIRM_POOL)
		pool = 0;
	*flow = (struct flow){.vlan = flow_vlan(nic, packet, frame)};
	folded = flow_addresses(nic, packet, frame->head + packet->l3, flow) ^
		 flow_l4(nic, packet, frame->head + packet->l4, flow) ^ flow->vlan >> 16;
	flow->kind |= IXGBE_FIELD_PREP(IXGBE_FDIRCMD_POOL, pool);
	return hash_flow(nic->data->fdir->hash, flow->vlan, folded, pool,
			 IXGBE_FIELD_GET(IXGBE_FDIRCMD_L4TYPE, flow->kind) |
				 (flow->kind & IXGBE_FDIRCMD_IPV6 ? TYPE_IPV6 : 0));
}

/* The frame matched a filter: its action (7.1.2.7.1 and 7.1.2.7.2). */
static void verdict_matched(const struct nic *nic, const struct filter *filter, uint32_t before,
			    struct fdir_verdict *verdict)
{
	uint32_t fdirctrl = reg(nic, IXGBE_FDIRCTRL);
	bool far = filter->far || before >= IXGBE_FIELD_GET(IXGBE_FDIRCTRL_MAX_LENGTH, fdirctrl);

	verdict->status = IXGBE_RXD_STAT_FLM | (far ? IXGBE_RXD_ERR_FDIR_LEN : 0);
	if (filter->action & IXGBE_FDIRCMD_COLLISION)
		verdict->status |= IXGBE_RXD_ERR_FDIR_COLL;
	verdict->routed = filter->action & IXGBE_FDIRCMD_QUEUE_EN;
	verdict->queue = IXGBE_FIELD_GET(IXGBE_FDIRCMD_RX_QUEUE, filter->action);
	if (!(filter->action & IXGBE_FDIRCMD_DROP))
		return;
	verdict->status |= IXGBE_RXD_ERR_FDIR_DROP;
	/* Behind MAX_LENGTH the frame goes to the filter's own queue, for software to see. */
	if (!far) {
		verdict->routed = true;
		verdict->drop = true;
		verdict->queue = IXGBE_FIELD_GET(IXGBE_FDIRCTRL_DROP_QUEUE, fdirctrl);
	}
}

void fdir_lookup(struct nic *nic, const struct parsed *packet, const struct frame *frame,
		 uint32_t pool, struct fdir_verdict *verdict)
{
	struct fdir *fdir = nic->data->fdir;
	uint32_t fdirctrl = reg(nic, IXGBE_FDIRCTRL);
	uint32_t hash, bucket, id, before;
	struct flow flow;
	uint16_t number;

	*verdict = (struct fdir_verdict){0};
	/* Frames without IP, and IPv6 fragments, miss all filters. */
	if (packet->ip == PARSE_NO_IP || (packet->ip == PARSE_IPV6 && packet->fragment)) {
		statistics_add(nic, IXGBE_FDIRMISS, 1);
		return;
	}
	if (fdir->stale)
		refresh(nic);
	hash = flow_received(nic, packet, frame, pool, &flow);
	bucket = hash & bucket_mask(nic);
	id = is_perfect(nic) ? 0 : hash >> 16 & ID_BITS;
	number = *table_find(fdir, bucket, is_perfect(nic) ? &flow : NULL, id, &before);
	verdict->report = fdirctrl & IXGBE_FDIRCTRL_REPORT_STATUS_ALWAYS ||
			  (number && fdirctrl & IXGBE_FDIRCTRL_REPORT_STATUS);
	statistics_add(nic, number ? IXGBE_FDIRMATCH : IXGBE_FDIRMISS, 1);
	if (number) {
		id = fdir->filter[number].id;
		verdict_matched(nic, &fdir->filter[number], before, verdict);
	} else if (before > IXGBE_FIELD_GET(IXGBE_FDIRCTRL_MAX_LENGTH, fdirctrl)) {
		verdict->status = IXGBE_RXD_ERR_FDIR_LEN;
	}
	verdict->id = IXGBE_FIELD_PREP(IXGBE_RXD_FDIR_HASH, bucket) |
		      IXGBE_FIELD_PREP(IXGBE_RXD_FDIR_ID, id);
}
