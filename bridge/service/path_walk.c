/* SPDX-License-Identifier: MIT */
#include "path_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel has it */
#define IS_A_LINK "it is a symbolic link; name the file itself"

/* From one open folder to the next. */
struct walk {
	enum path_use use;
	uid_t root;
	int folder;          /* O_PATH, -1 before the first */
	bool shared;         /* others may put names into it */
	bool unsafe;         /* others have a say in this folder, or in one before it */
	unsigned int links;  /* followed */
	char gone[PATH_MAX]; /* the way to here, for people */
	char rest[PATH_MAX]; /* of the path */
};

static int system_error(struct ixgbe_why *why, int err)
{
	return ixgbe_why_fill(why, err, "%s", strerror(-err));
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

const char *path_loose(const struct stat *st)
{
	if (!is_ours(st))
		return "it belongs to another user: chown it to root or to yourself";
	if (st->st_mode & S_IWOTH)
		return "everybody may write to it: chmod o-w";
	if (st->st_mode & S_IWGRP)
		return "its group, or users of its access list, may write to it: chmod g-w";
	return NULL;
}

/* ---- Folders ---- */

static bool is_trusted(const struct walk *walk, const struct stat *st)
{
	return is_ours(st) || st->st_uid == walk->root;
}

/* The walk has come to a folder: takes note of who has a say there. */
static int judge(struct walk *walk, struct ixgbe_why *why)
{
	const char *fault;
	struct stat st;

	if (fstat(walk->folder, &st))
		return system_error(why, -errno);
	if (is_trusted(walk, &st))
		st.st_uid = 0;
	fault = path_loose(&st);
	walk->shared = fault != NULL;
	if (st.st_uid == 0 && st.st_mode & S_ISVTX)
		fault = NULL;
	if (!fault)
		return 0;
	walk->unsafe = true;
	if (walk->use != PATH_READ && walk->use != PATH_EXECUTE)
		return 0;
	return ixgbe_why_fill(why, -EPERM,
			      "others may put another file in its place, by way of the folder %s: "
			      "%s",
			      walk->gone, fault);
}

/* Enters a folder by an open descriptor of it, or by -1 with the errno that is set. */
static int enter(struct walk *walk, int fd, struct ixgbe_why *why)
{
	if (fd < 0)
		return system_error(why, -errno);
	if (walk->folder >= 0)
		close(walk->folder);
	walk->folder = fd;
	return judge(walk, why);
}

/* Of an absolute path, or of one that begins where we are. */
static int walk_begin(struct walk *walk, struct ixgbe_why *why)
{
	const char *from = *walk->rest == '/' ? "/" : ".";

	strcpy(walk->gone, from);
	return enter(walk, open(from, O_PATH | O_DIRECTORY | O_CLOEXEC), why);
}

/* ---- Names and links ---- */

/* Takes the next name off the rest; what is behind a last slash is "." in that folder. */
static int next_name(struct walk *walk, char *name, bool *last, struct ixgbe_why *why)
{
	char *rest = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(rest, "/");

	if (len > NAME_MAX)
		return system_error(why, -ENAMETOOLONG);
	memcpy(name, len ? rest : ".", len ? len : 1);
	name[len ? len : 1] = '\0';
	*last = rest[len] == '\0';
	memmove(walk->rest, rest + len, strlen(rest + len) + 1);
	return 0;
}

static void note_name(struct walk *walk, const char *name)
{
	size_t len = strlen(walk->gone);

	if (!strcmp(walk->gone, "."))
		len = 0;
	/* What is too long for people to read is cut; it decides nothing. */
	snprintf(walk->gone + len, sizeof(walk->gone) - len, "%s%s",
		 len && walk->gone[len - 1] != '/' ? "/" : "", name);
}

/* Whether the link is one to what a process has open. */
static bool leads_to_open(const struct walk *walk)
{
	struct statfs fs;
	struct stat st;

	return !fstatfs(walk->folder, &fs) && fs.f_type == PROC_SUPER_MAGIC &&
	       !fstat(walk->folder, &st) && is_trusted(walk, &st);
}

/* Puts what the link says before the rest of the path. */
static int link_follow(struct walk *walk, const char *name, const struct stat *link,
		       struct ixgbe_why *why)
{
	char text[PATH_MAX];
	ssize_t len;

	if (++walk->links > LINKS_MAX)
		return system_error(why, -ELOOP);
	if (walk->use == PATH_WRITE_OURS && !*walk->rest)
		return ixgbe_why_fill(why, -ELOOP, IS_A_LINK);
	if (walk->unsafe || !is_trusted(walk, link)) {
		note_name(walk, name);
		return ixgbe_why_fill(why, -EPERM,
				      "the symbolic link %s belongs to another user, or another "
				      "user may have put it there; name the file itself",
				      walk->gone);
	}
	len = readlinkat(walk->folder, name, text, sizeof(text));
	if (len <= 0)
		return system_error(why, len < 0 ? -errno : -ENOENT);
	if ((size_t)len + strlen(walk->rest) >= sizeof(walk->rest))
		return system_error(why, -ENAMETOOLONG);
	memmove(walk->rest + len, walk->rest, strlen(walk->rest) + 1);
	memcpy(walk->rest, text, (size_t)len);
	return text[0] == '/' ? walk_begin(walk, why) : 0;
}

/* ---- The path ---- */

/* One name. 1 at the path's end, 0 before it, or -errno with a reason. */
static int step(struct walk *walk, char *name, bool *opened, struct ixgbe_why *why)
{
	struct stat st = {0};
	bool last = false, link;
	int err = next_name(walk, name, &last, why);

	if (err)
		return err;
	if (fstatat(walk->folder, name, &st, AT_SYMLINK_NOFOLLOW) && (!last || errno != ENOENT))
		return system_error(why, -errno);
	link = S_ISLNK(st.st_mode);
	*opened = link && is_trusted(walk, &st) && leads_to_open(walk);
	if (link && !*opened)
		return link_follow(walk, name, &st, why);
	if (last)
		return 1;
	note_name(walk, name);
	return enter(walk,
		     openat(walk->folder, name,
			    O_PATH | O_DIRECTORY | O_CLOEXEC | (*opened ? 0 : O_NOFOLLOW)),
		     why);
}

static int walk_all(struct walk *walk, struct path_end *out, struct ixgbe_why *why)
{
	char name[NAME_MAX + 1];
	bool opened = false;
	int err = walk_begin(walk, why);

	while (!err)
		err = step(walk, name, &opened, why);
	if (err > 0 && walk->use == PATH_EXECUTE && walk->shared)
		err = ixgbe_why_fill(why, -EPERM,
				     "others may put a file there that nobody meant: not even a "
				     "folder with the sticky bit will do, which %s is",
				     walk->gone);
	if (err < 0)
		return err;
	out->folder = walk->folder;
	strcpy(out->name, name);
	out->ours = walk->use == PATH_WRITE_OURS ||
		    (walk->use == PATH_WRITE && walk->shared && !opened);
	out->opened = opened;
	return 0;
}

int path_walk(const char *path, enum path_use use, struct path_end *out, struct ixgbe_why *why)
{
	struct walk *walk;
	struct stat st;
	int err;

	if (!*path)
		return system_error(why, -ENOENT);
	if (strlen(path) >= sizeof(walk->rest))
		return system_error(why, -ENAMETOOLONG);
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return system_error(why, -ENOMEM);
	walk->root = stat("/", &st) ? 0 : st.st_uid;
	walk->use = use;
	walk->folder = -1;
	strcpy(walk->rest, path);
	err = walk_all(walk, out, why);
	if (err && walk->folder >= 0)
		close(walk->folder);
	free(walk);
	return err;
}

int path_open(const struct path_end *end, int flags, mode_t mode, struct ixgbe_why *why)
{
	int err = 0,
	    fd = openat(end->folder, end->name,
			flags | O_NOCTTY | O_CLOEXEC | (end->opened ? 0 : O_NOFOLLOW), mode);
	struct stat st;

	if (fd < 0)
		return errno == ELOOP ? ixgbe_why_fill(why, -ELOOP, IS_A_LINK)
				      : system_error(why, -errno);
	if (!end->ours)
		return fd;
	if (fstat(fd, &st))
		err = system_error(why, -errno);
	else if (!is_ours(&st) || st.st_nlink != 1)
		err = ixgbe_why_fill(why, -EPERM,
				     "it belongs to another user or has another name; remove it");
	if (!err)
		return fd;
	close(fd);
	return err;
}
