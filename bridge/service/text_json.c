/* SPDX-License-Identifier: MIT */
#include "text_json.h"

#include <stdlib.h>

#include "printable.h"

json_t *text_json(const char *text)
{
	char *escaped = printable_escape(text);
	json_t *json = escaped ? json_string_nocheck(escaped) : NULL;

	free(escaped);
	return json;
}
