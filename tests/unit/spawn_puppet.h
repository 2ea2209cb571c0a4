/* SPDX-License-Identifier: MIT */
/* What the tests of bridge/spawn ask their driver to do. The driver is spawn_puppet.c behind the
 * product's main(). */
#pragma once

#include <stdint.h>

#include "bridge/spawn/spawn.h"

/* What prepare is told to do, in the record. */
enum puppet_prepare {
	PREPARE_WELL,
	PREPARE_FAIL,
	PREPARE_EXIT,
	PREPARE_HANG,
	PREPARE_NONSENSE, /* sends a word that is too short */
	PREPARE_VERSION,  /* says that it is of another version */
};

struct puppet_record {
	uint32_t prepare;
	uint32_t last; /* isolation_last before the driver answers */
	char text[64];
};

/* What a driver does: its number in the socket of the driver's order, which answers with a struct
 * puppet_answer. Those behind DEED_HARMLESS are a driver's end when the last filter is in force. */
enum deed {
	DEED_PID,
	DEED_SHARED, /* writes to prepare's descriptor */
	DEED_RECORD, /* the record's text */
	DEED_REPORT, /* isolation_last's */
	DEED_WORK,   /* all that a driver does with frames and messages */
	DEED_EXIT,   /* with status 9 */
	DEED_HARMLESS,
	DEED_OPEN,
	DEED_IO_URING,
	DEED_NAME,
	DEED_THREAD,
	DEED_OTHER_THREAD, /* one that was there before the filter makes a ring */
	/* Those behind are its end at the start, too. */
	DEED_SOCKET,
	DEED_KILL,
	DEED_PTRACE,
	DEED_MMAP_EXEC,
	DEED_MPROTECT_EXEC,
	DEED_EXECVE,
	DEED_UNSHARE,
	DEED_CLONE_NAMESPACE,
	DEED_IOCTL,
	DEED_FALLOCATE,
	DEED_MADVISE_REMOVE,
	DEED_MEMFD,
	DEED_MOUNT,
	DEED_SETUID,
	DEED_PROCESS_VM,
	DEED_PIDFD_GETFD,
	DEED_BPF,
	DEED_SEAL,
	DEED_COUNT
};

struct puppet_answer {
	int64_t value; /* of the call, or -errno */
	char text[64];
	struct isolation_report report;
};
