/* SPDX-License-Identifier: MIT */
#include "factory_mac.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bridge/service/netns.h"

#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

/* FNV-1a; the end of a text counts, too. */
static void hash_text(uint64_t *hash, const char *text)
{
	do
		*hash = (*hash ^ (uint8_t)*text) * FNV_PRIME;
	while (*text++);
}

/* The part of a word that is a path; NULL: none is. */
static const char *path_of(const char *word)
{
	static const char *const prefixes[] = {"cable:", "seqpacket:"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(word, prefixes[i], strlen(prefixes[i])))
			return word + strlen(prefixes[i]);
	return *word && strncmp(word, "fd:", 3) && strncmp(word, "tap:", 4) ? word : NULL;
}

static void hash_word(uint64_t *hash, const char *word)
{
	const char *path = path_of(word);
	char here[PATH_MAX], whole[PATH_MAX + 256];

	if (path && *path != '/' && getcwd(here, sizeof(here))) {
		snprintf(whole, sizeof(whole), "%.*s%s/%s", (int)(path - word), word, here, path);
		word = whole;
	}
	hash_text(hash, word);
}

static void hash_machine(uint64_t *hash)
{
	char id[64] = "";
	struct utsname host;
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0) {
		if (read(fd, id, sizeof(id) - 1) < 0)
			id[0] = '\0';
		close(fd);
	}
	hash_text(hash, id);
	hash_text(hash, uname(&host) ? "" : host.nodename);
}

/* The namespace's first name, in the order of the alphabet: one may have several. */
static bool netns_hash_name(uint64_t *hash, const struct netns_id *id)
{
	struct dirent **entries = NULL;
	int count = scandir(NETNS_NAMES, &entries, NULL, alphasort);
	bool found = false;

	for (int i = 0; i < count; i++) {
		if (!found && netns_is_named(entries[i]->d_name, id)) {
			hash_text(hash, entries[i]->d_name);
			found = true;
		}
		free(entries[i]);
	}
	free(entries);
	return found;
}

static void hash_netns(uint64_t *hash)
{
	struct netns_id own, first;
	char number[32] = "";
	int fd = netns_current(NULL);
	int init = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);
	bool known = netns_identify(fd, &own);

	if (known && !netns_hash_name(hash, &own)) {
		/* Who may not look at the first process is taken for its neighbour. */
		if (netns_identify(init, &first) && !netns_same(&own, &first))
			snprintf(number, sizeof(number), "%ju", (uintmax_t)own.ino);
		hash_text(hash, number);
	}
	if (init >= 0)
		close(init);
	if (fd >= 0)
		close(fd);
}

void factory_mac_derive(const char *const words[], size_t count, const char *netns, uint8_t mac[6])
{
	uint64_t hash = FNV_BASIS;

	for (size_t i = 0; i < count; i++)
		hash_word(&hash, words[i] ? words[i] : "");
	hash_text(&hash, netns ? netns : "");
	hash_machine(&hash);
	hash_netns(&hash);
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(hash >> (8 * i + 8));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}
