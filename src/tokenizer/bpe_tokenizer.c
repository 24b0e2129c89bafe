/* Opening a file, where its text may be cut, and its tokens as text. */
#include "tokenizer/bpe_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/utf8.h"
#include "tokenizer/bpe_contents.h"
#include "tokenizer/bpe_encoder.h"
#include "tokenizer/hf_json.h"
#include "tokenizer/tokens.h"

/* Bytes of the longest character. */
#define CHAR_BYTES 4

/* ---- cuts ---- */

/* Whether the characters around `at` are ASCII, as far as an added token reaches: then normalization has not
 * brought forth or taken away one that spans the place. */
static bool is_plain_around(const dt_text *text, int64_t at, int64_t reach) {
    for (int64_t i = dt_max(at - reach, 0); i < dt_min(at + reach, text->length); i++)
        if (text->bytes[i] >= 0x80)
            return false;
    return true;
}

/*
 * Whether an added token may span the place, begin there, or take white space across it; or end there, where
 * what is behind it would get a prefix space.
 */
static dt_added_answer is_covered(const dt_bpe_contents *own, const dt_text *text, int64_t at) {
    const bool has_prefix = own->splitter.prefix_stage == 0;
    if (has_prefix && (dt_added_ends_at(&own->added[0], text->bytes, at) ||
                       dt_added_ends_at(&own->added[1], text->bytes, at)))
        return DT_ADDED_YES;
    const dt_added_answer raw = dt_added_covers(&own->added[0], text->bytes, text->length, text->is_end, at);
    if (raw != DT_ADDED_NO)
        return raw;
    if (own->nfc != NULL && own->added[1].node_count > 0 && !is_plain_around(text, at, own->added[1].longest))
        return DT_ADDED_YES;
    return dt_added_covers(&own->added[1], text->bytes, text->length, text->is_end, at);
}

/* The character before `at`, which is more than 0; false where it is ill-formed. */
static bool read_before(const dt_text *text, int64_t at, uint32_t *point) {
    int64_t first = at - 1, used;
    while (first > 0 && at - first < CHAR_BYTES && (text->bytes[first] & 0xC0) == 0x80)
        first--;
    *point = dt_unicode_read(text->bytes + first, at - first, &used);
    bool well_formed;
    return used == at - first && (dt_utf8_subpart(text->bytes + first, used, &well_formed), well_formed);
}

/*
 * Without a pattern: no token joins the two bytes, which are of two characters that are what they are after
 * normalization too, and none of which an added token takes for white space.
 */
static bool is_pair_cut(const dt_bpe_contents *own, const dt_text *text, int64_t at) {
    uint32_t left, right;
    int64_t used;
    if (dt_bpe_joins(&own->bpe, text->bytes[at - 1], text->bytes[at]) || !read_before(text, at, &left))
        return false;
    bool well_formed;
    dt_utf8_subpart(text->bytes + at, text->length - at, &well_formed);
    right = dt_unicode_read(text->bytes + at, text->length - at, &used);
    if (!well_formed ||
        (own->nfc != NULL && !(dt_nfc_is_sure(own->nfc, left) && dt_nfc_is_sure(own->nfc, right))))
        return false;
    const bool strips = own->added[0].strips || own->added[1].strips;
    return !strips || !(dt_unicode_is_space(left) || dt_unicode_is_space(right));
}

/* Behind a newline, before what is neither white space nor a slash. */
static bool is_newline_cut(const dt_text *text, int64_t at) {
    int64_t used;
    if (text->bytes[at - 1] != '\n')
        return false;
    const uint32_t next = dt_unicode_read(text->bytes + at, text->length - at, &used);
    return next != '/' && !dt_unicode_is_space(next);
}

static int64_t cut(const dt_tokenizer *tokenizer, const dt_text *text, int64_t from) {
    const dt_bpe_contents *own = tokenizer->own;
    const bool at_newlines = own->splitter.cut == DT_CUT_NEWLINE;
    for (int64_t at = dt_max(from, 1); at < text->length; at++) {
        if (at_newlines && text->bytes[at - 1] != '\n') {
            const uint8_t *newline = memchr(text->bytes + at, '\n', (size_t)(text->length - at));
            if (newline == NULL)
                return -1;
            at = newline - text->bytes; /* and the loop steps behind it */
            continue;
        }
        if (!text->is_end && text->length - at < CHAR_BYTES)
            return -1;
        if (!(at_newlines ? is_newline_cut(text, at) : is_pair_cut(own, text, at)))
            continue;
        const dt_added_answer covered = is_covered(own, text, at);
        if (covered != DT_ADDED_YES)
            return covered == DT_ADDED_NO ? at : -1;
    }
    return -1;
}

