/**
 * Reading Hugging Face's tokenizer.json:
 *
 *     normalizer       null, NFC, or a Sequence of it
 *     pre_tokenizer    ByteLevel, or a Sequence of Splits and a ByteLevel
 *     model            BPE: vocab {token: id}, merges ["a b", ..] or [["a", "b"], ..], ignore_merges
 *     added_tokens     [{id, content, special, lstrip, rstrip, normalized}, ..]
 *     decoder          ByteLevel
 *     post_processor   ByteLevel, or a TemplateProcessing, which is not applied
 *
 * What else a file asks for is refused by name.
 */
#ifndef DT_TOKENIZER_HF_JSON_H
#define DT_TOKENIZER_HF_JSON_H

#include <jansson.h>

#include "tokenizer/bpe_contents.h"

/** A file's bytes and values, at most: the largest that people use has a twentieth of them. */
#define DT_HF_JSON_MAX_BYTES  (INT64_C(256) << 20)
#define DT_HF_JSON_MAX_DEPTH  64
#define DT_HF_JSON_MAX_VALUES 8000000

/** Ids without a token behind the model's own, at most: GPT-4's file leaves 16. */
#define DT_HF_JSON_MAX_UNUSED 1024

/** Reads what the bytes of a file say into `*own`, which is all zero and which the caller frees in any case.
 * Local. */
dt_status dt_hf_json_read(dt_bpe_contents *own, const char *bytes, size_t length, const char *where);

/** The part of it that is the model and the added tokens: vocabulary, merges and tokens. For hf_json.c.
 * Local. */
dt_status dt_hf_model_read(dt_bpe_contents *own, const json_t *root, const char *where);

/** Mixes bytes into the hash of what has been read. For hf_json.c and hf_model.c. Local. */
void dt_hf_json_mix(dt_bpe_contents *own, const void *bytes, size_t length);

/** A string of an object, "" where it is none. For hf_json.c and hf_model.c. Local. */
const char *dt_hf_json_text(const json_t *object, const char *key);

/** A boolean of an object that may be absent or null. Fails, naming it, where it is something else. Local. */
dt_status dt_hf_json_flag(const json_t *object, const char *key, bool absent, bool *flag, const char *where);

#endif
