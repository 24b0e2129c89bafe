/**
 * What a file is that is no text in UTF-8, told by its first bytes: what other programs have packed or coded,
 * which a tokenizer of characters would take for a text of <UNK>.
 */
#ifndef DT_DATA_RECOGNISE_H
#define DT_DATA_RECOGNISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** How many bytes of a file, from its first, are looked at. */
#define DT_RECOGNISE_BYTES 65536

/**
 * Fails with DT_USAGE when bytes[0..length), the start of the file `path`, are no UTF-8 text but gzip, UTF-16
 * or another known kind, or hold a NUL byte, and says which and how to make a text of it. Text in an 8-bit
 * encoding passes: what is unknown in it is counted. Local.
 */
dt_status dt_recognise_text(const char *path, const uint8_t *bytes, int64_t length);

/** Whether the text begins with UTF-8's byte order mark, U+FEFF. Local. */
bool dt_recognise_mark(const uint8_t *bytes, int64_t length);

#endif
