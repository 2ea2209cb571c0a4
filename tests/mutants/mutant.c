/* SPDX-License-Identifier: MIT */
/*
 * What a test program of mutants needs: which mutant it is, the number in $IXTAP_MUTANT, or none.
 * Its sockets are in $IXTAP_MUTANT_DIR, where they are found when the program was killed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool mutant(int number);
char *__real_mkdtemp(char *template);
char *__wrap_mkdtemp(char *template);

bool mutant(int number)
{
	static int chosen = -1;

	if (chosen < 0) {
		const char *text = getenv("IXTAP_MUTANT");

		chosen = text ? atoi(text) : 0;
	}
	return number == chosen;
}

char *__wrap_mkdtemp(char *template)
{
	const char *dir = getenv("IXTAP_MUTANT_DIR");
	size_t room = strlen(template) + 1;

	if (dir && strlen(dir) + sizeof("/XXXXXX") <= room)
		snprintf(template, room, "%s/XXXXXX", dir);
	return __real_mkdtemp(template);
}
