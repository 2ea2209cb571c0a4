/* SPDX-License-Identifier: MIT */
/*
 * The operator's side: one request a packet, one JSON object a reply.
 *
 *   status               {"version", "mac", "client", "link", "cable", "laser", "light",
 *                         "violations"}
 *   link up|down         plugs or pulls the cable; replies as status
 *   registers [PREFIX]   {"registers": {"CTRL": 0, "RDT": [0, ...], ...}}
 *   queues               {"rx": [{"queue", "head", "tail", "length"}, ...], "tx": [...]}: those
 *                        that are enabled
 *   counters             {"counters": {...}, "statistics": {"GPRC": 0, ...}}
 *   violations           {"total", "counts": {"RX_TAIL_RANGE": 1, ...}, "rules": {"RX_TAIL_RANGE":
 *                         {"section", "text", "first": ["...", ...]}}}: those that were broken
 *
 *   dma read IOVA LENGTH a bus access past the driver (rogue.h): {"path": "off|shared|message",
 *   dma write IOVA HEX   "refused": "why", or null, and "data": "HEX" of a read that was not}. The
 *                        client that asked is not listened to until its reply is there.
 *
 * Nothing else here has side effects for the driver: registers are shown as stored, statistics are
 * not cleared. What goes wrong is {"error": "what, why, what to do"}.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "operator.h"
#include "listen.h"
#include "rogue.h"
#include "tools/ixnic/chip/chip.h"
#include "tools/ixnic/chip/violations.h"
#include "tools/ixnic/data/data.h"
#include "tools/ixnic/loop.h"

#define WORDS_MAX     5         /* one more than any command has */
#define REQUEST_BYTES 1024      /* dma write is the longest */
#define REPLY_BYTES   (1 << 20) /* all registers are about 60 KB */
#define CLIENTS_MAX   16

struct client {
	struct control *control;
	int fd; /* -1: free */
};

struct control {
	struct nic *nic;
	struct server *server;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct client clients[CLIENTS_MAX];
	struct client *current; /* whose request is being answered */
	struct client *asking;  /* who waits for rogue; NULL: nobody */
	bool rogue_busy;
	struct rogue rogue;
};

static bool reply_send(const struct client *client, const json_t *reply);
static void client_close(struct client *client);

