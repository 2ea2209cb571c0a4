/* SPDX-License-Identifier: MIT */
/*
 * Each command but link, module, fault, dma, rate, strict and "violations zero" looks only:
 * registers are shown as stored, and statistics are not cleared.
 */
#include "operator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "bridge/service/control.h"
#include "bridge/service/names.h"
#include "fault_words.h"
#include "rogue.h"
#include "tools/ixnic/bus/memory.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/chip/violations.h"
#include "tools/ixnic/data/data.h"
#include "tools/ixnic/loop.h"
#include "tools/ixnic/wire/wire.h"

struct operator_socket {
	struct nic *nic;
	struct server *server;
	struct control *control;
	uint64_t asking; /* the client whose bus access is under way */
	bool rogue_busy;
	struct rogue rogue;
};

/* ---- The commands ---- */

static json_t *status(void *ctx, struct control_request *request)
{
	const struct operator_socket *op = ctx;
	const struct nic *nic = op->nic;
	char mac[NAMES_MAC_TEXT], far_end[128], faults[FAULT_NAMES];
	json_t *reply = json_pack(
		"{s:s, s:s, s:b, s:b, s:b, s:s, s:b, s:b, s:b, s:i, s:b, s:b, s:I, s:I, s:s}",
		"version", IXTAP_VERSION, "mac", names_mac_format(nic->mac, mac), "client",
		op->server && server_client(op->server), "channel",
		op->server && server_channel(op->server), "bus_master", memory_enabled(nic), "link",
		phy_link_is_up(nic) ? "up" : "down", "cable", nic->cable, "laser", phy_laser(nic),
		"light", phy_light(nic), "rate_mbit", (int)wire_rate_get(nic), "strict",
		nic->strict, "stopped", nic->stopped, "violations",
		(json_int_t)violation_total(nic), "unshared",
		(json_int_t)memory_unshared(nic->memory), "faults", fault_words_on(nic, faults));

	(void)request;
	if (wire_far_end(nic, far_end, sizeof(far_end)))
		json_object_set_new(reply, "far_end", json_string(far_end));
	return reply;
}

static json_t *link_command(void *ctx, struct control_request *request)
{
	struct nic *nic = ((struct operator_socket *)ctx)->nic;
	const char *arg = request->words[1];

	if (arg && strcmp(arg, "up") == 0)
		phy_cable_set(nic, true);
	else if (arg && strcmp(arg, "down") == 0)
		phy_cable_set(nic, false);
	else
		return control_error("link: says neither up nor down; try: link up");
	return status(ctx, request);
}

static json_t *module_command(void *ctx, struct control_request *request)
{
	static const char *const kinds[] = {
		[MODULE_NONE] = "out",
		[MODULE_SR] = "sr",
		[MODULE_SR_TWO_RATES] = "sr-1g",
		[MODULE_DA] = "da",
	};
	struct nic *nic = ((struct operator_socket *)ctx)->nic;
	const char *arg = request->words[1];

	for (size_t i = 0; arg && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(arg, kinds[i]) != 0)
			continue;
		phy_module_set(nic, (enum module_kind)i);
		return status(ctx, request);
	}
	return control_error("module: says neither out, sr, sr-1g nor da; try: module sr");
}

static json_t *fault_command(void *ctx, struct control_request *request)
{
	struct nic *nic = ((struct operator_socket *)ctx)->nic;
	const char *arg = request->words[1];
	json_t *error;

	if (arg && strcmp(arg, "list") == 0 && !request->words[2])
		return fault_words_list(nic);
	error = fault_words(nic, request->words + 1);
	return error ? error : status(ctx, request);
}

/* A register as stored: a number, or an array of them. */
static json_t *row_json(const struct nic *nic, const struct ixgbe_register *r)
{
	json_t *array;

	if (r->count == 1)
		return json_integer(reg(nic, r->offset));
	array = json_array();
	for (uint32_t i = 0; i < r->count; i++)
		json_array_append_new(array, json_integer(reg(nic, r->offset + i * r->stride)));
	return array;
}

