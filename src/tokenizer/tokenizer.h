/**
 * A tokenizer by its name, where it may cut a text, and its tokens as text. All functions are local.
 */
#ifndef DT_TOKENIZER_TOKENIZER_H
#define DT_TOKENIZER_TOKENIZER_H

#include "tokenizer/kind.h"

/**
 * Makes the tokenizer that the option `tokenizer` names: "ascii", "bytes", or the path of a tokenizer.json.
 * Fails with DT_USAGE where there is none of that name. The caller frees it, after failure too.
 */
dt_status dt_tokenizer_open(dt_tokenizer *tokenizer, const char *name);

/** Frees what it holds; one that is all zero is fine. */
void dt_tokenizer_free(dt_tokenizer *tokenizer);

/**
 * The first place in [from, text->length] where the text may be cut, or -1 where the bytes at hand do not
 * tell: with more of them behind, the call is to be made again. The text must reach tokenizer->before bytes
 * before `from`, or to its own start. The start and the end of the whole text are cuts, so a text with is_end
 * always has an answer.
 */
int64_t dt_tokenizer_cut(const dt_tokenizer *tokenizer, const dt_text *text, int64_t from);

/**
 * The bytes that a token stands for, of which `*length` is the number: they need not be whole UTF-8, may hold
 * 0 bytes, and stay valid as long as the tokenizer. U+FFFD for <UNK> and for an id outside 0..V-1, nothing
 * for <PAD>.
 */
const char *dt_tokenizer_decode(const dt_tokenizer *tokenizer, int32_t id, size_t *length);

#endif
