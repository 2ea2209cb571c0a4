/* SPDX-License-Identifier: MIT */
/*
 * The client's memory, by IOVA.
 *
 * Mappings are an array sorted by IOVA, searched by bisection behind a cache of the last hit. A
 * guest with an IOMMU maps page by page, thousands of pages of one file: so a file is mapped into
 * this process once, whole, and counted; a mapping is a place in it.
 *
 * A client may cut a file short after it was mapped; touching the lost pages raises SIGBUS. The
 * handler puts anonymous zeroed memory there, notes the file as torn and lets the access go on: the
 * server hears of it through an eventfd and drops the client. A file sealed against shrinking
 * cannot do that, but not every client seals.
 *
 * Memory without a file is not asked for by message, although the protocol could: the data path
 * would have to stop at any descriptor and wait for the client. Nothing is lost by it. A client
 * sends the file of all memory it can share, and with an IOMMU of every page that the driver
 * mapped: the client would refuse the rest. Here an access to the rest breaks the rule DMA_FAULT,
 * but not where the client has mapped memory without its file, nor where the mapping was refused:
 * that is no driver's doing.
 *
 * A client that has mapped a file privately itself (QEMU's memory without share=on) writes to pages
 * that nobody else ever sees. Its file is no memory either.
 *
 * Memory is a file that can be sealed: a memfd, of tmpfs, of huge pages. A file of another file
 * system may be one that the client itself serves (FUSE), and every touch of it would wait for the
 * client.
 */
#include "memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "ixgbe/vfio_user/vfio_user.h"
#include "peer_maps.h"
#include "tools/ixnic/chip/violations.h"

#define PAGE_BYTES 4096u
/* Memory without a file, from here on, is taken for a guest's own; QEMU's VGA has 16 MiB. */
#define GUEST_MEMORY_BYTES (32u << 20)
/* Refused mappings that are remembered, the latest ones. */
#define REFUSALS 16u

struct file {
	struct file *next;     /* of its table */
	struct file *next_all; /* of the process: for the signal handler */
	dev_t dev;
	ino_t ino;
	int prot;
	uint8_t *base;
	size_t size;
	size_t page; /* of the file system: huge pages are replaced whole */
	size_t mappings;
	int torn_fd;
};

struct mapping {
	uint64_t iova;
	uint64_t size;
	struct file *file; /* NULL: not shared with us */
	uint64_t offset;   /* in the file */
	uint32_t access;
};

struct refusal {
	uint64_t iova;
	uint64_t size; /* 0: none */
};

struct memory {
	struct mapping *mapping; /* sorted by iova, disjoint */
	size_t count, room;
	size_t last; /* index of the last hit */
	struct file *files;
	size_t file_count;
	bool enabled;
	pid_t client;      /* 0: not known */
	bool told;         /* the client, that it does not share its memory */
	uint64_t unshared; /* accesses that failed for that */
	struct refusal refusal[REFUSALS];
	uint32_t refusals; /* so far */
	int torn_fd;
	void (*refused)(void *ctx);
	void *refused_ctx;
};

/* ---- Files ---- */

/* All files of all tables. SIGBUS is raised by our own access, never while this list changes. */
static struct file *all_files;

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	uint8_t *at = info->si_addr;
	int saved = errno;

	(void)context;
	for (struct file *f = all_files; f; f = f->next_all) {
		if (at < f->base || at >= f->base + f->size)
			continue;
		size_t start = (size_t)(at - f->base) / f->page * f->page;
		size_t len = f->size - start < f->page ? f->size - start : f->page;

		if (mmap(f->base + start, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
			 0) == MAP_FAILED)
			break;
		(void)!write(f->torn_fd, &(uint64_t){1}, sizeof(uint64_t));
		errno = saved;
		return;
	}
	/* Not the client's memory: a bug of ours, or broken hardware. Die of it on return. */
	signal(number, SIG_DFL);
}

static int catch_sigbus(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) ? -errno : 0;
}

static void file_put(struct memory *memory, struct file *file)
{
	if (!file || --file->mappings > 0)
		return;
	for (struct file **at = &memory->files; *at; at = &(*at)->next) {
		if (*at == file) {
			*at = file->next;
			break;
		}
	}
	for (struct file **at = &all_files; *at; at = &(*at)->next_all) {
		if (*at == file) {
			*at = file->next_all;
			break;
		}
	}
	munmap(file->base, file->size);
	free(file);
	memory->file_count--;
}

