/* SPDX-License-Identifier: MIT */
/*
 * ixtap: asks a running ixtapd and shows the answer.
 *
 *   main.c ── options, which object ─┬─ status.c ─┬─ client.c   the control socket
 *                                    ├─ stats.c ──┤
 *                                    └─ monitor.c ┴─ output.c   what a terminal shows
 *
 * The protocol is that of bridge/control.h. With -j an answer is passed on as it came,
 * one object a line; otherwise it is laid out for people.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define IXTAP_RUN_DIR "/run/ixtap"

struct ixtap {
	const char *name;    /* of the TAP; NULL: the only one that runs */
	const char *control; /* path of the socket; NULL: by name */
	bool json;
	bool all;          /* counters that are zero too */
	double interval_s; /* 0: once */
};

/* The objects. The exit status: 0, or 1 after one line on standard error. */
int ixtap_status(const struct ixtap *cli);
int ixtap_stats(const struct ixtap *cli);
int ixtap_monitor(const struct ixtap *cli);

/* ---- client.c ---- */

/* Connects to the daemon meant: a socket, or -1 after a line on standard error. */
int client_connect(const struct ixtap *cli);
/* Sends one request: 0, or -1 after a line on standard error. */
int client_send(int fd, const char *request);
/*
 * The next object from the daemon (json_decref it), or NULL after a line on standard error; an
 * {"error": ...} counts as such. Waits `timeout_ms`, -1: as long as it takes.
 */
json_t *client_receive(int fd, int timeout_ms);
/* client_send and client_receive with the deadline of all requests. */
json_t *client_request(int fd, const char *request);

/* ---- output.c ---- */

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN, COLOUR_HEAD, COLOUR_DIM };

/* Whether standard output is a terminal that wants colours (NO_COLOR, TERM=dumb); once, first. */
void output_init(void);
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Formatted, in a colour; whatever could steer a terminal is shown as '?'. */
void put(enum colour colour, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The object as it came, on one line. */
void put_json(const json_t *object);

#define FORMAT_BYTES 32
/* 1,234,567 */
const char *format_count(char out[FORMAT_BYTES], uint64_t value);
/* 1.23 G, with `unit` appended: three digits that count. */
const char *format_rate(char out[FORMAT_BYTES], double per_second, const char *unit);
/* 2 d 3 h, 3 h 12 min, 12 min 5 s, 5.3 s */
const char *format_duration(char out[FORMAT_BYTES], double seconds);

/* Members of an object, by a path with dots ("nic.soft.pid"); what is missing or of another type
 * is "", 0 or false. */
const json_t *member(const json_t *object, const char *path);
const char *member_text(const json_t *object, const char *path);
int64_t member_int(const json_t *object, const char *path);
double member_number(const json_t *object, const char *path);
bool member_true(const json_t *object, const char *path);
