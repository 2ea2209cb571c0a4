/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

/*
 * Text from outside, such as a name or a path, as a JSON string. JSON is UTF-8, and the kernel's
 * names are any bytes: a byte that is not UTF-8 stands there as \xHH (four characters), and so does
 * a backslash. Whoever replaces each \xHH by its byte has the name as it is.
 */
json_t *text_json(const char *text);
