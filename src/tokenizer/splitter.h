/**
 * How a text is split into pieces before it is merged, by what a tokenizer.json calls its pre_tokenizer:
 * stages, of which each splits the pieces of the one before it by a pattern; and where a text may be cut so
 * that both sides are split apart.
 *
 *     ByteLevel                  one stage with GPT-2's pattern, or none (use_regex: false)
 *     Split, .., ByteLevel       a stage for each
 *
 * Where ByteLevel adds a prefix space, a piece that comes to it and does not begin with a space gets one.
 */
#ifndef DT_TOKENIZER_SPLITTER_H
#define DT_TOKENIZER_SPLITTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tokenizer/alphabet.h"
#include "tokenizer/pattern.h"

#define DT_SPLITTER_MAX_STAGES 8

/** GPT-2's pattern, which ByteLevel uses. */
extern const char dt_splitter_gpt2[];

/** Where a text may be cut. */
typedef enum dt_splitter_cut {
    DT_CUT_NOWHERE, /**< a pattern of which nothing is known */
    DT_CUT_NEWLINE, /**< after a newline, before a character that is neither white space nor a slash */
    DT_CUT_PAIR     /**< without a pattern: between two bytes that no token joins */
} dt_splitter_cut;

/** What a file says. */
typedef struct dt_splitter_stage {
    const char *text; /**< the pattern, or the text to find */
    bool is_literal;
} dt_splitter_stage;

/** Immutable, shared by threads. */
typedef struct dt_splitter {
    int stages;
    dt_pattern pattern[DT_SPLITTER_MAX_STAGES];
    dt_alphabet alphabet; /**< of all patterns */
    int prefix_stage;     /**< before it a piece gets its prefix space; -1: no piece does */
    dt_splitter_cut cut;
} dt_splitter;

/** Whether a pattern is one of those for which texts are cut at newlines. Their matches leave nothing between
 * them. Local. */
bool dt_splitter_is_known(const char *pattern);

/** Compiles the stages. `where` begins the sentence of a failure. The caller frees it in any case. Local. */
dt_status dt_splitter_create(dt_splitter *splitter, const dt_splitter_stage *stages, int count,
                             int prefix_stage, const char *where);

/** Frees it; one that is all zero is fine. Local. */
void dt_splitter_free(dt_splitter *splitter);

#endif
