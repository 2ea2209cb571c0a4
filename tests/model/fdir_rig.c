/* SPDX-License-Identifier: MIT */
#include "fdir_rig.h"

#include <arpa/inet.h>
#include <linux/vfio.h>
#include <string.h>

const struct flow_spec usual = {{.payload = 20}, "192.0.2.1", "192.0.2.2"};

void fdir_room(struct model *m, uint32_t pballoc)
{
	model_write(m, IXGBE_RXPBSIZE, (512u << 10) - (pballoc ? 32u << (10 + pballoc) : 0));
	for (uint32_t i = 1; i < IXGBE_RXPBSIZE_COUNT; i++)
		model_write(m, IXGBE_AT(RXPBSIZE, i), 0);
}

void fdir_control(struct rig *rig, uint32_t fdirctrl)
{
	model_write(rig->m, IXGBE_FDIRCTRL, fdirctrl);
	model_wait(rig->m, IXGBE_FDIRCTRL, IXGBE_FDIRCTRL_INIT_DONE, IXGBE_FDIRCTRL_INIT_DONE);
}

void fdir_again(struct rig *rig, uint32_t fdirctrl)
{
	model_write(rig->m, IXGBE_FDIRFREE, 0);
	model_set(rig->m, IXGBE_FDIRCMD, IXGBE_FDIRCMD_CLEARHT);
	model_clear(rig->m, IXGBE_FDIRCMD, IXGBE_FDIRCMD_CLEARHT);
	model_write(rig->m, IXGBE_FDIRHASH, 0);
	fdir_control(rig, fdirctrl);
}

void fdir_start(struct rig *rig, void **state, uint32_t pballoc, uint32_t flags)
{
	*rig = (struct rig){.m = *state};
	rings_begin(rig->m);
	fdir_room(rig->m, pballoc);
	model_write(rig->m, IXGBE_FDIRHKEY, BUCKET_KEY);
	model_write(rig->m, IXGBE_FDIRSKEY, SIGNATURE_KEY);
	fdir_control(rig, pballoc | flags | FLEX_ETHERTYPE);
	for (uint32_t q = 0; q < FDIR_QUEUES; q++)
		rx_open(&rig->rx[q], rig->m, q, 64, 2, 0);
	rings_go(rig->m);
	flow_build(&rig->f, &usual);
	rig->flow = flow_of(&rig->f);
}

uint32_t arrives(struct rig *rig, const struct built *f, uint32_t queue)
{
	model_wire_send(rig->m, f->data, f->len);
	rx_take(&rig->rx[queue], &rig->got);
	return rig->got.last.dword[2];
}

bool matches(struct rig *rig, const struct built *f, uint32_t queue)
{
	return arrives(rig, f, queue) & IXGBE_RXD_STAT_FLM;
}

/* ---- The hash, as the datasheet has it (7.1.2.7.15) ---- */

static uint16_t plain_hash(uint32_t key, const uint8_t stream[42])
{
	bool s[336], ext_s[366];
	uint16_t hash = 0;

	for (int n = 0; n < 336; n++)
		s[n] = stream[41 - n / 8] >> n % 8 & 1;
	for (int n = 0; n < 15; n++) {
		ext_s[n] = s[321 + n];
		ext_s[351 + n] = s[n];
	}
	memcpy(ext_s + 15, s, sizeof(s));
	for (uint32_t i = 0; i <= 350; i++)
		for (uint32_t bit = 0; bit < 16 && key >> (i + 1) % 32 & 1; bit++)
			hash = (uint16_t)(hash ^ ext_s[i + bit] << bit);
	return hash;
}

uint16_t flow_hash(uint32_t key, const struct flow *flow)
{
	uint8_t stream[42];

	set16(stream, flow->vlan);
	memcpy(stream + 2, flow->source, 16);
	memcpy(stream + 18, flow->destination, 16);
	memcpy(stream + 34, flow->ports, 4);
	memcpy(stream + 38, flow->flex, 2);
	stream[40] = flow->pool;
	stream[41] = flow->type;
	return plain_hash(key, stream);
}

