/* SPDX-License-Identifier: MIT */
/* Which mutant a program of mutants.py's copies is: the number in $IXTAP_MUTANT, or none. */
#include <stdbool.h>
#include <stdlib.h>

bool mutant(int number);

bool mutant(int number)
{
	static int chosen = -1;

	if (chosen < 0) {
		const char *text = getenv("IXTAP_MUTANT");

		chosen = text ? atoi(text) : 0;
	}
	return number == chosen;
}
