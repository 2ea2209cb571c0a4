/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation.
 *
 * ixtapd is to become several processes: a keeper that has the NIC, and a driver that may be killed
 * at any instruction. What that rests on is tried here on the running kernel, a fact a line, as
 * TAP. The same held on Debian's kernels 6.1, 6.12 and 7.3 in the lab; what needs no VFIO, on 6.18
 * too.
 *
 * A device (held_device.c). Open are: a descriptor in any process, a descriptor under way in a
 * socket, a mapping of the BAR, down to one page of it. Each alone keeps bus mastering and DMA on,
 * with group and container closed everywhere. Group and container alone keep the map, not the
 * device. When the pidfd of a killed process says that it is dead, what the process alone kept open
 * is closed: bus mastering is off. The function reset is part of that, so such a process takes
 * 0.1 s and more to die; one that is not the last holder dies at once. Unbinding waits for a
 * mapping alone, too; the eventfd of the REQ interrupt fires then, also when its setter has closed
 * all descriptors.
 *
 * DMA (held_dma.c). A map belongs to the container. It goes on after an exec, and after the death
 * of the process that made it. Any process with the container may unmap any part and map anew: no
 * kernel since 6.0 compares address spaces. An unmapping that finds nothing is no error, and says 0
 * bytes. An exec starts the count against RLIMIT_MEMLOCK anew, and what was mapped before is never
 * taken off the new count. A hole punched in a memfd that is mapped leaves the device with the old
 * page and the processors with a new one, for ever: only mapping it again cures that.
 *
 * A BAR (mapped_bar.c). A forked child can use its parent's mapping, which MADV_DONTFORK prevents.
 * A program that got the descriptor by SCM_RIGHTS maps anew, and may close it. During a reset by
 * VFIO accesses of other processes wait, and succeed after some 0.12 s; while memory decoding is
 * off they raise SIGBUS. The reset keeps the command register, bus master included, and the
 * interrupts' eventfds. Those also outlive their setter.
 *
 * An io_uring (dead_ring.c). From the pidfd's word on, requests of the dead process's ring take no
 * frame from the TAP, write no buffer, send no frame, take no count from an eventfd. The ring lets
 * go of its files later, in a thread of the kernel: after some 40 ms, on a busy machine 1.3 s.
 * Who has to know registers a pipe's write end with the ring and closes it everywhere: the hang-up
 * is the ring's end. Reads that were complete stand in their buffers; only their completions are
 * lost, at most as many as were posted. A ring whose descriptor somebody else has does not end; its
 * requests take nothing, and keep nothing from a successor's ring.
 *
 * An exec (kept_rights.c). An ambient CAP_NET_ADMIN, no_new_privs, the seccomp filter and the
 * landlock domain survive. Where the domain handles EXECUTE, a descriptor that was opened before
 * gives no right: the file itself, or the way to it, needs a rule, and so does the dynamic loader.
 * The rule holds for a file that was deleted or replaced since. A program in a memfd needs none.
 * PDEATHSIG survives an exec, and is lost at a change of user. It comes when the thread that forked
 * ends, be its process alive. A domain as of landlock's first ABIs denies writing a file, and not
 * truncating one: by its name, or by opening it for reading.
 *
 * Process 1 of a PID namespace (first_process.c). Ends: by SIGSEGV, SIGBUS and seccomp's SIGSYS, as
 * these are forced; after abort(), by SIGSEGV; by SIGKILL from outside, PDEATHSIG's too. Does not
 * end: by raise(SIGABRT), by SIGTERM from outside. With it ends the namespace: whoever forks from
 * outside into it gets ENOMEM from then on, and EINVAL for a second one. Its children are ordinary
 * processes, dead when its pidfd says that it is.
 *
 * Shared memory (shared_pages.c). In a memfd of pages of 4 KiB, sealed against shrinking, a hole
 * reads as zeros and raises no SIGBUS. F_SEAL_FUTURE_WRITE, set when all have mapped it, prevents
 * holes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"

static int usage(void)
{
	fputs("usage: groundwork device|dma|bar BDF | ring KILLS | rights | first | pages\n",
	      stderr);
	return 2;
}

static int run_part(const char *part, char *word)
{
	if (!strcmp(part, "device") && word)
		facts_held_device(word);
	else if (!strcmp(part, "dma") && word)
		facts_held_dma(word);
	else if (!strcmp(part, "bar") && word)
		facts_mapped_bar(word);
	else if (!strcmp(part, "ring") && word)
		facts_dead_ring((int)strtol(word, NULL, 10));
	else if (!strcmp(part, "rights"))
		facts_kept_rights();
	else if (!strcmp(part, "first"))
		facts_first_process();
	else if (!strcmp(part, "pages"))
		facts_shared_pages();
	else
		return usage();
	return facts_end();
}

int main(int count, char **words)
{
	if (count < 2)
		return usage();
	if (!strcmp(words[1], "after-exec-dma") && count == 4)
		return after_exec_dma(words + 2);
	if (!strcmp(words[1], "after-exec-bar") && count == 4)
		return after_exec_bar(words + 2);
	if (!strcmp(words[1], "after-exec-rights") && count == 3)
		return after_exec_rights(words + 2);
	return run_part(words[1], words[2]);
}
