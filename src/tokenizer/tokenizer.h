/**
 * A tokenizer by its name or of its file, where it may cut a text, and its tokens as text. All functions are
 * local.
 */
#ifndef DT_TOKENIZER_TOKENIZER_H
#define DT_TOKENIZER_TOKENIZER_H

#include "tokenizer/kind.h"

/**
 * Whether `name`, of the option `tokenizer`, is that of a kind, "ascii", "bytes" or "chars", and not of a
 * file.
 */
bool dt_tokenizer_is_kind(const char *name);

/**
 * The text of the tokenizer.json that `name` names, which the caller frees with free(), or NULL where it is
 * the name of a kind. Fails with DT_USAGE where there is no such file.
 */
dt_status dt_tokenizer_read(const char *name, char **json, size_t *length);

/**
 * Makes the tokenizer that `name` names, whose dt_tokenizer_read is `json`. One of chars then has no tokens
 * yet (tokenizer/chars.h). Says in one line (base/log.h) what of the file is not applied to a text. The
 * caller frees it, after failure too.
 */
dt_status dt_tokenizer_create(dt_tokenizer *tokenizer, const char *name, const char *json, size_t length);

/** The two of them: for one process by itself. */
dt_status dt_tokenizer_open(dt_tokenizer *tokenizer, const char *name);

/**
 * Makes the tokenizer of a tokenizer.json: `length` bytes and a 0 byte behind them; `path` stands in
 * sentences. dtrain's own (dt_tokenizer_json) are recognised. The caller frees it, after failure too.
 */
dt_status dt_tokenizer_parse(dt_tokenizer *tokenizer, const char *path, const char *json, size_t length);

/**
 * The tokenizer.json that makes the same tokens: where the tokenizer was made of one, that, byte for byte. A
 * new string of `*length` bytes that the caller frees, NULL when out of memory.
 */
char *dt_tokenizer_json(const dt_tokenizer *tokenizer, size_t *length);

/** Whether it is the one that a file of tokens names by `hash`. */
bool dt_tokenizer_is(const dt_tokenizer *tokenizer, uint64_t hash);

/** Frees what it holds; one that is all zero is fine. */
void dt_tokenizer_free(dt_tokenizer *tokenizer);

/**
 * The first position in [from, text->length] where the text may be cut, or -1 where the bytes at hand do not
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
