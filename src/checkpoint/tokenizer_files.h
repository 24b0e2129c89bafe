/**
 * What text is to a model, in its folder: tokenizer.json and tokenizer_config.json, by which Hugging Face's
 * AutoTokenizer makes the same ids.
 *
 *     tokenizer.json           dt_tokenizer_json
 *     tokenizer_config.json    {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": T,
 *                               "clean_up_tokenization_spaces": false, "eos_token": the end of text, if any}
 */
#ifndef DT_CHECKPOINT_TOKENIZER_FILES_H
#define DT_CHECKPOINT_TOKENIZER_FILES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "tokenizer/tokenizer.h"

#define DT_TOKENIZER_FILES_JSON   "tokenizer.json"
#define DT_TOKENIZER_FILES_CONFIG "tokenizer_config.json"

/**
 * Names the tokens that transformers' `generate` asks for in `config`, the object of config.json: the end of
 * text, where a text ends and may begin, is bos_token_id and eos_token_id, and null where `tokenizer`, or
 * NULL, has none: no text ends by itself then. pad_token_id, which fills up texts that have ended beside
 * others that have not, is the end of text too, else <PAD>, else null. False when out of memory. Local.
 */
bool dt_tokenizer_files_name_ids(json_t *config, const dt_tokenizer *tokenizer);

/** tokenizer_config.json of a model with a context of T tokens; the caller owns it. NULL when out of memory.
 * Local. */
json_t *dt_tokenizer_files_config(const dt_tokenizer *tokenizer, int64_t T);

/** The tokenizer.json of `folder`, a new string that the caller frees, or NULL where there is none. Local. */
dt_status dt_tokenizer_files_read(const char *folder, char **json, size_t *length);

/** Makes the tokenizer of `folder`; where it has none, that of the kind `name`. The caller frees it, after
 * failure too. Local. */
dt_status dt_tokenizer_files_open(dt_tokenizer *tokenizer, const char *folder, const char *name);

#endif
