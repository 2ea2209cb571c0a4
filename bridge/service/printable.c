/* SPDX-License-Identifier: MIT */
#include "printable.h"

void printable(char *text, bool lines)
{
	for (; *text; text++) {
		const unsigned char *c = (const unsigned char *)text;

		if ((c[0] < 0x20 && !(lines && c[0] == '\n')) || c[0] == 0x7f)
			text[0] = '?';
		else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			text[0] = text[1] = '?';
	}
}
