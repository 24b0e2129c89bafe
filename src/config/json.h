/**
 * JSON that comes from outside: bounded before it is parsed, and its integers exact in every reader.
 *
 * What JSON becomes in memory is some twenty times as large as its text, and may be as deep as it is long. So
 * the text is looked through first: depth and number of values must be within the bounds below, which are
 * above what the largest model needs. And since most readers take every number for a double, an integer
 * beyond 2^53 is written as a string of its digits; what dtrain reads may be either.
 */
#ifndef DT_CONFIG_JSON_H
#define DT_CONFIG_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Objects and lists within one another, and values of one text. A safetensors header of 1024 layers with
 * both moments has 196693 values; hooks of 32 levels (config/yaml.h) stand in metadata.json two levels
 * deeper. */
#define DT_JSON_MAX_DEPTH  64
#define DT_JSON_MAX_VALUES 250000

/**
 * Parses text[0..length), in which no key stands twice, into the new `*value`, which the caller owns. Fails
 * with the rest of a sentence whose start is the caller's: "expected at most ..", "line 3 is not JSON: ..".
 * Local.
 */
dt_status dt_json_parse(const char *text, size_t length, json_t **value);

/** The integer as a new value: a number up to 2^53 either way, else a string. NULL when out of memory. Local.
 */
json_t *dt_json_integer(int64_t integer);

/** Reads what dt_json_integer makes, or any integer of JSON; false where `value` is neither. NULL is allowed.
 * Local. */
bool dt_json_read_integer(const json_t *value, int64_t *integer);

#endif
