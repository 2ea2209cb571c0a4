/* SPDX-License-Identifier: MIT */
/*
 * ixtap nic: a request for ixnic's control socket, and its reply. ixnic(8) has the requests.
 *
 * Violations are a table. Any other reply is shown as it is built: a line for each member, and
 * members within members further to the right.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/service/control.h"
#include "ixtap.h"

#define REPLY_MS     10000 /* ixnic's own limit for a bus access is 5 s */
#define INDENT       2
#define NAME_COLUMNS 26
#define RULE_COLUMNS 20
#define TEXT_AT      45 /* of the column with a rule's text */

/* ---- Any reply ---- */

static void put_scalar(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		put(COLOUR_NONE, "%s", json_string_value(value));
		break;
	case JSON_INTEGER:
		put(COLOUR_NONE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		put(COLOUR_NONE, "%g", json_real_value(value));
		break;
	case JSON_NULL:
		put(COLOUR_DIM, "none");
		break;
	default:
		put(COLOUR_NONE, json_is_true(value) ? "yes" : "no");
	}
}

static void put_register(const json_t *value)
{
	put(COLOUR_NONE, "0x%08" PRIx32, (uint32_t)json_integer_value(value));
}

/* A register that there is once; or, of an array of them, those that are not zero, by their index.
 */
static void put_registers(const json_t *array)
{
	bool any = false;
	const json_t *value;
	size_t i;

	json_array_foreach(array, i, value)
	{
		if (!json_integer_value(value))
			continue;
		put(COLOUR_NONE, "%s[%zu] ", any ? ", " : "", i);
		put_register(value);
		any = true;
	}
	if (!any)
		put(COLOUR_DIM, "all zero");
}

/* The elements of an array that are objects: a line each. */
static void put_elements(const json_t *array)
{
	const json_t *element, *value;
	const char *name;
	size_t i;

	json_array_foreach(array, i, element)
	{
		const char *between = "";

		put(COLOUR_NONE, "\n%*s", 2 * INDENT, "");
		json_object_foreach((json_t *)element, name, value)
		{
			put(COLOUR_NONE, "%s%s ", between, name);
			put_scalar(value);
			between = ", ";
		}
	}
	if (i == 0)
		put(COLOUR_DIM, "none");
}

static void put_name(const char *name, int indent)
{
	put(COLOUR_NONE, "%*s%-*s ", indent, "", NAME_COLUMNS - indent, name);
}

/* A member that is no object; `of` is what it is a member of. */
static void put_value(const char *of, const json_t *value)
{
	const bool registers = strcmp(of, "registers") == 0;

	if (registers && json_is_array(value))
		put_registers(value);
	else if (registers)
		put_register(value);
	else if (json_is_array(value))
		put_elements(value);
	else
		put_scalar(value);
	put(COLOUR_NONE, "\n");
}

/* ixnic's answers have objects in objects, and no deeper. */
static void put_members(const json_t *object)
{
	const json_t *value, *inner;
	const char *name, *inner_name;

	json_object_foreach((json_t *)object, name, value)
	{
		if (!json_is_object(value)) {
			put_name(name, 0);
			put_value("", value);
			continue;
		}
		put(COLOUR_NONE, "%s\n", name);
		json_object_foreach((json_t *)value, inner_name, inner)
		{
			put_name(inner_name, INDENT);
			put_value(name, inner);
		}
	}
}

/* ---- Violations ---- */

static void put_rule(const char *name, int64_t count, const json_t *rule)
{
	const json_t *first;
	size_t i;

	put(COLOUR_BAD, "%-*s", RULE_COLUMNS, name);
	put(COLOUR_NONE, " %10" PRId64 "  %-10s", count, member_text(rule, "section"));
	put_beside(COLOUR_NONE, TEXT_AT - INDENT, member_text(rule, "text"));
	put(COLOUR_NONE, "\n");
	json_array_foreach(json_object_get(rule, "first"), i, first)
	{
		if (json_is_string(first))
			put(COLOUR_DIM, "%*s%s\n", TEXT_AT, "", json_string_value(first));
	}
}

