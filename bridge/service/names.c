/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

const char *names_interface_fault(const char *name)
{
	if (!*name)
		return "is empty";
	if (strlen(name) >= IFNAMSIZ)
		return "has more than 15 bytes";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "is reserved";
	/* The kernel's settings of all interfaces have these places (/proc/sys/net/ipv4/conf). */
	if (!strcmp(name, "all") || !strcmp(name, "default"))
		return "is reserved";
	for (; *name; name++) {
		/* The kernel takes 0xa0 for a space; some letters in UTF-8 have it. */
		if (strchr("/:% ", *name) || *name == '\xa0')
			return "has a character that no interface's name may have";
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			return "has a control character";
	}
	return NULL;
}

const char *names_netns_fault(const char *name)
{
	if (!*name)
		return "is empty";
	if (strlen(name) > NAME_MAX)
		return "is too long";
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return "is no name of 'ip netns list'";
	return NULL;
}

int names_mac_parse(const char *text, uint8_t mac[NAMES_MAC_BYTES])
{
	static const uint8_t zero[NAMES_MAC_BYTES];
	uint8_t byte[NAMES_MAC_BYTES];
	int end = -1;

	/* All 17 characters are digits or colons, so sscanf finds no sign, no space, and no byte of
	 * one digit. */
	if (strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &byte[0], &byte[1], &byte[2],
		   &byte[3], &byte[4], &byte[5], &end) != 6 ||
	    end != 17)
		return -EINVAL;
	if (byte[0] & 1 || !memcmp(byte, zero, sizeof(zero)))
		return -EADDRNOTAVAIL;
	memcpy(mac, byte, sizeof(byte));
	return 0;
}

const char *names_mac_format(const uint8_t mac[NAMES_MAC_BYTES], char text[NAMES_MAC_TEXT])
{
	snprintf(text, NAMES_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}
