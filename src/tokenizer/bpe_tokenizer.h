/**
 * The kind of dtrain's tokenizers (tokenizer/kind.h) that a tokenizer.json with a byte-level BPE makes.
 */
#ifndef DT_TOKENIZER_BPE_TOKENIZER_H
#define DT_TOKENIZER_BPE_TOKENIZER_H

#include "tokenizer/kind.h"

extern const dt_tokenizer_kind dt_bpe_kind;

/** Makes a tokenizer of the file `path`. Fails with DT_USAGE where the file is none that dtrain reads. The
 * caller frees it by dt_tokenizer_free, after failure too. Local. */
dt_status dt_bpe_tokenizer_open(dt_tokenizer *tokenizer, const char *path);

/** The same from the bytes of such a file, which it copies; `where` begins the sentence of a failure. Local.
 */
dt_status dt_bpe_tokenizer_read(dt_tokenizer *tokenizer, const char *bytes, size_t length, const char *where);

/** The bytes of the file that a tokenizer of this kind was made of, as long as it lives. Local. */
const char *dt_bpe_tokenizer_file(const dt_tokenizer *tokenizer, size_t *length);

#endif
