/**
 * What a tokenizer.json with a byte-level BPE says, as hf_json.c reads it and bpe_encoder.c works by it:
 *
 *     text, ill-formed UTF-8 read as U+FFFD     for each maximal subpart
 *     -> added tokens that take text as it is   tokenizer/added.h
 *     -> normal form C, where the file asks     tokenizer/nfc.h
 *     -> the other added tokens
 *     -> pieces                                 tokenizer/splitter.h
 *     -> tokens of each piece                   tokenizer/bpe.h
 *
 * A template of a post_processor is for pairs of sentences and prompts, and is not applied to a text.
 */
#ifndef DT_TOKENIZER_BPE_CONTENTS_H
#define DT_TOKENIZER_BPE_CONTENTS_H

#include "tokenizer/added.h"
#include "tokenizer/bpe.h"
#include "tokenizer/nfc.h"
#include "tokenizer/splitter.h"
#include "tokenizer/vocabulary.h"

typedef struct dt_bpe_contents {
    char *file; /**< the bytes of tokenizer.json */
    size_t file_length;
    dt_vocabulary vocabulary; /**< of all ids: what each stands for in text */
    dt_bpe bpe;
    dt_splitter splitter;
    dt_added added[2]; /**< found before and after normalization */
    dt_nfc *nfc;       /**< NULL: texts are not normalized */
    int32_t end_of_text;
    uint64_t hash;  /**< of all that decides which tokens a text has, however the file is written */
    char note[256]; /**< what the file says that is not applied to a text; "" where there is nothing */
} dt_bpe_contents;

#endif
