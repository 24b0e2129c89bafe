/**
 * dtrain's own tokenizers in the form of Hugging Face's library tokenizers, whose tokenizer.json makes the
 * same ids of a text, and the same text of ids.
 *
 * Both forms are a byte-pair encoding without pairs, so that each character is a token. That of characters
 * has the vocabulary {"<PAD>": 0, "<UNK>": 1, character: 2, ..}, what is not there being <UNK>, and a decoder
 * that shows <UNK> as U+FFFD and <PAD> as nothing. <UNK> and <PAD> are not added tokens, so that their
 * letters in a text are letters. That of bytes has the parts ByteLevel, and the vocabulary {the character
 * that GPT-2 has for byte b: b, ..}.
 *
 * A text that is one of these, byte for byte, is recognised as that tokenizer when it is read back. All
 * functions are local.
 */
#ifndef DT_TOKENIZER_OWN_JSON_H
#define DT_TOKENIZER_OWN_JSON_H

#include <stdbool.h>
#include <stdint.h>

/**
 * The form of characters: character points[i] is token i + 2. `joins_lines`: a CR LF pair is one newline. A
 * new string that the caller frees, NULL when out of memory.
 */
char *dt_own_json_characters(const uint32_t *points, int64_t count, bool joins_lines);

/** The form of bytes, owned alike. */
char *dt_own_json_bytes(void);

/**
 * Whether `text` is dt_own_json_characters of some points without `joins_lines`; if so `*points` are those,
 * `*count` in number, and the caller frees them. False also when out of memory.
 */
bool dt_own_json_find_characters(const char *text, uint32_t **points, int64_t *count);

#endif
