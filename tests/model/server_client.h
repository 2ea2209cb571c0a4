/* SPDX-License-Identifier: MIT */
/* A client of the server under test that may do anything: one connection, no manners. */
#pragma once

#include "harness.h"
#include "ixgbe/vfio_user/vfio_user.h"

struct peer;

/* To model_path(); the model's own connection has been given up by model_disconnect(). */
struct peer *peer_connect(struct model *m);
void peer_close(struct peer *p);
int peer_socket(const struct peer *p);

/* Sends a command and waits for its reply: the length of its payload, or -errno. */
int peer_command(struct peer *p, uint16_t command, const void *payload, size_t len, const int *fd,
		 uint32_t fds, void *reply, size_t size);
int peer_reply(struct peer *p, void *reply, size_t size);
void peer_negotiate(struct peer *p);
/* Asks for a channel to the registers: its descriptor, and how the server describes it. */
int peer_channel(struct peer *p, struct vu_sub_region *sub);
/* Raw bytes with `fds` copies of standard error. */
void peer_send_fds(struct peer *p, const void *data, size_t len, uint32_t fds);
/* Waits until the server closes, taking in and throwing away nothing. */
bool peer_dropped(struct peer *p, int timeout_ms);
