/**
 * Unicode's normalization form C, which a tokenizer.json may ask for: by utf8proc, which this file's .c alone
 * knows, and only for the few stretches of a text that may not be in that form already.
 *
 * The reference (the tokenizers library) normalizes by Unicode 9.0. Characters that came later are left as
 * they are, so that tokens do not depend on the version of a library; of the others Unicode has promised
 * never to change the form.
 */
#ifndef DT_TOKENIZER_NFC_H
#define DT_TOKENIZER_NFC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tokenizer/charset.h"

/** Immutable, shared by threads. */
typedef struct dt_nfc {
    dt_charset unsure;  /**< the characters that may change, or may join what stands before them */
    dt_charset unknown; /**< those that would, but came after Unicode 9.0: they stay, and join nothing */
} dt_nfc;

/** One thread's memory for texts in the form, which grows and stays. */
typedef struct dt_nfc_text {
    uint8_t *bytes;
    int64_t length, capacity;
    int32_t *points; /**< of a stretch */
    int64_t point_capacity;
} dt_nfc_text;

/** A new table, which the caller frees with dt_memory_free; NULL, with a sentence recorded, when out of
 * memory. Local. */
dt_nfc *dt_nfc_create(void);

/** Frees a text's memory; one that is all zero is fine. Local. */
void dt_nfc_text_free(dt_nfc_text *text);

/** Whether the character is in the form wherever it stands, and a text may be cut before it. Local. */
static inline bool dt_nfc_is_sure(const dt_nfc *nfc, uint32_t point) {
    return !dt_charset_has(&nfc->unsure, point);
}

/**
 * bytes[0..length), well-formed UTF-8, in form C: the bytes themselves where they are, with *normal NULL,
 * else a text in `scratch` and *normal points to it. Fails when out of memory. Local.
 */
dt_status dt_nfc_apply(const dt_nfc *nfc, const uint8_t *bytes, int64_t length, dt_nfc_text *scratch,
                       const uint8_t **normal, int64_t *normal_length);

#endif