struct flow flow_of(const struct built *f)
{
	const uint8_t *ip = f->data + f->l3;
	bool v6 = ip[0] >> 4 == 6;
	uint8_t protocol = v6 ? ip[6] : ip[9];
	struct flow flow = {.flex = {f->data[12], f->data[13]}};

	if (get16(f->data + 12) == 0x8100)
		flow.vlan = get16(f->data + 14);
	memcpy(flow.source + (v6 ? 0 : 12), ip + (v6 ? 8 : 12), v6 ? 16 : 4);
	memcpy(flow.destination + (v6 ? 0 : 12), ip + (v6 ? 24 : 16), v6 ? 16 : 4);
	flow.type = (uint8_t)(v6 << 2 | (protocol == 17 ? 1 : protocol == 6 ? 2 : 3));
	if (protocol != 132)
		memcpy(flow.ports, f->data + f->l4, 4);
	return flow;
}

uint32_t signature_of(const struct flow *flow)
{
	return (uint32_t)(flow_hash(SIGNATURE_KEY, flow) & 0x7fff) << 16 |
	       (flow_hash(BUCKET_KEY, flow) & 0x7fff);
}

uint32_t index_of(const struct flow *flow, uint32_t index)
{
	return index << 16 | (flow_hash(BUCKET_KEY, flow) & 0x1fff);
}

/* ---- Programming ---- */

void fdir_command(struct rig *rig, uint32_t fdirhash, uint32_t fdircmd)
{
	const uint32_t both[2] = {fdirhash, fdircmd};

	assert_int_equal(model_region_write(rig->m, VFIO_PCI_BAR0_REGION_INDEX, IXGBE_FDIRHASH,
					    both, sizeof(both)),
			 0);
	assert_int_equal(model_read(rig->m, IXGBE_FDIRCMD) & IXGBE_FDIRCMD_CMD, 0);
}

static uint32_t address(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

void perfect(struct rig *rig, const struct flow *flow, uint32_t index, uint32_t fdircmd)
{
	for (uint32_t i = 0; i < 3; i++)
		model_write(rig->m, IXGBE_AT(FDIRSIPV6, i), address(flow->source + i * 4));
	model_write(rig->m, IXGBE_FDIRIPSA, address(flow->source + 12));
	model_write(rig->m, IXGBE_FDIRIPDA, address(flow->destination + 12));
	model_write(rig->m, IXGBE_FDIRPORT,
		    (uint32_t)get16(flow->ports + 2) << 16 | get16(flow->ports));
	model_write(rig->m, IXGBE_FDIRVLAN,
		    (uint32_t)flow->flex[1] << 24 | (uint32_t)flow->flex[0] << 16 | flow->vlan);
	fdir_command(rig, index_of(flow, index),
		     fdircmd | IXGBE_FIELD_PREP(IXGBE_FDIRCMD_L4TYPE, flow->type & 3) |
			     (flow->type & 4 ? IXGBE_FDIRCMD_IPV6 : 0) |
			     IXGBE_FIELD_PREP(IXGBE_FDIRCMD_POOL, flow->pool));
}

void fdir_counted(struct rig *rig, uint32_t added, uint32_t removed, uint32_t add_failed,
		  uint32_t remove_failed)
{
	assert_int_equal(model_read(rig->m, IXGBE_FDIRUSTAT), removed << 16 | added);
	assert_int_equal(model_read(rig->m, IXGBE_FDIRFSTAT), remove_failed << 8 | add_failed);
}

void flow_build(struct built *f, const struct flow_spec *flow)
{
	bool v6 = flow->spec.ipv6;

	frame_build(f, &flow->spec);
	inet_pton(v6 ? AF_INET6 : AF_INET, flow->source, f->data + f->l3 + (v6 ? 8 : 12));
	inet_pton(v6 ? AF_INET6 : AF_INET, flow->destination, f->data + f->l3 + (v6 ? 24 : 16));
}
