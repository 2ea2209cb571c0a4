/* SPDX-License-Identifier: MIT */
/*
 * The filters in front of the queues (sections 7.1.1.1, 7.1.1.2 and 7.1.2).
 *
 * A frame is accepted by an exact address, by the unicast or multicast hash tables, by a
 * promiscuous mode, or as broadcast; and then by its VLAN. Queues come from EtherType filters, then
 * the SYN and the five-tuple filters in the order that SYNQF gives them, then the flow director
 * (fdir.c), then RSS, traffic class and pool as MRQC says (7.1.2.1). There are no virtual
 * functions: every frame is the default pool's.
 *
 * Tables that are searched for each frame are kept in a form that is quick to search, and
 * rebuilt at the next frame after a register behind them was written.
 */
#include "filter.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include "data.h"
#include "tools/ixnic/chip/statistics.h"
#include "tools/ixnic/chip/violations.h"

/* Queues that a pool and a traffic class are apart, and the bits of the RSS index
 * (section 7.1.2.2). Indexed by MRQC.MRQE; a mode that does not exist sends everything to queue 0.
 */
static const struct {
	uint8_t pool, class, rss_mask;
} mrqe_modes[16] = {
	[IXGBE_MRQC_MRQE_RSS] = {0, 0, 0xf},       [IXGBE_MRQC_MRQE_DCB8] = {0, 16, 0},
	[IXGBE_MRQC_MRQE_DCB4] = {0, 32, 0},       [IXGBE_MRQC_MRQE_DCB8_RSS] = {0, 16, 0xf},
	[IXGBE_MRQC_MRQE_DCB4_RSS] = {0, 32, 0xf}, [IXGBE_MRQC_MRQE_VT64] = {2, 0, 0},
	[IXGBE_MRQC_MRQE_VT32_RSS] = {4, 0, 0x3},  [IXGBE_MRQC_MRQE_VT64_RSS] = {2, 0, 0x1},
	[IXGBE_MRQC_MRQE_VT16_DCB8] = {8, 1, 0},   [IXGBE_MRQC_MRQE_VT32_DCB4] = {4, 1, 0},
};

/* ---- Registers ---- */

static void filter_written(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index, (void)old, (void)written;
	nic->data->filter_stale = true;
}

/* Priorities are 1 to 7. */
static void ftqf_written(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	if (written & IXGBE_FTQF_QUEUE_ENABLE && !(written & IXGBE_FTQF_PRIORITY))
		violation(nic, VIOLATION_TUPLE_PRIORITY, "FTQF[%u] = 0x%08x", index, written);
	filter_written(nic, index, old, written);
}

/* An EtherType has one filter, and IP has none: it is for the filters behind. */
static void etqf_written(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	uint32_t type = IXGBE_FIELD_GET(IXGBE_ETQF_ETYPE, written);
	bool wrong = type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6;

	for (uint32_t i = 0; i < IXGBE_ETQF_COUNT; i++) {
		uint32_t other = reg(nic, IXGBE_AT(ETQF, i));

		wrong |= i != index && other & IXGBE_ETQF_FILTER_EN &&
			 IXGBE_FIELD_GET(IXGBE_ETQF_ETYPE, other) == type;
	}
	if (written & IXGBE_ETQF_FILTER_EN && wrong)
		violation(nic, VIOLATION_ETHERTYPE_FILTER, "ETQF[%u] = 0x%08x", index, written);
	filter_written(nic, index, old, written);
}

static bool mode_hashes(uint32_t mrqc)
{
	return mrqe_modes[IXGBE_FIELD_GET(IXGBE_MRQC_MRQE, mrqc)].rss_mask;
}

static void mrqc_written(struct nic *nic, uint32_t index, uint32_t old, uint32_t written)
{
	(void)index;
	if (nic->data->rx_began && mode_hashes(old) != mode_hashes(written))
		violation(nic, VIOLATION_RSS_LIVE, "MRQC 0x%08x to 0x%08x", old, written);
}

const struct reg_hook filter_hooks[] = {
	{.offset = IXGBE_RAL, .write = filter_written},
	{.offset = IXGBE_RAH, .write = filter_written},
	{.offset = IXGBE_FTQF, .write = ftqf_written},
	{.offset = IXGBE_ETQF, .write = etqf_written},
	{.offset = IXGBE_MRQC, .write = mrqc_written},
	{.offset = IXGBE_RSSRK, .write = filter_written},
	{0},
};

/* ---- Frames ---- */

