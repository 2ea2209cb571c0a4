/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

/* Text from outside, such as a name or a path, as a JSON string, written as printable.h says. */
json_t *text_json(const char *text);
