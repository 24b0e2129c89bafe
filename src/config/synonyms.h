/**
 * What other trainers call the options and verbs of this one, for suggestions: who writes block_size meant
 * max_seq_len. None of these words is taken; a message names the one that is.
 */
#ifndef DT_CONFIG_SYNONYMS_H
#define DT_CONFIG_SYNONYMS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Whether `word` (length bytes, without dashes in front) is another trainer's name for `candidate`. '-' and
 * '_' are one letter, and so are capitals and small letters. Local.
 */
bool dt_synonyms_has(const char *word, size_t length, const char *candidate);

#endif
