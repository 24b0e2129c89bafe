/*
 * Functions call downwards: the block, its parts between added tokens, a segment, its pieces. A piece's
 * tokens go to a small buffer, and from there to the encoder's memory in one go.
 */
#include "tokenizer/bpe_encoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "base/utf8.h"
#include "tokenizer/bpe_contents.h"
#include "tokenizer/encoder.h"
#include "tokenizer/piece_cache.h"
#include "tokenizer/tokens.h"

/* Tokens that wait to be handed over. */
#define PENDING_MIN 16384

/* Bytes that grow and stay. */
typedef struct buffer {
    uint8_t *bytes;
    int64_t capacity;
} buffer;

typedef struct work {
    const dt_bpe_contents *own;
    dt_encoder *encoder;
    dt_matcher matcher;
    dt_bpe_scratch scratch;
    dt_piece_cache cache;
    int32_t *pending;
    int64_t pending_count, pending_capacity;
    buffer clean, kinds, prefixed_bytes, prefixed_kinds;
    dt_nfc_text normal;
    /* Of the call that is under way: */
    bool keep;
    int64_t tokens;
    dt_status (*take)(void *context, const uint8_t *piece, int64_t length); /* in place of merging; or NULL */
    void *context;
} work;

/* A segment or a piece of one: bytes, and a kind for each character. */
typedef struct view {
    const uint8_t *bytes, *readable_end; /* memory can be read up to the latter */
    int64_t length;                      /* in bytes */
    const uint8_t *kinds;
    int64_t chars, seen; /* those that are split, and those that patterns see: one more at a cut */
} view;

/* ---- memory ---- */

static dt_status grow(buffer *b, int64_t length) {
    if (length <= b->capacity)
        return DT_OK;
    const int64_t capacity = dt_max(length, b->capacity + b->capacity / 2);
    free(b->bytes);
    b->bytes = malloc((size_t)capacity);
    b->capacity = b->bytes != NULL ? capacity : 0;
    return b->bytes != NULL ? DT_OK : dt_fail("out of memory for a text of %lld bytes", (long long)length);
}

dt_status dt_bpe_encoder_create(dt_encoder *encoder) {
    work *w = calloc(1, sizeof *w);
    encoder->own = w;
    if (w == NULL)
        return dt_fail("out of memory for an encoder");
    w->own = encoder->tokenizer->own;
    w->encoder = encoder;
    w->pending = malloc(PENDING_MIN * sizeof *w->pending);
    w->pending_capacity = PENDING_MIN;
    if (w->pending == NULL)
        return dt_fail("out of memory for an encoder");
    DT_TRY(dt_piece_cache_create(&w->cache));
    return dt_matcher_create(&w->matcher);
}

void dt_bpe_encoder_free(dt_encoder *encoder) {
    work *w = encoder->own;
    if (w == NULL)
        return;
    dt_matcher_free(&w->matcher);
    dt_bpe_scratch_free(&w->scratch);
    dt_piece_cache_free(&w->cache);
    free(w->pending);
    free(w->clean.bytes);
    free(w->kinds.bytes);
    free(w->prefixed_bytes.bytes);
    free(w->prefixed_kinds.bytes);
    dt_nfc_text_free(&w->normal);
    free(w);
    encoder->own = NULL;
}

/* ---- tokens ---- */

static dt_status hand_over(work *w) {
    dt_encoder *encoder = w->encoder;
    const int bytes = encoder->tokenizer->token_bytes;
    w->tokens += w->pending_count;
    if (w->keep && w->pending_count > 0) {
        DT_TRY(dt_encoder_reserve(encoder, w->pending_count));
        dt_tokens_narrow(encoder->tokens + encoder->count * bytes, w->pending, bytes, w->pending_count);
        encoder->count += w->pending_count;
    }
    w->pending_count = 0;
    return DT_OK;
}

/* Room for `more` tokens, and for a whole entry of the cache behind them. */
static dt_status reserve(work *w, int64_t more) {
    more += DT_PIECE_TOKENS;
    if (more <= w->pending_capacity - w->pending_count)
        return DT_OK;
    DT_TRY(hand_over(w));
    if (more <= w->pending_capacity)
        return DT_OK;
    free(w->pending);
    w->pending = malloc((size_t)more * sizeof *w->pending);
    w->pending_capacity = w->pending != NULL ? more : 0;
    return w->pending != NULL ? DT_OK : dt_fail("out of memory for the tokens of a long piece of text");
}

static dt_status emit(work *w, int32_t id) {
    DT_TRY(reserve(w, 1));
    w->pending[w->pending_count++] = id;
    return DT_OK;
}

/* ---- pieces ---- */

static dt_status encode_short(work *w, const uint8_t *piece, int64_t length, const uint8_t *readable_end) {
    const dt_piece_key key = dt_piece_key_of(piece, length, readable_end);
    const dt_piece_entry *entry = dt_piece_cache_at(&w->cache, &key);
    int32_t *ids = w->pending + w->pending_count;
    if (dt_piece_cache_hit(entry, &key, length)) {
        memcpy(ids, entry->ids, sizeof entry->ids);
        w->pending_count += entry->count;
        return DT_OK;
    }
    int64_t count;
    DT_TRY(dt_bpe_encode(&w->own->bpe, &w->scratch, piece, length, ids, &count));
    w->pending_count += count;
    if (count <= DT_PIECE_TOKENS)
        dt_piece_cache_enter(&w->cache, &key, length, ids, count);
    return DT_OK;
}

