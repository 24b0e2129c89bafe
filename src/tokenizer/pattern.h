/**
 * A pattern compiled by PCRE2 over an alphabet of kinds (tokenizer/alphabet.h), and matches of it. Only this
 * file's .c knows PCRE2.
 */
#ifndef DT_TOKENIZER_PATTERN_H
#define DT_TOKENIZER_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** Immutable, shared by threads. */
typedef struct dt_pattern {
    char *where; /**< whose pattern it is, for sentences */
    struct pcre2_real_code_8 *code;
    bool has_jit; /**< machine code; without it, where a system forbids that, PCRE2 interprets */
} dt_pattern;

/** What one thread needs to match. */
typedef struct dt_matcher {
    struct pcre2_real_match_data_8 *data;
    struct pcre2_real_match_context_8 *context;
    struct pcre2_real_jit_stack_8 *stack;
    int64_t longest; /**< text that a match may take its steps for */
} dt_matcher;

/**
 * Compiles what dt_alphabet_write made. Fails for what PCRE2 refuses, and for a pattern that may match
 * nothing at all; `where` begins the sentence. The caller frees it in any case. Local.
 */
dt_status dt_pattern_create(dt_pattern *pattern, const char *written, const char *where);

/** Frees it; one that is all zero is fine. Local. */
void dt_pattern_free(dt_pattern *pattern);

/** Makes a thread's matcher. The caller frees it in any case. Local. */
dt_status dt_matcher_create(dt_matcher *matcher);

/** Frees it; one that is all zero is fine. Local. */
void dt_matcher_free(dt_matcher *matcher);

/**
 * The first match in kinds[0..length) that begins at `from` or behind it, as [*first, *end), of which
 * *first = *end = length says that there is none. Fails with DT_USAGE where a match takes more steps or
 * memory than a pattern of a tokenizer can need, which a sentence tells with the tokenizer's name. Allocates
 * nothing where there is machine code. Local.
 */
dt_status dt_pattern_find(const dt_pattern *pattern, dt_matcher *matcher, const uint8_t *kinds,
                          int64_t length, int64_t from, int64_t *first, int64_t *end);

#endif