static void filter_rebuild(struct nic *nic)
{
	struct data *dp = nic->data;
	uint8_t key[RSS_KEY_BYTES];

	dp->addresses = 0;
	for (uint32_t i = 0; i < IXGBE_RAL_COUNT; i++) {
		uint32_t high = reg(nic, IXGBE_AT(RAH, i));

		if (high & IXGBE_RAH_AV)
			dp->address[dp->addresses++] =
				(uint64_t)(high & 0xffffu) << 32 | reg(nic, IXGBE_AT(RAL, i));
	}
	dp->five_tuples = false;
	for (uint32_t i = 0; i < IXGBE_FTQF_COUNT; i++)
		dp->five_tuples |= (reg(nic, IXGBE_AT(FTQF, i)) & IXGBE_FTQF_QUEUE_ENABLE) != 0;
	dp->ethertypes = false;
	for (uint32_t i = 0; i < IXGBE_ETQF_COUNT; i++)
		dp->ethertypes |= (reg(nic, IXGBE_AT(ETQF, i)) & IXGBE_ETQF_FILTER_EN) != 0;
	for (uint32_t i = 0; i < RSS_KEY_BYTES; i++)
		key[i] = (uint8_t)(reg(nic, IXGBE_AT(RSSRK, i / 4)) >> i % 4 * 8);
	rss_table_fill(&dp->rss, key);
	dp->filter_stale = false;
}

/* The bits of the address that MCSTCTRL.MO selects, looked up in a table of 4096 bits. */
static bool hash_match(const struct nic *nic, uint32_t table, const uint8_t *destination)
{
	static const uint8_t shift[] = {4, 3, 2, 0};
	uint32_t mode = IXGBE_FIELD_GET(IXGBE_MCSTCTRL_MO, reg(nic, IXGBE_MCSTCTRL));
	uint32_t bits = (uint32_t)(destination[5] << 8 | destination[4]) >> shift[mode] & 0xfff;

	return reg(nic, table + bits / 32 * 4) >> bits % 32 & 1;
}

static bool address_exact(const struct nic *nic, const uint8_t *destination)
{
	const struct data *dp = nic->data;
	uint64_t address = 0;

	memcpy(&address, destination, 6);
	address = le64toh(address);
	for (uint32_t i = 0; i < dp->addresses; i++)
		if (dp->address[i] == address)
			return true;
	return false;
}

static bool address_accept(const struct nic *nic, const uint8_t *destination, bool *inexact)
{
	uint32_t fctrl = reg(nic, IXGBE_FCTRL);

	*inexact = false;
	if (address_exact(nic, destination))
		return true;
	switch (statistics_cast(destination)) {
	case CAST_BROAD:
		return fctrl & IXGBE_FCTRL_BAM;
	case CAST_MULTI:
		*inexact = true;
		return fctrl & IXGBE_FCTRL_MPE || (reg(nic, IXGBE_MCSTCTRL) & IXGBE_MCSTCTRL_MFE &&
						   hash_match(nic, IXGBE_MTA, destination));
	case CAST_UNI:
		break;
	}
	*inexact = true;
	return fctrl & IXGBE_FCTRL_UPE || hash_match(nic, IXGBE_PFUTA, destination);
}

static bool vlan_accept(const struct nic *nic, const struct parsed *packet)
{
	uint32_t vlnctrl = reg(nic, IXGBE_VLNCTRL);
	uint32_t id = packet->tag & 0xfff;
	uint32_t cfi = packet->tag >> 12 & 1;

	if (!packet->vlan)
		return true;
	if (vlnctrl & IXGBE_VLNCTRL_CFIEN && cfi != IXGBE_FIELD_GET(IXGBE_VLNCTRL_CFI, vlnctrl))
		return false;
	if (!(vlnctrl & IXGBE_VLNCTRL_VFE))
		return true;
	return reg(nic, IXGBE_AT(VFTA, id / 32)) >> id % 32 & 1;
}

bool filter_accept(struct nic *nic, const uint8_t *destination, const struct parsed *packet,
		   bool *inexact)
{
	if (nic->data->filter_stale)
		filter_rebuild(nic);
	if (!address_accept(nic, destination, inexact)) {
		count(nic, COUNTER_rx_drop_address);
		return false;
	}
	if (!vlan_accept(nic, packet)) {
		count(nic, COUNTER_rx_drop_vlan);
		return false;
	}
	return true;
}

/* ---- Queues ---- */

