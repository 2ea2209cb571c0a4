/* SPDX-License-Identifier: MIT */
/*
 * What all of tests/groundwork uses: results, and processes that can be killed.
 *
 * Who calls whom: each row calls rows below.
 *
 *     groundwork.c     the command line, and what was found
 *       |
 *     held_device.c    who keeps a VFIO device open
 *     held_dma.c       who keeps its memory mapped for DMA
 *     mapped_bar.c     a BAR in several processes
 *     dead_ring.c      the io_uring of a killed process
 *     kept_rights.c    what an exec keeps
 *     first_process.c  how process 1 of a PID namespace ends
 *     shared_pages.c   memory that another process can write
 *       |
 *     bare_device.c    VFIO without the driver
 *       |
 *     facts.c          results, and processes that can be killed
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- Results, as TAP ---- */

/* Prints "ok" or "not ok" with a number and the text: what is expected, and what was seen. */
__attribute__((format(printf, 2, 3))) void fact(bool good, const char *text, ...);
/* What cannot be seen here, and why. */
__attribute__((format(printf, 1, 2))) void fact_skip(const char *text, ...);
/* A number that is no verdict. */
__attribute__((format(printf, 1, 2))) void fact_note(const char *text, ...);
/* Prints the plan; the exit status of the program. */
int facts_end(void);
/* The rig itself does not work: says why, with errno, and ends this process. */
__attribute__((noreturn)) void fact_broken(const char *what);

int64_t now_us(void);
void sleep_us(int64_t us);
/* A number from 0 to count - 1, another each time. */
int any_below(int count);

/* ---- Messages: a number, and descriptors ---- */

#define MESSAGE_FDS 3
/* Over a packet socket. A peer that does not answer within 30 s is a broken rig. */
void message_send(int sock, int64_t value, const int *fds, int count);
int64_t message_take(int sock, int *fds, int count);
/* A pair of packet sockets, which survive an exec. */
void message_pair(int pair[2]);

/* ---- Processes that can be killed ---- */

struct actor {
	pid_t pid;
	int pidfd, sock;
};

/* Forks a process that calls play(sock, arg) and ends; it ends with its parent, too. */
void actor_start(struct actor *actor, void (*play)(int sock, void *arg), void *arg);
/* Waits for the actor's next message. */
int64_t actor_says(const struct actor *actor);
/* Tells the actor to go on. */
void actor_go(const struct actor *actor);
/* Both: the actor goes on, and says something. */
int64_t actor_next(const struct actor *actor);
/* Kills the actor. Returns how long its pidfd took to say that the actor is dead, in us. */
int64_t actor_kill(struct actor *actor);
/* Whether the actor is dead within that time. */
bool actor_dead(const struct actor *actor, int64_t limit_us);
/* Reaps a dead actor: its status, as of waitpid. */
int actor_end(struct actor *actor);
/* In an actor: says a number, and waits until it is to go on. */
void say_and_wait(int sock, int64_t value);
/* In an actor: waits to be killed. */
__attribute__((noreturn)) void wait_for_death(void);

/* A memfd of so many bytes, mapped shared. */
void *memory_new(const char *name, size_t bytes, int *fd);

/* ---- The parts ---- */

void facts_held_device(const char *bdf);
void facts_held_dma(const char *bdf);
void facts_mapped_bar(const char *bdf);
void facts_dead_ring(int kills);
void facts_kept_rights(void);
void facts_first_process(void);
void facts_shared_pages(void);

/* What this program does after it has executed itself; `words` are the rest of its command line. */
int after_exec_dma(char **words);
int after_exec_rights(char **words);
int after_exec_bar(char **words);
