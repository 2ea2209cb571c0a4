/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

/* Text from outside, such as a name or a path, as a JSON string, written as printable.h says. */
json_t *text_json(const char *text);
/* The JSON text, to be freed; NULL: no memory, or no JSON. `flags` are jansson's, without a
 * precision: each real number has as many digits as tell it from its neighbours, and no more. */
char *text_json_dump(const json_t *json, size_t flags);