/* The first EtherType filter that matches, or -1. */
static int ethertype_match(const struct nic *nic, const struct parsed *packet)
{
	for (uint32_t i = 0; i < IXGBE_ETQF_COUNT; i++) {
		uint32_t etqf = reg(nic, IXGBE_AT(ETQF, i));

		if (!(etqf & IXGBE_ETQF_FILTER_EN) || packet->ip != PARSE_NO_IP ||
		    IXGBE_FIELD_GET(IXGBE_ETQF_ETYPE, etqf) != packet->type)
			continue;
		return (int)i;
	}
	return -1;
}

/* As FTQF.PROTOCOL counts them. */
static uint32_t five_tuple_protocol(const struct parsed *packet)
{
	switch (packet->l4_protocol) {
	case IPPROTO_TCP:
		return IXGBE_FTQF_PROTOCOL_TCP;
	case IPPROTO_UDP:
		return IXGBE_FTQF_PROTOCOL_UDP;
	case IPPROTO_SCTP:
		return IXGBE_FTQF_PROTOCOL_SCTP;
	default:
		return IXGBE_FTQF_PROTOCOL_OTHER;
	}
}

/* The frame's pool, which filters compare: there are pools in virtualization mode only. */
static uint32_t frame_pool(const struct nic *nic)
{
	uint32_t vt = reg(nic, IXGBE_PFVTCTL);

	return vt & IXGBE_PFVTCTL_VT_ENA ? IXGBE_FIELD_GET(IXGBE_PFVTCTL_DEF_PL, vt) : 0;
}

/* A filter that compares ports is for packets that have some. */
static bool five_tuple_match(const struct nic *nic, uint32_t i, const struct parsed *packet,
			     const uint8_t *data)
{
	uint32_t ftqf = reg(nic, IXGBE_AT(FTQF, i));
	uint32_t ports = packet->l4 ? le32_at(data + packet->l4) ^ reg(nic, IXGBE_AT(SDPQF, i))
				    : IXGBE_SDPQF_SRC_PORT | IXGBE_SDPQF_DST_PORT;
	uint32_t source = le32_at(data + packet->l3 + IPV4_ADDRESSES) ^ reg(nic, IXGBE_AT(SAQF, i));
	uint32_t destination =
		le32_at(data + packet->l3 + IPV4_ADDRESSES + 4) ^ reg(nic, IXGBE_AT(DAQF, i));
	uint32_t protocol = five_tuple_protocol(packet);

	return ftqf & IXGBE_FTQF_QUEUE_ENABLE && (ftqf & IXGBE_FTQF_MASK_SRC_ADDR || source == 0) &&
	       (ftqf & IXGBE_FTQF_MASK_DST_ADDR || destination == 0) &&
	       (ftqf & IXGBE_FTQF_MASK_SRC_PORT || !(ports & IXGBE_SDPQF_SRC_PORT)) &&
	       (ftqf & IXGBE_FTQF_MASK_DST_PORT || !(ports & IXGBE_SDPQF_DST_PORT)) &&
	       (ftqf & IXGBE_FTQF_MASK_PROTOCOL ||
		IXGBE_FIELD_GET(IXGBE_FTQF_PROTOCOL, ftqf) == protocol) &&
	       (ftqf & IXGBE_FTQF_MASK_POOL ||
		IXGBE_FIELD_GET(IXGBE_FTQF_POOL, ftqf) == frame_pool(nic));
}

/* The filter of the highest priority that matches, or -1. Unfragmented IPv4 only. */
static int five_tuple(const struct nic *nic, const struct parsed *packet, const uint8_t *data)
{
	uint32_t best_priority = 0;
	int best = -1;

	if (packet->ip != PARSE_IPV4 || packet->fragment)
		return -1;
	for (uint32_t i = 0; i < IXGBE_FTQF_COUNT; i++) {
		uint32_t priority =
			IXGBE_FIELD_GET(IXGBE_FTQF_PRIORITY, reg(nic, IXGBE_AT(FTQF, i)));

		if (!five_tuple_match(nic, i, packet, data))
			continue;
		if (best < 0 || priority > best_priority) {
			best = (int)i;
			best_priority = priority;
		}
	}
	return best;
}

