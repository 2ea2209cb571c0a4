/* SPDX-License-Identifier: MIT */
/*
 * measure: probes are sent, reflected and received.
 *
 * Who calls whom: each row calls rows below, none calls up or beside.
 *
 *     run.c             one run: when each probe is due, and the times of the answers
 *     reflect_tcp.c     the reflector of TCP connections
 *       |
 *     sender.c          the socket of a run: probes out, answers in
 *     flight.c          the probes that wait for an answer
 *     progress.c        a line on the terminal during a run
 *     reflect.c         the reflector of datagrams and frames
 *       |
 *     packet_socket.c   a socket for Ethernet frames
 *     socket.c          a long receive queue
 *     probe.c           the format of probes and answers
 *     stop.c            SIGINT and SIGTERM
 */
#pragma once

#include "tools/ixlat/command_line.h"
#include "tools/ixlat/result/result.h"

/*
 * Sends the probes and fills *result, which is from result_init(). SIGINT or SIGTERM ends the run
 * early. 0, or -1 after a line on standard error: the run could not start, the two ends have two
 * clocks, the connection broke, or nothing came back.
 */
int run_probes(const struct ixlat_options *options, struct result *result);