/* One client's counts: on one line, the most frequent are not told from the others. */
static void put_client(const json_t *client)
{
	const json_t *count;
	const char *name, *between = "  ";

	put(COLOUR_HEAD, "client %" PRId64, member_int(client, "client"));
	json_object_foreach(json_object_get(client, "counts"), name, count)
	{
		put(COLOUR_NONE, "%s%s %" JSON_INTEGER_FORMAT, between, name,
		    json_integer_value(count));
		between = ", ";
	}
	put(COLOUR_NONE, "%s\n", *between == ' ' ? "  none" : "");
}

static void put_violations(const json_t *reply)
{
	const json_t *count, *client;
	const char *name;
	size_t i;

	if (member_int(reply, "total") == 0) {
		put(COLOUR_GOOD, "no rule was broken\n");
	} else {
		put(COLOUR_HEAD, "%-*s %10s  %-10s  %s\n", RULE_COLUMNS, "rule", "count", "section",
		    "what, and the first cases");
		json_object_foreach(json_object_get(reply, "counts"), name, count)
		{
			put_rule(name, json_integer_value(count),
				 json_object_get(json_object_get(reply, "rules"), name));
		}
	}
	json_array_foreach(json_object_get(reply, "clients"), i, client) put_client(client);
}

/* ---- The command ---- */

/* Joins the words of the request; "status" without any. -1: they are too long. */
static int join(const struct ixtap *cli, char out[CONTROL_REQUEST_MAX])
{
	size_t used = 0;

	if (!cli->request[0])
		return snprintf(out, CONTROL_REQUEST_MAX, "status") > 0 ? 0 : -1;
	for (uint32_t i = 0; i < IXTAP_NIC_WORDS && cli->request[i]; i++) {
		used += (size_t)snprintf(out + used, CONTROL_REQUEST_MAX - used, "%s%s",
					 i ? " " : "", cli->request[i]);
		if (used >= CONTROL_REQUEST_MAX)
			return -1;
	}
	return 0;
}

/* As client_request, with a bus access's time. */
static json_t *ask(int fd, const char *request)
{
	return client_send(fd, request) == 0 ? client_receive(fd, REPLY_MS) : NULL;
}

/* An ixtapd has requests of the same names. Its status alone has a TAP: NULL, after a line on
 * standard error, for that. */
static json_t *status_of_a_nic(int fd)
{
	json_t *status = ask(fd, "status");
	const char *soft = member_text(status, "nic.soft.control");
	char text[600]; /* a path with all bytes escaped */

	if (!member(status, "tap"))
		return status;
	if (*soft)
		snprintf(text, sizeof(text),
			 "this is an ixtapd's control socket: that of its software NIC is %s",
			 soft);
	else
		snprintf(text, sizeof(text),
			 "this is an ixtapd's control socket, and its NIC is no ixnic of its own: "
			 "ask ixtapd with 'ixtap status'");
	fail_told(text);
	json_decref(status);
	return NULL;
}

static void put_reply(const json_t *reply)
{
	if (json_is_object(json_object_get(reply, "rules")))
		put_violations(reply);
	else
		put_members(reply);
}

int ixtap_nic(const struct ixtap *cli)
{
	char request[CONTROL_REQUEST_MAX];
	json_t *reply;
	int fd;

	if (join(cli, request)) {
		fail("the request is too long");
		return 1;
	}
	if (!request[0]) {
		fail("the request is empty: try status");
		return 1;
	}
	fd = client_connect(cli);
	if (fd < 0)
		return 1;
	reply = status_of_a_nic(fd);
	if (reply && strcmp(request, "status") != 0) {
		json_decref(reply);
		reply = ask(fd, request);
	}
	close(fd);
	return client_show(cli, reply, put_reply);
}