static json_t *registers(void *ctx, struct control_request *request)
{
	const struct nic *nic = ((struct operator_socket *)ctx)->nic;
	const char *prefix = request->words[1] ? request->words[1] : "";
	json_t *rows = json_object();

	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		if (strncasecmp(r->name, prefix, strlen(prefix)) == 0)
			json_object_set_new(rows, r->name, row_json(nic, r));
	}
	if (json_object_size(rows) == 0) {
		json_decref(rows);
		return control_error("registers: no register's name begins so; try: registers RX");
	}
	return json_pack("{s:o}", "registers", rows);
}

static json_t *queue_json(const struct nic *nic, uint32_t queue, uint32_t head, uint32_t tail,
			  uint32_t length)
{
	return json_pack("{s:i, s:i, s:i, s:i}", "queue", (int)queue, "head", (int)reg(nic, head),
			 "tail", (int)reg(nic, tail), "length",
			 (int)(reg(nic, length) / IXGBE_DESC_BYTES));
}

static json_t *queues(void *ctx, struct control_request *request)
{
	const struct nic *nic = ((struct operator_socket *)ctx)->nic;
	json_t *rx = json_array(), *tx = json_array();

	(void)request;
	for (uint32_t q = 0; q < IXGBE_RXQ_COUNT; q++) {
		if (reg(nic, ixgbe_rxq_reg(IXGBE_RXDCTL, q)) & IXGBE_RXDCTL_ENABLE)
			json_array_append_new(rx, queue_json(nic, q, ixgbe_rxq_reg(IXGBE_RDH, q),
							     ixgbe_rxq_reg(IXGBE_RDT, q),
							     ixgbe_rxq_reg(IXGBE_RDLEN, q)));
		if (reg(nic, ixgbe_txq_reg(IXGBE_TXDCTL, q)) & IXGBE_TXDCTL_ENABLE)
			json_array_append_new(tx, queue_json(nic, q, ixgbe_txq_reg(IXGBE_TDH, q),
							     ixgbe_txq_reg(IXGBE_TDT, q),
							     ixgbe_txq_reg(IXGBE_TDLEN, q)));
	}
	return json_pack("{s:o, s:o}", "rx", rx, "tx", tx);
}

static void counter_add(void *ctx, const char *name, uint64_t value)
{
	json_object_set_new(ctx, name, json_integer((json_int_t)value));
}

static json_t *counters(void *ctx, struct control_request *request)
{
	const struct nic *nic = ((struct operator_socket *)ctx)->nic;
	json_t *counted = json_object(), *statistics = json_object();

	(void)request;
	data_counters(nic, counter_add, counted);
	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		if (r->access == IXGBE_REG_RC)
			json_object_set_new(statistics, r->name, row_json(nic, r));
	}
	return json_pack("{s:o, s:o}", "counters", counted, "statistics", statistics);
}

/* What the last clients broke, the earliest first. */
static json_t *violations_by_client(const struct nic *nic)
{
	uint32_t last = violation_clients(nic);
	json_t *clients = json_array();

	for (uint32_t n = last > VIOLATION_CLIENTS ? last - VIOLATION_CLIENTS + 1 : 1; n <= last;
	     n++) {
		json_t *counts = json_object();

		for (int i = 0; i < VIOLATIONS; i++) {
			uint64_t count = violation_of_client(nic, n, (enum nic_violation)i);

			if (count)
				json_object_set_new(counts,
						    violation_info(nic, (enum nic_violation)i).name,
						    json_integer((json_int_t)count));
		}
		json_array_append_new(clients, json_pack("{s:I, s:o}", "client", (json_int_t)n,
							 "counts", counts));
	}
	return clients;
}