/* ---- the kind ---- */

static void free_own(dt_tokenizer *tokenizer) {
    dt_bpe_contents *own = tokenizer->own;
    if (own == NULL)
        return;
    dt_bpe_free(&own->bpe);
    dt_splitter_free(&own->splitter);
    dt_added_free(&own->added[0]);
    dt_added_free(&own->added[1]);
    dt_vocabulary_free(&own->vocabulary);
    dt_memory_free(own->nfc);
    free(own->file);
    free(own);
}

static const char *decode(const dt_tokenizer *tokenizer, int32_t id, size_t *length) {
    const dt_bpe_contents *own = tokenizer->own;
    int64_t bytes;
    const uint8_t *text = dt_vocabulary_bytes(&own->vocabulary, id, &bytes);
    *length = (size_t)bytes;
    return (const char *)text;
}

const dt_tokenizer_kind dt_bpe_kind = {.name = "bpe",
                                       .unit = "token",
                                       .free = free_own,
                                       .open_encoder = dt_bpe_encoder_create,
                                       .close_encoder = dt_bpe_encoder_free,
                                       .encode = dt_bpe_encoder_encode,
                                       .cut = cut,
                                       .decode = decode};

/* Takes the block of the file over. */
static dt_status read_own(dt_tokenizer *tokenizer, char *bytes, size_t length, const char *where) {
    dt_bpe_contents *own = calloc(1, sizeof *own);
    *tokenizer = (dt_tokenizer){.kind = &dt_bpe_kind, .own = own, .unknown = -1, .end_of_text = -1};
    if (own == NULL) {
        free(bytes);
        return dt_fail("out of memory for a tokenizer");
    }
    own->file = bytes;
    own->file_length = length;
    DT_TRY(dt_hf_json_read(own, bytes, length, where));
    const bool pairs_with_wholes = own->splitter.cut == DT_CUT_PAIR && own->bpe.is_whole_first;
    tokenizer->V = own->vocabulary.count;
    tokenizer->token_bytes = dt_tokens_bytes(tokenizer->V);
    tokenizer->end_of_text = own->end_of_text;
    tokenizer->before =
        dt_max(own->added[0].longest, own->added[1].longest) + DT_ADDED_SPACE_BYTES + CHAR_BYTES;
    tokenizer->after = CHAR_BYTES;
    /* A half of a text may be one token where the whole is not. */
    tokenizer->can_cut = own->splitter.cut != DT_CUT_NOWHERE && !pairs_with_wholes;
    tokenizer->hash = own->hash;
    tokenizer->file_hash = dt_checksum_64(bytes, length);
    tokenizer->note = own->note[0] != 0 ? own->note : NULL;
    return DT_OK;
}

dt_status dt_bpe_tokenizer_read(dt_tokenizer *tokenizer, const char *bytes, size_t length,
                                const char *where) {
    char *copy = malloc(length + 1);
    *tokenizer = (dt_tokenizer){0};
    if (copy == NULL)
        return dt_fail("out of memory for a tokenizer");
    memcpy(copy, bytes, length);
    copy[length] = 0;
    return read_own(tokenizer, copy, length, where);
}

dt_status dt_bpe_tokenizer_open(dt_tokenizer *tokenizer, const char *path) {
    char *bytes;
    size_t length;
    *tokenizer = (dt_tokenizer){0};
    DT_TRY(dt_file_read_regular(path, DT_HF_JSON_MAX_BYTES, &bytes, &length));
    return read_own(tokenizer, bytes, length, path);
}

const char *dt_bpe_tokenizer_file(const dt_tokenizer *tokenizer, size_t *length) {
    DT_ASSERT(tokenizer->kind == &dt_bpe_kind);
    const dt_bpe_contents *own = tokenizer->own;
    *length = own->file_length;
    return own->file;
}