/* Maps a file anew that has grown. It may move: mappings have offsets, not addresses. */
static int file_grow(struct file *file, int fd, size_t size)
{
	void *base;

	if (size <= file->size)
		return 0;
	base = mmap(NULL, size, file->prot, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	munmap(file->base, file->size);
	file->base = base;
	file->size = size;
	return 0;
}

static int file_new(struct memory *memory, int fd, const struct stat *st, int prot,
		    struct file **out)
{
	struct file *file;
	void *base;

	if (memory->file_count == MEMORY_FILES_MAX)
		return -ENOSPC;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	base = mmap(NULL, (size_t)st->st_size, prot, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED) {
		int err = -errno;

		free(file);
		return err;
	}
	*file = (struct file){
		.next = memory->files,
		.next_all = all_files,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.prot = prot,
		.base = base,
		.size = (size_t)st->st_size,
		.page = (size_t)st->st_blksize >= PAGE_BYTES ? (size_t)st->st_blksize : PAGE_BYTES,
		.torn_fd = memory->torn_fd,
	};
	memory->files = all_files = file;
	memory->file_count++;
	*out = file;
	return 0;
}

/* The file behind `fd`, mapped at least up to `end`, with one mapping more. -EXDEV: what the client
 * has there is not in the file. */
static int file_get(struct memory *memory, int fd, uint64_t end, uint32_t access, struct file **out)
{
	struct file *file = NULL;
	struct stat st;
	int mode, prot, err;

	if (fcntl(fd, F_GET_SEALS) < 0)
		return -ENOTSUP;
	mode = fcntl(fd, F_GETFL);
	if (mode < 0 || fstat(fd, &st))
		return -errno;
	mode &= O_ACCMODE;
	if (mode == O_WRONLY || (mode == O_RDONLY && (access & MEMORY_WRITABLE)))
		return -EACCES;
	if (st.st_size < 0 || end > (uint64_t)st.st_size)
		return -EINVAL;
	prot = mode == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ;

	for (file = memory->files; file; file = file->next) {
		if (file->dev == st.st_dev && file->ino == st.st_ino && file->prot == prot)
			break;
	}
	if (!file && peer_maps_private_only(memory->client, st.st_dev, st.st_ino))
		return -EXDEV;
	if (file)
		err = file_grow(file, fd, end > file->size ? (size_t)st.st_size : file->size);
	else
		err = file_new(memory, fd, &st, prot, &file);
	if (err)
		return err;
	assert(file);
	file->mappings++;
	*out = file;
	return 0;
}

/* ---- The table ---- */

int memory_new(struct nic *nic)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	int err;

	if (!memory)
		return -ENOMEM;
	memory->torn_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = memory->torn_fd < 0 ? -errno : catch_sigbus();
	if (err) {
		if (memory->torn_fd >= 0)
			close(memory->torn_fd);
		free(memory);
		return err;
	}
	nic->memory = memory;
	return 0;
}

void memory_free(struct nic *nic)
{
	struct memory *memory = nic->memory;

	if (!memory)
		return;
	memory_unmap_all(memory);
	close(memory->torn_fd);
	free(memory->mapping);
	free(memory);
	nic->memory = NULL;
}

/* The index of the first mapping that ends after `iova`: the one that holds it, or the next. */
static size_t find(const struct memory *memory, uint64_t iova)
{
	size_t low = 0, high = memory->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mapping *m = &memory->mapping[middle];

		if (m->iova <= iova && iova - m->iova >= m->size)
			low = middle + 1;
		else if (m->iova > iova)
			high = middle;
		else
			return middle;
	}
	return low;
}