static json_t *violations_json(const struct nic *nic)
{
	json_t *counts = json_object(), *rules = json_object();

	for (int i = 0; i < VIOLATIONS; i++) {
		struct violation_info info = violation_info(nic, (enum nic_violation)i);
		json_t *first;

		if (!info.count)
			continue;
		first = json_array();
		for (int k = 0; info.first[k]; k++)
			json_array_append_new(first, json_string(info.first[k]));
		json_object_set_new(counts, info.name, json_integer((json_int_t)info.count));
		json_object_set_new(rules, info.name,
				    json_pack("{s:s, s:s, s:o}", "section", info.section, "text",
					      info.text, "first", first));
	}
	return json_pack("{s:I, s:o, s:o, s:o}", "total", (json_int_t)violation_total(nic),
			 "counts", counts, "rules", rules, "clients", violations_by_client(nic));
}

static json_t *violations(void *ctx, struct control_request *request)
{
	struct nic *nic = ((struct operator_socket *)ctx)->nic;
	const char *arg = request->words[1];
	json_t *reply;

	if (arg && strcmp(arg, "zero") != 0)
		return control_error("violations: only zero may follow; try: violations zero");
	reply = violations_json(nic);
	if (arg)
		violations_zero(nic);
	return reply;
}

/* ---- Bus accesses ---- */

static json_t *rogue_json(const struct rogue *rogue)
{
	static const char *const path[] = {
		[ROGUE_OFF] = "off", [ROGUE_SHARED] = "shared", [ROGUE_MESSAGE] = "message"};
	char hex[2 * ROGUE_BYTES_MAX + 1] = "";
	const char *why = NULL;
	json_t *reply;

	if (rogue->err == -ENODEV && rogue->path == ROGUE_MESSAGE)
		why = "the client left, or its bus has nothing there";
	else if (rogue->err)
		why = rogue->path == ROGUE_OFF ? "bus mastering is off" : strerror(-rogue->err);
	reply = json_pack("{s:s, s:s?}", "path", path[rogue->path], "refused", why);
	for (uint32_t i = 0; i < rogue->len; i++)
		snprintf(hex + 2 * i, 3, "%02x", rogue->data[i]);
	if (!why && !rogue->write)
		json_object_set_new(reply, "data", json_string(hex));
	return reply;
}

static void on_rogue(void *ctx)
{
	struct operator_socket *op = ctx;

	op->rogue_busy = false;
	control_reply(op->control, op->asking, rogue_json(&op->rogue));
}

/* The bytes of pairs of digits; their number, or 0: no such text, or too many. */
static uint32_t hex_read(const char *text, uint8_t *to, uint32_t max)
{
	size_t digits = strlen(text);

	if (digits % 2 || digits / 2 > max || strspn(text, "0123456789abcdefABCDEF") != digits)
		return 0;
	for (size_t i = 0; i < digits / 2; i++)
		to[i] = (uint8_t)strtoul((char[3]){text[2 * i], text[2 * i + 1], 0}, NULL, 16);
	return (uint32_t)(digits / 2);
}

static bool number_read(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, strncasecmp(text, "0x", 2) ? 10 : 16);
	/* strtoull would take a sign, and octal digits behind a zero. */
	return !errno && *text >= '0' && *text <= '9' && !*end;
}

static bool rogue_read_words(struct rogue *rogue, char *const args[])
{
	uint64_t len;

	if (!args[0] || !args[1] || !args[2] || !number_read(args[1], &rogue->iova))
		return false;
	if (!strcmp(args[0], "write")) {
		rogue->write = true;
		rogue->len = hex_read(args[2], rogue->data, ROGUE_BYTES_MAX);
	} else if (!strcmp(args[0], "read") && number_read(args[2], &len)) {
		rogue->len = len <= ROGUE_BYTES_MAX ? (uint32_t)len : 0;
	}
	return rogue->len > 0 && rogue->len - 1 <= UINT64_MAX - rogue->iova;
}

