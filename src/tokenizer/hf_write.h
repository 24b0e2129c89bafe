/**
 * Writing a tokenizer.json of a byte-level BPE that has been trained (tokenizer/bpe_trainer.h).
 */
#ifndef DT_TOKENIZER_HF_WRITE_H
#define DT_TOKENIZER_HF_WRITE_H

#include <stdbool.h>
#include <stdio.h>

#include "tokenizer/bpe_trainer.h"

/** What the file says beside vocabulary and merges. */
typedef struct dt_hf_options {
    bool use_regex; /**< pieces are those of GPT-2's pattern */
    bool add_prefix_space;
    const char *end_of_text; /**< a special token, which gets the last id; NULL: none */
} dt_hf_options;

/** Writes the file to `file`, whose errors are the caller's to look for. Local. */
dt_status dt_hf_write(FILE *file, const dt_bpe_learned *learned, const dt_hf_options *options);

#endif