static uint32_t mode_queue(const struct nic *nic, const struct parsed *packet, bool hashed,
			   uint32_t hash)
{
	uint32_t mode = IXGBE_FIELD_GET(IXGBE_MRQC_MRQE, reg(nic, IXGBE_MRQC));
	uint32_t pool = IXGBE_FIELD_GET(IXGBE_PFVTCTL_DEF_PL, reg(nic, IXGBE_PFVTCTL));
	uint32_t class = reg(nic, IXGBE_RTRUP2TC) >> (packet->tag >> 13) * 3 & 7;
	uint32_t index = 0;

	if (hashed)
		index = reg(nic, IXGBE_AT(RETA, (hash & 0x7f) / 4)) >> (hash & 3) * 8;
	return (pool * mrqe_modes[mode].pool + class * mrqe_modes[mode].class +
		(index & mrqe_modes[mode].rss_mask)) %
	       IXGBE_RXQ_COUNT;
}

/* TCP packets with SYN (7.1.2.6). */
static bool syn_match(const struct nic *nic, const struct parsed *packet, const uint8_t *data)
{
	return reg(nic, IXGBE_SYNQF) & IXGBE_SYNQF_QUEUE_EN && packet->l4 &&
	       packet->l4_protocol == IPPROTO_TCP && data[packet->l4 + TCP_FLAGS] & TCP_FLAGS_SYN;
}

/* The queue by the SYN filter or the five-tuple filters, in the order of SYNQFP; -1: by neither. */
static int fixed_queue(const struct nic *nic, const struct parsed *packet, const uint8_t *data)
{
	uint32_t synqf = reg(nic, IXGBE_SYNQF);
	bool syn = syn_match(nic, packet, data);
	int filter = -1;

	if (nic->data->five_tuples && !(syn && synqf & IXGBE_SYNQF_SYNQFP))
		filter = five_tuple(nic, packet, data);
	if (filter >= 0)
		return (int)IXGBE_FIELD_GET(IXGBE_L34TIMIR_RX_QUEUE,
					    reg(nic, IXGBE_AT(L34TIMIR, filter)));
	return syn ? (int)IXGBE_FIELD_GET(IXGBE_SYNQF_RX_QUEUE, synqf) : -1;
}

/* The flow director's queues are absolute, or with pools those of the frame's pool. */
static uint32_t flow_queue(const struct nic *nic, const struct fdir_verdict *flow)
{
	uint32_t mode = IXGBE_FIELD_GET(IXGBE_MRQC_MRQE, reg(nic, IXGBE_MRQC));
	uint32_t apart = mrqe_modes[mode].pool;

	if (flow->drop || apart == 0)
		return flow->queue;
	return (frame_pool(nic) * apart + flow->queue % apart) % IXGBE_RXQ_COUNT;
}

void filter_queue(struct nic *nic, const struct parsed *packet, const struct frame *frame,
		  struct receive_packet *out, uint32_t *hash)
{
	struct data *dp = nic->data;
	uint32_t mrqc = reg(nic, IXGBE_MRQC);
	uint32_t mode = IXGBE_FIELD_GET(IXGBE_MRQC_MRQE, mrqc);
	uint8_t input[RSS_INPUT_BYTES];
	uint32_t type = IXGBE_RXD_RSS_NONE;
	size_t input_len = 0;
	struct fdir_verdict flow = {0};
	int filter = dp->ethertypes ? ethertype_match(nic, packet) : -1;
	int queue;

	*hash = 0;
	out->done.dword[0] = packet->types;
	if (dp->fdir_on) {
		fdir_lookup(nic, packet, frame, frame_pool(nic), &flow);
		out->done.dword[2] |= flow.status;
	}
	if (filter >= 0) {
		uint32_t etqs = reg(nic, IXGBE_AT(ETQS, filter));

		out->done.dword[0] = IXGBE_RXD_TYPE_ETQF | (uint32_t)filter << 4;
		out->queue = IXGBE_FIELD_GET(IXGBE_ETQS_RX_QUEUE, etqs);
		if (etqs & IXGBE_ETQS_QUEUE_EN)
			return;
	}
	if (mrqe_modes[mode].rss_mask)
		input_len = rss_input(input, &type, packet, frame->head, mrqc);
	if (input_len)
		*hash = rss_hash(&dp->rss, input, input_len);
	queue = fixed_queue(nic, packet, frame->head);
	if (queue >= 0) {
		out->queue = (uint32_t)queue;
	} else if (flow.routed) {
		out->queue = flow_queue(nic, &flow);
		out->flow_drop = flow.drop;
	} else {
		out->queue = mode_queue(nic, packet, input_len != 0, *hash);
	}
	if (flow.report) {
		type = IXGBE_RXD_RSS_FDIR;
		*hash = flow.id;
	}
	out->done.dword[0] |= IXGBE_FIELD_PREP(IXGBE_RXD_RSS_TYPE, type);
}
