/* SPDX-License-Identifier: MIT */
/*
 * ixtap: asks a running ixtapd, or ixnic, and shows the answer.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     ixtap.c          the command line
 *       |
 *     show_list.c      ixtap list
 *     show_status.c    ixtap status
 *     show_stats.c     ixtap stats
 *     show_features.c  ixtap features
 *     show_monitor.c   ixtap monitor
 *     show_nic.c       ixtap nic
 *     show_upgrade.c   ixtap upgrade
 *       |
 *     client.c         the control socket
 *       |
 *     output.c         text and JSON on the terminal; ixlat uses this file too
 *
 * bridge/service/control.h has the protocol. With -j an answer is printed as it came, one object a
 * line.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "output.h"

#define IXTAP_RUN_DIR "/run/ixtap"

#define IXTAP_NIC_WORDS 4u /* of a request to ixnic */

struct ixtap {
	const char *name;    /* of the TAP; NULL: of the only ixtapd that runs */
	const char *control; /* the socket's path; NULL: found by `name` */
	bool json;
	bool all;          /* show counters that are zero too */
	double interval_s; /* 0: show once */
	/* What to set, and to what; both NULL: nothing. */
	const char *feature, *value;
	const char *program;                  /* of ixtap upgrade; NULL: the one that runs */
	const char *request[IXTAP_NIC_WORDS]; /* of ixtap nic; NULL after the last */
};

/* The commands. They return the exit status: 0, or 1 after one line on standard error. */
int ixtap_list(const struct ixtap *cli);
int ixtap_status(const struct ixtap *cli);
int ixtap_stats(const struct ixtap *cli);
int ixtap_features(const struct ixtap *cli);
int ixtap_monitor(const struct ixtap *cli);
int ixtap_nic(const struct ixtap *cli);
int ixtap_upgrade(const struct ixtap *cli);

/* ---- client.c ---- */

/* A socket connected to the daemon, or -1 after a line on standard error. */
int client_connect(const struct ixtap *cli);
/* The same with that of the TAP `name`. */
int client_connect_name(const char *name);
/*
 * Calls found() for each control socket in IXTAP_RUN_DIR, in the order of their names: the name of
 * the TAP, and 0 if a daemon has the socket, or -errno (listen_probe). 0, or -errno of the folder;
 * it is no error if that is missing.
 */
int client_each(void (*found)(void *ctx, const char *name, int err), void *ctx);
/* Sends one request: 0, or -1 after a line on standard error. */
int client_send(int fd, const char *request);
/*
 * The next object from the daemon, to be released with json_decref(); or NULL after a line on
 * standard error. {"error": ...} is a failure too. `timeout_ms` -1: waits without limit.
 */
json_t *client_receive(int fd, int timeout_ms);
/* Shows an answer, as it came with -j, else by put(). Takes the reference; NULL: the failure has
 * been told. The exit status. */
int client_show(const struct ixtap *cli, json_t *answer, void (*put_answer)(const json_t *answer));
/* client_send() and client_receive(), with the time limit for all requests. */
json_t *client_request(int fd, const char *request);