static int make_room(struct memory *memory)
{
	size_t room = memory->room ? 2 * memory->room : 64;
	struct mapping *more;

	if (memory->count == VU_DMA_MAPS_MAX)
		return -ENOSPC;
	if (memory->count < memory->room)
		return 0;
	more = reallocarray(memory->mapping, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	memory->mapping = more;
	memory->room = room;
	return 0;
}

/* Whether a range is of whole pages and ends within 64 bits. */
static bool range_valid(uint64_t at, uint64_t size)
{
	return size > 0 && at % PAGE_BYTES == 0 && size % PAGE_BYTES == 0 &&
	       size - 1 <= UINT64_MAX - at;
}

/* Tells the client once that the NIC does not reach its memory. */
static void tell(struct memory *memory, const char *what, uint64_t iova, uint64_t size)
{
	if (memory->told)
		return;
	memory->told = true;
	log_line(IXGBE_LOG_WARNING,
		 "the client %s (%#llx bytes at IOVA %#llx): the NIC cannot reach it; QEMU wants "
		 "-object memory-backend-memfd,share=on",
		 what, (unsigned long long)size, (unsigned long long)iova);
}

/* The refusal that has to do with the range; NULL: none. */
static struct refusal *refusal_of(struct memory *memory, uint64_t iova, uint64_t last)
{
	for (uint32_t i = 0; i < REFUSALS; i++) {
		struct refusal *r = &memory->refusal[i];

		if (r->size && r->iova <= last && iova <= r->iova + (r->size - 1))
			return r;
	}
	return NULL;
}

/* The client says otherwise now. */
static void refusals_forget(struct memory *memory, uint64_t iova, uint64_t last)
{
	struct refusal *r;

	while ((r = refusal_of(memory, iova, last)))
		r->size = 0;
}

static bool is_ordinary(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int map_range(struct memory *memory, uint64_t iova, uint64_t size, uint32_t access, int fd,
		     uint64_t offset)
{
	struct file *file = NULL;
	size_t at;
	int err;

	at = find(memory, iova);
	if (at < memory->count &&
	    (memory->mapping[at].iova <= iova || memory->mapping[at].iova - iova < size))
		return -EEXIST;
	err = make_room(memory);
	if (err)
		return err;
	if (fd >= 0) {
		if (!range_valid(offset, size) || offset + size < size)
			return -EINVAL;
		err = file_get(memory, fd, offset + size, access, &file);
		if (err == -ENOTSUP && is_ordinary(fd))
			tell(memory, "has its memory in a file on a disk", iova, size);
		if (err && err != -EXDEV)
			return err;
		if (err)
			tell(memory, "has mapped its memory privately", iova, size);
	} else if (size >= GUEST_MEMORY_BYTES) {
		tell(memory, "shares no file of its memory", iova, size);
	}
	memmove(&memory->mapping[at + 1], &memory->mapping[at],
		(memory->count - at) * sizeof(*memory->mapping));
	memory->mapping[at] = (struct mapping){iova, size, file, offset, access};
	memory->count++;
	refusals_forget(memory, iova, iova + (size - 1));
	return 0;
}

int memory_map(struct memory *memory, uint64_t iova, uint64_t size, uint32_t access, int fd,
	       uint64_t offset)
{
	int err;

	if (!range_valid(iova, size) || access == 0 ||
	    access & ~(MEMORY_READABLE | MEMORY_WRITABLE))
		return -EINVAL;
	err = map_range(memory, iova, size, access, fd, offset);
	if (err && err != -EEXIST)
		memory->refusal[memory->refusals++ % REFUSALS] = (struct refusal){iova, size};
	return err;
}

int memory_unmap(struct memory *memory, uint64_t iova, uint64_t size)
{
	uint64_t last = iova + (size - 1);
	size_t from, to;

	if (size == 0 || size - 1 > UINT64_MAX - iova)
		return -EINVAL;
	from = find(memory, iova);
	for (to = from; to < memory->count && memory->mapping[to].iova <= last; to++) {
		const struct mapping *m = &memory->mapping[to];

		if (m->iova < iova || m->size - 1 > last - m->iova)
			return -EINVAL;
	}
	refusals_forget(memory, iova, last);
	if (from == to)
		return 0;
	for (size_t i = from; i < to; i++)
		file_put(memory, memory->mapping[i].file);
	memmove(&memory->mapping[from], &memory->mapping[to],
		(memory->count - to) * sizeof(*memory->mapping));
	memory->count -= to - from;
	return 0;
}

void memory_unmap_all(struct memory *memory)
{
	for (size_t i = 0; i < memory->count; i++)
		file_put(memory, memory->mapping[i].file);
	memory->count = 0;
	refusals_forget(memory, 0, UINT64_MAX);
	/* The event of a file that is gone no longer counts. */
	(void)memory_torn(memory);
}

bool memory_torn(struct memory *memory)
{
	uint64_t times;

	return read(memory->torn_fd, &times, sizeof(times)) == sizeof(times);
}

int memory_torn_fd(const struct memory *memory)
{
	return memory->torn_fd;
}

void memory_client(struct memory *memory, pid_t pid)
{
	memory->client = pid;
	memory->told = false;
	memory->unshared = 0;
}

uint64_t memory_unshared(const struct memory *memory)
{
	return memory->unshared;
}

void memory_enable(struct memory *memory, bool on)
{
	memory->enabled = on;
}

/* ---- For the device ---- */

bool memory_enabled(const struct nic *nic)
{
	return nic->memory->enabled;
}

void memory_refused_set(struct memory *memory, void (*refused)(void *ctx), void *ctx)
{
	memory->refused = refused;
	memory->refused_ctx = ctx;
}

void memory_refused(struct nic *nic)
{
	if (nic->memory->refused)
		nic->memory->refused(nic->memory->refused_ctx);
}

/* The mapping that holds `iova` and allows the access, or NULL. */
static const struct mapping *look_up(struct memory *memory, uint64_t iova, bool write)
{
	uint32_t need = write ? MEMORY_WRITABLE : MEMORY_READABLE;
	size_t at = memory->last;

	if (!memory->enabled)
		return NULL;
	if (at >= memory->count || iova < memory->mapping[at].iova ||
	    iova - memory->mapping[at].iova >= memory->mapping[at].size) {
		at = find(memory, iova);
		if (at == memory->count || memory->mapping[at].iova > iova)
			return NULL;
		memory->last = at;
	}
	const struct mapping *m = &memory->mapping[at];

	return m->file && (m->access & need) ? m : NULL;
}

void memory_fault(struct nic *nic, uint64_t iova, const char *what, uint32_t which)
{
	struct memory *memory = nic->memory;
	size_t at = find(memory, iova);
	const struct mapping *m = at < memory->count ? &memory->mapping[at] : NULL;
	const bool mapped = m && m->iova <= iova;
	const struct refusal *r = mapped ? NULL : refusal_of(memory, iova, iova);

	if (r || (mapped && !m->file)) {
		memory->unshared++;
		tell(memory, "does not share memory that its driver uses", r ? r->iova : m->iova,
		     r ? r->size : m->size);
		return;
	}
	violation(nic, VIOLATION_DMA_FAULT, "%s %u at IOVA %#llx", what, which,
		  (unsigned long long)iova);
}

void *memory_at(struct nic *nic, uint64_t iova, size_t len, bool write)
{
	const struct mapping *m = look_up(nic->memory, iova, write);
	const struct mapping *end;
	uint8_t *host;
	uint64_t have;

	if (!m)
		return NULL;
	end = nic->memory->mapping + nic->memory->count;
	host = m->file->base + m->offset + (iova - m->iova);
	have = m->size - (iova - m->iova);
	/* Neighbours by IOVA that are neighbours in the file too, as pages of a guest often are. */
	while (have < len) {
		const struct mapping *next = m + 1;

		if (next == end || next->iova != m->iova + m->size || next->file != m->file ||
		    next->offset != m->offset + m->size || next->access != m->access)
			return NULL;
		have += next->size;
		m = next;
	}
	return host;
}

bool memory_reaches(struct nic *nic, uint64_t iova, size_t len, bool write)
{
	while (len > 0) {
		const struct mapping *m = look_up(nic->memory, iova, write);
		uint64_t have = m ? m->size - (iova - m->iova) : 0;

		if (!m)
			return false;
		if (have >= len)
			break;
		iova += have;
		len -= (size_t)have;
	}
	return true;
}

/* Copies piece by piece. The first piece that is not there ends it. */
static int copy(struct nic *nic, uint64_t iova, uint8_t *mine, size_t len, bool write)
{
	while (len > 0) {
		const struct mapping *m = look_up(nic->memory, iova, write);

		if (!m) {
			if (!memory_enabled(nic))
				return -EFAULT;
			memory_fault(nic, iova,
				     write ? "write of bytes:" : "read of bytes:", (uint32_t)len);
			if (!write) /* a write is posted: nothing comes back */
				memory_refused(nic);
			return -EFAULT;
		}
		uint64_t in = iova - m->iova;
		size_t n = m->size - in < len ? (size_t)(m->size - in) : len;
		uint8_t *host = m->file->base + m->offset + in;

		if (write)
			memcpy(host, mine, n);
		else
			memcpy(mine, host, n);
		iova += n;
		mine += n;
		len -= n;
	}
	return 0;
}

int memory_read(struct nic *nic, uint64_t iova, void *to, size_t len)
{
	return copy(nic, iova, to, len, false);
}

int memory_write(struct nic *nic, uint64_t iova, const void *from, size_t len)
{
	return copy(nic, iova, (uint8_t *)(uintptr_t)from, len, true);
}