static dt_status encode_piece(work *w, const uint8_t *piece, int64_t length, const uint8_t *readable_end) {
    if (w->take != NULL)
        return w->take(w->context, piece, length);
    DT_TRY(reserve(w, length));
    if (length <= DT_PIECE_BYTES)
        return encode_short(w, piece, length, readable_end);
    int64_t count;
    DT_TRY(dt_bpe_encode(&w->own->bpe, &w->scratch, piece, length, w->pending + w->pending_count, &count));
    w->pending_count += count;
    return DT_OK;
}

/* ---- segments ---- */

/* The bytes of the first `chars` characters. */
static inline int64_t bytes_of(const uint8_t *bytes, int64_t chars) {
    int64_t length = 0;
    for (int64_t i = 0; i < chars; i++) {
        const uint8_t lead = bytes[length];
        length += 1 + (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0);
    }
    return length;
}

/* The same view behind a space. */
static dt_status put_space(work *w, const view *v, view *spaced) {
    DT_TRY(grow(&w->prefixed_bytes, v->length + 1));
    DT_TRY(grow(&w->prefixed_kinds, v->seen + 1));
    w->prefixed_bytes.bytes[0] = w->prefixed_kinds.bytes[0] = ' ';
    memcpy(w->prefixed_bytes.bytes + 1, v->bytes, (size_t)v->length);
    if (v->seen > 0)
        memcpy(w->prefixed_kinds.bytes + 1, v->kinds, (size_t)v->seen);
    *spaced = (view){.bytes = w->prefixed_bytes.bytes,
                     .readable_end = w->prefixed_bytes.bytes + w->prefixed_bytes.capacity,
                     .length = v->length + 1,
                     .kinds = w->prefixed_kinds.bytes,
                     .chars = v->chars + 1,
                     .seen = v->seen + 1};
    return DT_OK;
}

static dt_status split(work *w, const view *v, int stage, bool may_prefix);

/* The characters from `first` to `end`, whose bytes begin at `at`; moves that on. */
static dt_status split_further(work *w, const view *v, int stage, int64_t first, int64_t end, int64_t *at) {
    const dt_splitter *splitter = &w->own->splitter;
    const uint8_t *bytes = v->bytes + *at;
    const int64_t length = v->length == v->chars ? end - first : bytes_of(bytes, end - first);
    *at += length;
    if (stage + 1 == splitter->stages && splitter->prefix_stage <= stage)
        return encode_piece(w, bytes, length, v->readable_end);
    const view piece = {.bytes = bytes,
                        .readable_end = v->readable_end,
                        .length = length,
                        .kinds = v->kinds + first,
                        .chars = end - first,
                        .seen = end - first};
    return split(w, &piece, stage + 1, true);
}

/* Splits a view by the patterns from `stage` on. What lies between matches is a piece too. */
static dt_status split(work *w, const view *v, int stage, bool may_prefix) {
    const dt_splitter *splitter = &w->own->splitter;
    view spaced;
    if (stage == splitter->prefix_stage && may_prefix && v->bytes[0] != ' ') {
        DT_TRY(put_space(w, v, &spaced));
        v = &spaced;
    }
    if (stage == splitter->stages)
        return encode_piece(w, v->bytes, v->length, v->readable_end);
    for (int64_t from = 0, at = 0, first, end; from < v->chars; from = end) {
        DT_TRY(
            dt_pattern_find(&splitter->pattern[stage], &w->matcher, v->kinds, v->seen, from, &first, &end));
        first = dt_min(first, v->chars);
        end = dt_min(end, v->chars);
        if (first > from)
            DT_TRY(split_further(w, v, stage, from, first, &at));
        if (end > first)
            DT_TRY(split_further(w, v, stage, first, end, &at));
    }
    return DT_OK;
}

/* A stretch of text in which nothing but pieces is left, of one byte or more. */
typedef struct segment {
    const uint8_t *bytes, *readable_end;
    int64_t length;
    bool is_start; /* of the text, or behind an added token */
    int64_t next;  /* the character behind it, which patterns see; -1 where the segment ends there */
} segment;

static dt_status encode_segment(work *w, const segment *s) {
    const dt_alphabet *alphabet = &w->own->splitter.alphabet;
    view v = {.bytes = s->bytes, .readable_end = s->readable_end, .length = s->length};
    if (w->own->splitter.stages > 0) {
        DT_TRY(grow(&w->kinds, s->length + 1));
        v.kinds = w->kinds.bytes;
        v.chars = v.seen = dt_alphabet_translate(alphabet, s->bytes, s->length, w->kinds.bytes);
        if (s->next >= 0)
            w->kinds.bytes[v.seen++] = alphabet->kind[s->next];
    }
    return split(w, &v, 0, s->is_start);
}