static json_t *error(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

/* ---- The commands ---- */

static json_t *status(struct control *control, char **args)
{
	const struct nic *nic = control->nic;
	const uint8_t *m = nic->mac;
	char mac[18];

	(void)args;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return json_pack("{s:s, s:s, s:b, s:s, s:b, s:b, s:b, s:I}", "version", IXTAP_VERSION,
			 "mac", mac, "client", control->server && server_client(control->server),
			 "link", link_is_up(nic) ? "up" : "down", "cable", nic->cable, "laser",
			 link_laser(nic), "light", link_light(nic), "violations",
			 (json_int_t)violation_total(nic));
}

static json_t *link_command(struct control *control, char **args)
{
	if (args[0] && strcmp(args[0], "up") == 0)
		link_cable_set(control->nic, true);
	else if (args[0] && strcmp(args[0], "down") == 0)
		link_cable_set(control->nic, false);
	else
		return error("link: says neither up nor down; try: link up");
	return status(control, args);
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

static json_t *registers(struct control *control, char **args)
{
	const char *prefix = args[0] ? args[0] : "";
	json_t *rows = json_object();

	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		if (strncasecmp(r->name, prefix, strlen(prefix)) == 0)
			json_object_set_new(rows, r->name, row_json(control->nic, r));
	}
	if (json_object_size(rows) == 0) {
		json_decref(rows);
		return error("registers: no register's name begins so; try: registers RX");
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

static json_t *queues(struct control *control, char **args)
{
	const struct nic *nic = control->nic;
	json_t *rx = json_array(), *tx = json_array();

	(void)args;
	for (uint32_t q = 0; q < NIC_QUEUES; q++) {
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

static json_t *counters(struct control *control, char **args)
{
	json_t *counted = json_object(), *statistics = json_object();

	(void)args;
	datapath_counters(control->nic, counter_add, counted);
	for (size_t i = 0; i < ixgbe_register_count; i++) {
		const struct ixgbe_register *r = &ixgbe_registers[i];

		if (r->access == IXGBE_REG_RC)
			json_object_set_new(statistics, r->name, row_json(control->nic, r));
	}
	return json_pack("{s:o, s:o}", "counters", counted, "statistics", statistics);
}

static json_t *violations(struct control *control, char **args)
{
	json_t *counts = json_object(), *rules = json_object();

	(void)args;
	for (int i = 0; i < VIOLATIONS; i++) {
		struct violation_info info = violation_info(control->nic, (enum nic_violation)i);
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
	return json_pack("{s:I, s:o, s:o}", "total", (json_int_t)violation_total(control->nic),
			 "counts", counts, "rules", rules);
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
	struct control *control = ctx;
	struct client *client = control->asking;
	json_t *reply = rogue_json(&control->rogue);

	control->rogue_busy = false;
	control->asking = NULL;
	if (client) {
		loop_modify(control->nic->loop, client->fd, EPOLLIN);
		if (!reply_send(client, reply))
			client_close(client);
	}
	json_decref(reply);
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
	*out = strtoull(text, &end, 0);
	return !errno && end != text && !*end && text[0] != '-';
}

static bool rogue_read_words(struct rogue *rogue, char **args)
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

/* json_null(): the reply comes, or came, by on_rogue. */
static json_t *dma_command(struct control *control, char **args)
{
	struct client *client = control->current;
	int err;

	if (control->rogue_busy)
		return error("dma: another access is under way; try again when it is done");
	control->rogue = (struct rogue){.done = on_rogue, .ctx = control};
	if (!rogue_read_words(&control->rogue, args))
		return error("dma: not understood; try: dma read IOVA LENGTH, or "
			     "dma write IOVA HEX, 1 to 256 bytes");
	control->rogue_busy = true;
	control->asking = client;
	/* Not heard until then: only its end. */
	loop_modify(control->nic->loop, client->fd, 0);
	err = control->server ? rogue_start(control->nic, control->server, &control->rogue)
			      : -ENOTCONN;
	if (!err)
		return json_null();
	control->rogue_busy = false;
	control->asking = NULL;
	loop_modify(control->nic->loop, client->fd, EPOLLIN);
	return error(err == -ENOTCONN ? "dma: there is no client; start a driver first"
		     : err == -EBUSY  ? "dma: another access is under way; try again"
				      : "dma: more bytes than the client takes; ask for fewer");
}

static const struct {
	const char *name;
	int args; /* at most */
	json_t *(*run)(struct control *control, char **args);
} commands[] = {
	{"status", 0, status},   {"link", 1, link_command}, {"registers", 1, registers},
	{"queues", 0, queues},   {"counters", 0, counters}, {"violations", 0, violations},
	{"dma", 3, dma_command},
};

static json_t *answer(struct control *control, char *request)
{
	char *words[WORDS_MAX + 1] = {NULL};
	char *rest = request;
	int n = 0;

	for (char *word; n < WORDS_MAX && (word = strtok_r(rest, " \t\n", &rest)); n++)
		words[n] = word;
	for (size_t i = 0; n > 0 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, words[0]))
			continue;
		if (n - 1 > commands[i].args)
			return error("request: too many words for this command; leave some out");
		return commands[i].run(control, words + 1);
	}
	return error("request: unknown; "
		     "try: status, link up|down, registers [PREFIX], queues, counters, "
		     "violations, dma read|write");
}

/* ---- The socket ---- */

static void client_close(struct client *client)
{
	if (client->control->asking == client)
		client->control->asking = NULL;
	loop_remove(client->control->nic->loop, client->fd);
	close(client->fd);
	client->fd = -1;
}

/* A client that does not read its reply is dropped: nothing here waits for it. */
static bool reply_send(const struct client *client, const json_t *reply)
{
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	ssize_t sent;

	if (!text)
		return false;
	sent = send(client->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
	return sent >= 0;
}

static void client_event(void *ctx, uint32_t events)
{
	struct client *client = ctx;
	struct control *control = client->control;
	char request[REQUEST_BYTES];
	ssize_t len;
	json_t *reply;
	bool sent;

	/* One that waits for its reply: nothing but its end is heard. */
	if (control->asking == client && events & (EPOLLHUP | EPOLLERR)) {
		client_close(client);
		return;
	}
	len = recv(client->fd, request, sizeof(request) - 1, MSG_DONTWAIT | MSG_TRUNC);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		client_close(client);
		return;
	}
	if ((size_t)len >= sizeof(request)) {
		reply = error("request: longer than any command; try: status");
	} else {
		request[len] = '\0';
		control->current = client;
		reply = answer(control, request);
	}
	if (json_is_null(reply))
		return; /* the client may be gone */
	sent = reply_send(client, reply);
	json_decref(reply);
	if (!sent)
		client_close(client);
}

static void accept_event(void *ctx, uint32_t events)
{
	struct control *control = ctx;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int size = REPLY_BYTES;

	(void)events;
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &control->clients[i];

		if (client->fd >= 0)
			continue;
		client->fd = fd;
		if (loop_add(control->nic->loop, fd, EPOLLIN, client_event, client) == 0)
			return;
		client->fd = -1;
		break;
	}
	close(fd); /* full */
}

int control_new(struct nic *nic, struct server *server, const char *path, struct control **out,
		struct ixgbe_why *why)
{
	struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return ixgbe_why_fill(why, -ENOMEM, "control socket %s: no memory", path);
	control->nic = nic;
	control->server = server;
	for (int i = 0; i < CLIENTS_MAX; i++)
		control->clients[i] = (struct client){.control = control, .fd = -1};
	err = control->fd = listen_at("control socket", path, SOCK_SEQPACKET, why);
	if (control->fd < 0)
		goto free_control;
	strcpy(control->path, path);
	err = loop_add(nic->loop, control->fd, EPOLLIN, accept_event, control);
	if (err) {
		ixgbe_why_fill(why, err, "control socket %s: %s", control->path, strerror(-err));
		goto close_socket;
	}
	*out = control;
	return 0;

close_socket:
	unlink(path);
	close(control->fd);
free_control:
	free(control);
	return err;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i].fd >= 0)
			client_close(&control->clients[i]);
	}
	if (control->rogue_busy)
		server_dma_cancel(control->server);
	loop_remove(control->nic->loop, control->fd);
	close(control->fd);
	unlink(control->path);
	free(control);
}
