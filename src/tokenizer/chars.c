/* A table from code points to tokens, most of whose pages no text ever touches. */
#include "tokenizer/chars.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/utf8.h"
#include "tokenizer/encoder.h"
#include "tokenizer/own_json.h"
#include "tokenizer/tokens.h"

#define PAD         0
#define UNKNOWN     1
#define FIRST_TOKEN 2
#define POINTS      0x110000
#define TEXT_BYTES  4 /* of a character, at most */

/* The bytes of a character before its last one: so far back lies what a position depends on. */
#define BEFORE_BYTES 3

/* What a tokenizer of this kind owns. */
typedef struct characters {
    _Atomic uint64_t *seen; /* [DT_CHARS_WORDS], while it collects; else NULL */
    int32_t *token;         /* [POINTS], 0 for a character that has none; NULL while it collects */
    uint32_t *points;       /* [count], rising */
    int64_t count;
    char (*text)[TEXT_BYTES]; /* [count]: the characters in UTF-8 */
} characters;

static void free_own(dt_tokenizer *tokenizer) {
    characters *own = tokenizer->own;
    if (own == NULL)
        return;
    free((void *)own->seen);
    free(own->token);
    free(own->points);
    free(own->text);
    free(own);
}

static dt_status no_memory(void) {
    return dt_fail("out of memory for the characters of a text");
}

/* Takes note of a character. Once it is known no thread writes any more, so that they share the word. */
static void collect(const characters *own, uint32_t point) {
    _Atomic uint64_t *word = &own->seen[point / 64];
    const uint64_t bit = UINT64_C(1) << point % 64;
    if ((atomic_load_explicit(word, memory_order_relaxed) & bit) == 0)
        atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
}

/* The token of the character at bytes[0], of `*used` bytes. */
static int32_t encode_one(const characters *own, const uint8_t *bytes, int64_t length, int64_t *used,
                          dt_token_count *count) {
    bool well_formed;
    *used = dt_utf8_subpart(bytes, length, &well_formed);
    count->zero += bytes[0] == 0;
    count->invalid += !well_formed;
    if (!well_formed || bytes[0] == 0) {
        count->unknown++;
        return UNKNOWN;
    }
    const uint32_t point = *used == 1 ? bytes[0] : dt_utf8_point((const char *)bytes, (int)*used);
    if (own->seen) {
        collect(own, point);
        return UNKNOWN;
    }
    const int32_t token = own->token[point];
    count->unknown += token == 0;
    return token == 0 ? UNKNOWN : token;
}

static void keep_token(dt_encoder *encoder, int64_t at, int32_t token) {
    const int token_bytes = encoder->tokenizer->token_bytes;
    if (token_bytes == 1)
        encoder->tokens[at] = (uint8_t)token;
    else
        dt_tokens_narrow(encoder->tokens + at * token_bytes, &token, token_bytes, 1);
}

static dt_status encode(dt_encoder *encoder, const dt_text *text, int64_t first, int64_t end, bool keep,
                        dt_token_count *count) {
    const characters *own = encoder->tokenizer->own;
    if (keep && own->seen)
        return dt_usage(
            "tokenizer: chars finds the characters of a text while it is indexed, and cannot keep its "
            "tokens in the same pass; expected a text file to train on, or a tokenizer.json that has "
            "the characters, such as that of a checkpoint");
    if (keep) /* no token has less than a byte */
        DT_TRY(dt_encoder_reserve(encoder, end - first));
    int64_t used, found = 0;
    for (int64_t position = first; position < end; position += used) {
        const int32_t token = encode_one(own, text->bytes + position, text->length - position, &used, count);
        if (keep)
            keep_token(encoder, encoder->count + found, token);
        found++;
    }
    encoder->count += keep ? found : 0;
    count->tokens += found;
    return DT_OK;
}

/* Every byte but a continuation byte starts a character, so the nearest such byte before `from` tells how far
 * its own reaches. */