static json_t *dma_command(void *ctx, struct control_request *request)
{
	struct operator_socket *op = ctx;
	int err;

	if (op->rogue_busy)
		return control_error("dma: another access is under way; try again when it is done");
	op->rogue = (struct rogue){.done = on_rogue, .ctx = op};
	if (!rogue_read_words(&op->rogue, request->words + 1))
		return control_error("dma: not understood; try: dma read IOVA LENGTH, or "
				     "dma write IOVA HEX, 1 to 256 bytes");
	op->rogue_busy = true;
	op->asking = request->client;
	err = op->server ? rogue_start(op->nic, op->server, &op->rogue) : -ENOTCONN;
	request->late = !err;
	if (!err)
		return NULL; /* on_rogue answers */
	op->rogue_busy = false;
	return control_error(
		"%s", err == -ENOTCONN ? "dma: there is no client; start a driver first"
		      : err == -EBUSY  ? "dma: another access is under way; try again"
				       : "dma: more bytes than the client takes; ask for fewer");
}

static json_t *rate_command(void *ctx, struct control_request *request)
{
	struct nic *nic = ((struct operator_socket *)ctx)->nic;
	const char *arg = request->words[1];
	uint64_t mbit_s = 0;
	bool off = arg && strcmp(arg, "off") == 0;
	bool number = arg && !arg[strspn(arg, "0123456789")] && number_read(arg, &mbit_s);

	if ((off || (number && mbit_s > 0)) && mbit_s <= UINT32_MAX &&
	    wire_rate_set(nic, (uint32_t)mbit_s) == 0)
		return status(ctx, request);
	return control_error("rate: how many Mbit/s, 1 to 100000, or off; try: rate 100");
}

/* on, off, or but: all rules but those that are named. */
static json_t *strict_command(void *ctx, struct control_request *request)
{
	struct nic *nic = ((struct operator_socket *)ctx)->nic;
	const char *how = request->words[1], *names = request->words[2];
	bool but = how && strcmp(how, "but") == 0;

	if (!how || but != (names != NULL) || (!but && strcmp(how, "on") && strcmp(how, "off")) ||
	    violations_forgive(nic, names))
		return control_error("strict: on, off, or but and names of rules; try: "
				     "strict but TX_RS,DRV_LOAD");
	nic->strict = strcmp(how, "off") != 0;
	return status(ctx, request);
}

static const struct control_command commands[] = {
	{"status", 0, status, true},         {"link", 1, link_command, true},
	{"registers", 1, registers, true},   {"queues", 0, queues, true},
	{"counters", 0, counters, true},     {"violations", 1, violations, true},
	{"dma", 3, dma_command, true},       {"rate", 1, rate_command, true},
	{"strict", 2, strict_command, true}, {"module", 1, module_command, true},
	{"fault", 3, fault_command, true},   {0},
};

/* ---- Life ---- */

static void on_control(void *ctx, uint32_t events)
{
	(void)events;
	control_dispatch(((struct operator_socket *)ctx)->control);
}

int operator_new(struct nic *nic, struct server *server, const char *path,
		 struct operator_socket **out, struct ixgbe_why *why)
{
	struct operator_socket *op = calloc(1, sizeof(*op));
	int err;

	if (!op)
		return ixgbe_why_fill(why, -ENOMEM, "control socket %s: no memory", path);
	op->nic = nic;
	op->server = server;
	err = control_open(path, commands, op, &op->control, why);
	if (!err) {
		err = loop_add(nic->loop, control_fd(op->control), EPOLLIN, on_control, op);
		if (err)
			ixgbe_why_fill(why, err, "control socket %s: %s", path, strerror(-err));
	}
	if (err) {
		control_close(op->control);
		free(op);
		return err;
	}
	*out = op;
	return 0;
}

void operator_free(struct operator_socket *op)
{
	if (!op)
		return;
	if (op->rogue_busy)
		server_dma_cancel(op->server);
	loop_remove(op->nic->loop, control_fd(op->control));
	control_close(op->control);
	free(op);
}
