/**
 * Values as YAML on one line that reads back as the same bits and bytes.
 */
#ifndef DT_CONFIG_EMIT_H
#define DT_CONFIG_EMIT_H

#include <jansson.h>
#include <stdio.h>

#define DT_REAL_TEXT_BYTES 40

/**
 * Writes a finite number with the fewest digits that read back the same, always with a point or an exponent.
 * Returns `text`. Local.
 */
const char *dt_emit_digits(double value, char text[DT_REAL_TEXT_BYTES]);

/** Prints a UTF-8 string: as it is where that is safe, in double quotes and with escapes otherwise. Local. */
void dt_emit_string(const char *text, FILE *file);

/**
 * Prints a tree in flow style, which is JSON but for the escapes: {"update": [{"name": "identity"}]}. Local.
 */
void dt_emit_tree(const json_t *tree, FILE *file);

#endif