static int64_t cut(const dt_tokenizer *tokenizer, const dt_text *text, int64_t from) {
    const uint8_t *bytes = text->bytes;
    (void)tokenizer;
    for (int64_t start = from - 1; start >= 0 && start >= from - BEFORE_BYTES; start--) {
        const bool is_continuation = (bytes[start] & 0xC0) == 0x80;
        if (is_continuation)
            continue;
        bool well_formed;
        const int64_t reached = start + dt_utf8_subpart(bytes + start, text->length - start, &well_formed);
        if (reached == text->length && !text->is_end && !well_formed)
            return -1; /* what follows may belong to it */
        return reached > from ? reached : from;
    }
    return from;
}

static const char *decode(const dt_tokenizer *tokenizer, int32_t id, size_t *length) {
    static const char replacement[] = "\xEF\xBF\xBD";
    const characters *own = tokenizer->own;
    if (id < FIRST_TOKEN) {
        *length = id == PAD ? 0 : sizeof replacement - 1;
        return replacement;
    }
    const char *text = own->text[id - FIRST_TOKEN];
    *length = strnlen(text, TEXT_BYTES);
    return text;
}

static char *print_json(const dt_tokenizer *tokenizer) {
    const characters *own = tokenizer->own;
    return dt_own_json_characters(own->points, own->count, false);
}

const dt_tokenizer_kind dt_chars = {.name = "chars",
                                    .unit = "character",
                                    .is_fast = true,
                                    .free = free_own,
                                    .encode = encode,
                                    .cut = cut,
                                    .decode = decode,
                                    .json = print_json};

dt_status dt_chars_open(dt_tokenizer *tokenizer) {
    characters *own = calloc(1, sizeof *own);
    *tokenizer = (dt_tokenizer){.kind = &dt_chars,
                                .token_bytes = 1,
                                .unknown = UNKNOWN,
                                .end_of_text = -1,
                                .first_text = FIRST_TOKEN,
                                .before = BEFORE_BYTES,
                                .can_cut = true,
                                .own = own};
    if (own)
        own->seen = calloc(DT_CHARS_WORDS, sizeof *own->seen);
    return own && own->seen ? DT_OK : no_memory();
}

uint64_t *dt_chars_collected(const dt_tokenizer *tokenizer) {
    const characters *own = tokenizer->own;
    _Static_assert(sizeof *own->seen == sizeof(uint64_t), "an atomic word is one");
    return tokenizer->kind == &dt_chars ? (uint64_t *)own->seen : NULL;
}

/* Makes the tables of points[count], and what the tokenizer says of itself. */
static dt_status fill(dt_tokenizer *tokenizer, const uint32_t *points, int64_t count) {
    characters *own = tokenizer->own;
    own->count = count;
    own->token = calloc(POINTS, sizeof *own->token);
    own->points = malloc((size_t)(count + 1) * sizeof *own->points);
    own->text = calloc((size_t)count + 1, sizeof *own->text);
    if (own->token == NULL || own->points == NULL || own->text == NULL)
        return no_memory();
    for (int64_t i = 0; i < count; i++) {
        own->points[i] = points[i];
        own->token[points[i]] = (int32_t)(FIRST_TOKEN + i);
        dt_utf8_write(own->text[i], points[i]);
    }
    free((void *)own->seen);
    own->seen = NULL;
    tokenizer->V = FIRST_TOKEN + count;
    tokenizer->token_bytes = dt_tokens_bytes(tokenizer->V);
    tokenizer->hash = XXH3_64bits(own->points, (size_t)count * sizeof *own->points);
    return DT_OK;
}

dt_status dt_chars_create(dt_tokenizer *tokenizer, const uint32_t *points, int64_t count) {
    DT_TRY(dt_chars_open(tokenizer));
    return fill(tokenizer, points, count);
}

dt_status dt_chars_settle(dt_tokenizer *tokenizer) {
    const uint64_t *seen = dt_chars_collected(tokenizer);
    uint32_t *points = malloc(POINTS * sizeof *points);
    int64_t count = 0;
    if (points == NULL)
        return no_memory();
    for (uint32_t point = 1; point < POINTS; point++)
        if (seen[point / 64] >> point % 64 & 1)
            points[count++] = point;
    const dt_status status = fill(tokenizer, points, count);
    free(points);
    return status;
}