/* ---- added tokens ---- */

static dt_status find_added(work *w, const segment *s, int round);

/* A segment in which the added tokens of the rounds before have been found. */
static dt_status go_on(work *w, const segment *s, int round) {
    if (round == 2)
        return encode_segment(w, s);
    const uint8_t *bytes;
    int64_t length;
    if (round == 0 || w->own->nfc == NULL)
        return find_added(w, s, round);
    DT_TRY(dt_nfc_apply(w->own->nfc, s->bytes, s->length, &w->normal, &bytes, &length));
    segment normal = *s;
    if (bytes != NULL) {
        normal.bytes = bytes;
        normal.length = length;
        normal.readable_end = bytes + w->normal.capacity;
    }
    return find_added(w, &normal, round);
}

static dt_status find_added(work *w, const segment *s, int round) {
    const dt_added *added = &w->own->added[round];
    int64_t done = 0;
    dt_added_match match = {.next = 0};
    while (dt_added_find(added, s->bytes, s->length, match.next, done, &match)) {
        if (match.first > done) {
            const segment before = {s->bytes + done, s->readable_end, match.first - done,
                                    s->is_start || done > 0, -1};
            DT_TRY(go_on(w, &before, round + 1));
        }
        if (w->take == NULL)
            DT_TRY(emit(w, match.id));
        done = match.end;
    }
    if (done == s->length)
        return DT_OK;
    const segment rest = {s->bytes + done, s->readable_end, s->length - done, s->is_start || done > 0,
                          s->next};
    return go_on(w, &rest, round + 1);
}

/* ---- the block ---- */

/* The length of the well-formed UTF-8 that bytes[0..length) begins with. */
static int64_t well_formed_length(const uint8_t *bytes, int64_t length) {
    int64_t at = 0;
    while (at < length) {
        uint64_t eight;
        while (at + 8 <= length && (memcpy(&eight, bytes + at, 8), (eight & 0x8080808080808080u) == 0))
            at += 8;
        if (at == length)
            break;
        bool well_formed;
        const int64_t used = dt_utf8_subpart(bytes + at, length - at, &well_formed);
        if (!well_formed)
            break;
        at += used;
    }
    return at;
}

/* Makes s well-formed, in memory of the work's own where it is not. Returns in `*invalid` what was replaced.
 */
static dt_status make_clean(work *w, segment *s, int64_t *invalid) {
    static const uint8_t replacement[] = {0xEF, 0xBF, 0xBD};
    int64_t good = well_formed_length(s->bytes, s->length), at = 0, written = 0;
    if (good == s->length)
        return DT_OK;
    DT_TRY(grow(&w->clean, 3 * s->length));
    while (true) {
        memcpy(w->clean.bytes + written, s->bytes + at, (size_t)good);
        written += good;
        at += good;
        if (at == s->length)
            break;
        bool well_formed;
        at += dt_utf8_subpart(s->bytes + at, s->length - at, &well_formed);
        memcpy(w->clean.bytes + written, replacement, sizeof replacement);
        written += (int64_t)sizeof replacement;
        ++*invalid;
        good = well_formed_length(s->bytes + at, s->length - at);
    }
    s->bytes = w->clean.bytes;
    s->length = written;
    s->readable_end = w->clean.bytes + w->clean.capacity;
    return DT_OK;
}

static int64_t count_zeros(const uint8_t *bytes, int64_t length) {
    int64_t count = 0;
    for (const uint8_t *at = bytes, *end = bytes + length; (at = memchr(at, 0, (size_t)(end - at))) != NULL;
         at++)
        count++;
    return count;
}

static dt_status encode_block(work *w, const dt_text *text, int64_t first, int64_t end,
                              dt_token_count *count) {
    int64_t used;
    segment s = {.bytes = text->bytes + first,
                 .readable_end = text->bytes + text->length,
                 .length = end - first,
                 .is_start = text->is_start && first == 0,
                 .next = end < text->length
                             ? (int64_t)dt_unicode_read(text->bytes + end, text->length - end, &used)
                             : -1};
    if (s.length == 0)
        return DT_OK;
    count->zero += count_zeros(s.bytes, s.length);
    DT_TRY(make_clean(w, &s, &count->invalid));
    return go_on(w, &s, 0);
}

dt_status dt_bpe_encoder_encode(dt_encoder *encoder, const dt_text *text, int64_t first, int64_t end,
                                bool keep, dt_token_count *count) {
    work *w = encoder->own;
    w->keep = keep;
    w->tokens = w->pending_count = 0;
    w->take = NULL;
    DT_TRY(encode_block(w, text, first, end, count));
    DT_TRY(hand_over(w));
    count->tokens += w->tokens;
    return DT_OK;
}

dt_status dt_bpe_encoder_pieces(dt_encoder *encoder, const dt_text *text,
                                dt_status (*take)(void *context, const uint8_t *piece, int64_t length),
                                void *context) {
    work *w = encoder->own;
    dt_token_count count = {0};
    w->take = take;
    w->context = context;
    return encode_block(w, text, 0, text->length, &count);
}
