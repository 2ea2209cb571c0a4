/* SPDX-License-Identifier: MIT */
/* An eventfd of the client is signalled. */
#pragma once

struct notifier;

/* 0 or -errno. */
int notifier_new(struct notifier **out);
void notifier_free(struct notifier *notifier); /* takes NULL */

/* Adds 1 to the count of an eventfd, and never waits. */
void notifier_signal(struct notifier *notifier, int eventfd);
