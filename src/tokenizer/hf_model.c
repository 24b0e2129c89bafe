/* Vocabulary, merges and added tokens of a tokenizer.json, none of which is believed. */
#include "tokenizer/hf_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "tokenizer/bytelevel.h"

/* What the file says of an added token. */
typedef struct added_token {
    dt_added_token token;
    const char *content;
    bool is_special, is_normalized;
} added_token;

/* What is being read, with what it is made of. */
typedef struct reader {
    dt_bpe_contents *own;
    const json_t *vocab, *merges, *added;
    const char *where;
    bool *is_token;     /* of each id: whether the model has it and bytes can become it */
    int64_t last_added; /* the highest id of the added tokens so far; -1 before the first */
} reader;

/* ---- ids ---- */

static dt_status check_id(const reader *r, const json_t *id, const char *token) {
    if (json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) < DT_VOCABULARY_MAX_IDS)
        return DT_OK;
    return dt_usage("%s: expected ids from 0 to %d, found another for the token \"%.60s\"", r->where,
                    DT_VOCABULARY_MAX_IDS - 1, token);
}

/* The number of ids, which is one more than the highest. */
static dt_status count_ids(const reader *r, int64_t *count) {
    const char *token;
    const json_t *id, *one;
    size_t i;
    *count = 0;
    json_object_foreach((json_t *)r->vocab, token, id) {
        DT_TRY(check_id(r, id, token));
        *count = dt_max(*count, json_integer_value(id) + 1);
    }
    json_array_foreach(r->added, i, one) {
        DT_TRY(check_id(r, json_object_get(one, "id"), dt_hf_json_text(one, "content")));
        *count = dt_max(*count, json_integer_value(json_object_get(one, "id")) + 1);
    }
    return DT_OK;
}

/* ---- vocabulary ---- */

static dt_status add_token(const reader *r, const char *token, int64_t id, uint8_t *bytes) {
    dt_vocabulary *vocabulary = &r->own->vocabulary;
    const size_t length = strlen(token);
    if (length == 0 || length > DT_VOCABULARY_MAX_BYTES)
        return dt_usage("%s: expected tokens of 1 to %d bytes, found one of %zu for id %" PRId64, r->where,
                        DT_VOCABULARY_MAX_BYTES, length, id);
    if (vocabulary->offset[id] >= 0)
        return dt_usage("%s: expected an id for each token, found id %" PRId64
                        " for two of them, one \"%.60s\"",
                        r->where, id, token);
    const int64_t decoded = dt_bytelevel_decode(token, (int64_t)length, bytes);
    r->is_token[id] = decoded >= 0;
    return decoded >= 0 ? dt_vocabulary_set(vocabulary, id, bytes, decoded)
                        : dt_vocabulary_set(vocabulary, id, (const uint8_t *)token, (int64_t)length);
}

static dt_status read_vocabulary(const reader *r) {
    uint8_t *bytes = malloc(DT_VOCABULARY_MAX_BYTES);
    const char *token;
    const json_t *id;
    dt_status status = bytes != NULL ? DT_OK : dt_fail("out of memory for a vocabulary");
    json_object_foreach((json_t *)r->vocab, token, id) {
        if (status == DT_OK)
            status = add_token(r, token, json_integer_value(id), bytes);
    }
    free(bytes);
    return status;
}

/* ---- merges ---- */

/* The two tokens of a merge, the first without a 0 byte behind it in the form "a b". */
static bool find_halves(const json_t *merge, const char **left, size_t *left_length, const char **right) {
    if (json_is_array(merge) && json_array_size(merge) == 2) {
        *left = json_string_value(json_array_get(merge, 0));
        *right = json_string_value(json_array_get(merge, 1));
        *left_length = *left != NULL ? strlen(*left) : 0;
        return *left != NULL && *right != NULL;
    }
    *left = json_string_value(merge);
    const char *space = *left != NULL ? strchr(*left, ' ') : NULL;
    if (space == NULL || strchr(space + 1, ' ') != NULL)
        return false;
    *left_length = (size_t)(space - *left);
    *right = space + 1;
    return true;
}

/* The id of a token of the model; fails where there is none. */
static dt_status find_token(const reader *r, const char *token, size_t index, int32_t *id) {
    const json_t *value = json_object_get(r->vocab, token);
    if (value == NULL)
        return dt_usage(
            "%s: expected merges of tokens of the vocabulary, found \"%.60s\" in merge %zu, which is none",
            r->where, token, index);
    *id = (int32_t)json_integer_value(value);
    return DT_OK;
}

static dt_status read_merge(const reader *r, const json_t *merge, size_t index, char *text,
                            dt_bpe_merge *made) {
    const char *left, *right;
    size_t left_length;
    if (!find_halves(merge, &left, &left_length, &right))
        return dt_usage(
            "%s: expected merges of two tokens, \"a b\" or [\"a\", \"b\"], found another as merge %zu",
            r->where, index);
    if (left_length + strlen(right) > DT_VOCABULARY_MAX_BYTES)
        return dt_usage(
            "%s: expected merges into tokens of at most %d bytes, found a longer one as merge %zu", r->where,
            DT_VOCABULARY_MAX_BYTES, index);
    memcpy(text, left, left_length);
    text[left_length] = 0;
    DT_TRY(find_token(r, text, index, &made->left));
    DT_TRY(find_token(r, right, index, &made->right));
    memcpy(text + left_length, right, strlen(right) + 1);
    return find_token(r, text, index, &made->merged);
}

static dt_status read_merges(const reader *r, bool is_whole_first) {
    const size_t count = json_array_size(r->merges);
    dt_bpe_merge *merges = dt_memory_alloc((int64_t)count, sizeof *merges, "the merges of a tokenizer");
    char *text = malloc(DT_VOCABULARY_MAX_BYTES + 1);
    dt_status status = merges == NULL ? DT_FAILED
                       : text == NULL ? dt_fail("out of memory for merges")
                                      : DT_OK;
    for (size_t i = 0; i < count && status == DT_OK; i++)
        status = read_merge(r, json_array_get(r->merges, i), i, text, &merges[i]);
    if (status == DT_OK)
        status = dt_bpe_create(&r->own->bpe, &r->own->vocabulary, r->is_token, merges, (int64_t)count,
                               is_whole_first, r->where);
    if (status == DT_OK)
        dt_hf_json_mix(r->own, merges, count * sizeof *merges);
    free(text);
    dt_memory_free(merges);
    return status;
}

/* ---- added tokens ---- */

static dt_status read_added_token(const reader *r, const json_t *one, added_token *added) {
    bool is_single_word;
    added->content = dt_hf_json_text(one, "content");
    added->token.id = (int32_t)json_integer_value(json_object_get(one, "id"));
    const size_t length = strlen(added->content);
    if (length == 0 || length > DT_ADDED_MAX_BYTES)
        return dt_usage(
            "%s: expected added tokens with a content of 1 to %d bytes, found one of %zu for id %d", r->where,
            DT_ADDED_MAX_BYTES, length, (int)added->token.id);
    DT_TRY(dt_hf_json_flag(one, "single_word", false, &is_single_word, r->where));
    if (is_single_word)
        return dt_usage(
            "%s: expected added tokens without single_word, found it for \"%.60s\"; dtrain does not read it",
            r->where, added->content);
    DT_TRY(dt_hf_json_flag(one, "lstrip", false, &added->token.strips_left, r->where));
    DT_TRY(dt_hf_json_flag(one, "rstrip", false, &added->token.strips_right, r->where));
    DT_TRY(dt_hf_json_flag(one, "special", false, &added->is_special, r->where));
    return dt_hf_json_flag(one, "normalized", !added->is_special, &added->is_normalized, r->where);
}

/* The id that the tokenizers library gives to an added token which is not in the vocabulary, whatever the
 * file says. */
static int64_t next_id(const reader *r) {
    const int64_t entries = (int64_t)json_object_size(r->vocab);
    return dt_max(entries, r->last_added + 1);
}

/* Gives the token its id, which the model may have for the same text, and enters it where it is looked for.
 */
static dt_status enter_added_token(reader *r, const added_token *added) {
    dt_vocabulary *vocabulary = &r->own->vocabulary;
    const json_t *known = json_object_get(r->vocab, added->content);
    const uint8_t *text = (const uint8_t *)added->content, *normal = NULL;
    int64_t length = (int64_t)strlen(added->content), normal_length;
    const int32_t id = added->token.id;
    if (known != NULL ? json_integer_value(known) != id : vocabulary->offset[id] >= 0)
        return dt_usage(
            "%s: expected an id for each token, found id %d for the added token \"%.60s\", which %s",
            r->where, (int)id, added->content,
            known != NULL ? "has another in the vocabulary" : "another token has");
    if (known == NULL && id != next_id(r))
        return dt_usage(
            "%s: expected id %" PRId64
            " for the added token \"%.60s\", the next one, as the tokenizers library "
            "gives it to a token that is not in the vocabulary too, found %d; add it there with its id",
            r->where, next_id(r), added->content, (int)id);
    r->last_added = dt_max(r->last_added, id);
    DT_TRY(dt_vocabulary_set(vocabulary, id, text, length));
    dt_nfc_text scratch = {0};
    dt_status status = DT_OK;
    if (added->is_normalized && r->own->nfc != NULL)
        status = dt_nfc_apply(r->own->nfc, text, length, &scratch, &normal, &normal_length);
    if (normal != NULL) {
        text = normal;
        length = dt_min(normal_length, DT_ADDED_MAX_BYTES);
    }
    if (status == DT_OK)
        status = dt_added_add(&r->own->added[added->is_normalized], added->token, (const char *)text, length,
                              r->where);
    dt_nfc_text_free(&scratch);
    return status;
}

/* Names of the token that ends a text; the first that a file has is taken. */
static int end_of_text_rank(const char *content) {
    static const char *const names[] = {"<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "</s>", "<eos>"};
    int rank = 0;
    while (rank < (int)(sizeof names / sizeof *names) && strcmp(content, names[rank]) != 0)
        rank++;
    return rank;
}

/* In whatever order they stand. Which of them the model has too makes no difference to a text. */
static void mix_added(const reader *r, const added_token *added, uint64_t *sum) {
    const int32_t about[] = {added->token.id, added->token.strips_left, added->token.strips_right,
                             added->is_normalized};
    *sum += dt_checksum_64(about, sizeof about);
    r->is_token[added->token.id] = false;
}

static dt_status read_added(reader *r) {
    int best = end_of_text_rank("");
    uint64_t sum = 0;
    const json_t *one;
    size_t i;
    r->own->end_of_text = -1;
    json_array_foreach(r->added, i, one) {
        added_token added = {.content = ""};
        DT_TRY(read_added_token(r, one, &added));
        DT_TRY(enter_added_token(r, &added));
        mix_added(r, &added, &sum);
        if (end_of_text_rank(added.content) < best) {
            best = end_of_text_rank(added.content);
            r->own->end_of_text = added.token.id;
        }
    }
    dt_hf_json_mix(r->own, &sum, sizeof sum);
    return DT_OK;
}

/* ---- all of it ---- */

/* Options of the model that would change its tokens. */
static dt_status check_options(const json_t *model, const char *where) {
    static const char *const unread[] = {"dropout", "unk_token", "continuing_subword_prefix",
                                         "end_of_word_suffix"};
    bool has_fallback;
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++) {
        const json_t *value = json_object_get(model, unread[i]);
        const bool is_empty = json_is_string(value) && json_string_value(value)[0] == 0;
        if (value != NULL && !json_is_null(value) && !is_empty)
            return dt_usage(
                "%s: expected a byte-level BPE without \"%s\", found it set; dtrain does not read it", where,
                unread[i]);
    }
    DT_TRY(dt_hf_json_flag(model, "byte_fallback", false, &has_fallback, where));
    return has_fallback
               ? dt_usage(
                     "%s: expected a byte-level BPE without \"byte_fallback\", found it set; dtrain does "
                     "not read it",
                     where)
               : DT_OK;
}

/* The model's own ids follow one another; behind them some are left free, as between the special tokens of
 * GPT-4. The last id is one that is used. */
static dt_status check_gaps(const reader *r) {
    const dt_vocabulary *vocabulary = &r->own->vocabulary;
    int64_t first = -1, unused = 0;
    for (int64_t id = 0; id < vocabulary->count; id++) {
        if (vocabulary->offset[id] < 0) {
            first = first < 0 ? id : first;
            unused++;
        } else if (r->is_token[id] && first >= 0)
            return dt_usage("%s: expected a token for each id up to %" PRId64
                            ", which is one of the model's own, found none for %" PRId64,
                            r->where, id, first);
    }
    return unused <= DT_HF_JSON_MAX_UNUSED
               ? DT_OK
               : dt_usage("%s: expected at most %d ids without a token, found %" PRId64
                          ", the first of them %" PRId64,
                          r->where, DT_HF_JSON_MAX_UNUSED, unused, first);
}

/* The text of each id, and which of them are the model's. */
static void mix_vocabulary(const reader *r) {
    const dt_vocabulary *vocabulary = &r->own->vocabulary;
    for (int64_t id = 0; id < vocabulary->count; id++) {
        int64_t length;
        const uint8_t *bytes = dt_vocabulary_bytes(vocabulary, id, &length);
        dt_hf_json_mix(r->own, bytes, (size_t)length);
    }
    dt_hf_json_mix(r->own, r->is_token, (size_t)vocabulary->count * sizeof *r->is_token);
}

static dt_status read_all(reader *r, bool is_whole_first) {
    int64_t count;
    DT_TRY(count_ids(r, &count));
    DT_TRY(dt_vocabulary_create(&r->own->vocabulary, count));
    r->is_token = dt_memory_alloc(count, sizeof *r->is_token, "a vocabulary");
    if (r->is_token == NULL)
        return DT_FAILED;
    DT_TRY(read_vocabulary(r));
    DT_TRY(read_merges(r, is_whole_first));
    DT_TRY(read_added(r));
    DT_TRY(check_gaps(r));
    mix_vocabulary(r);
    return DT_OK;
}

dt_status dt_hf_model_read(dt_bpe_contents *own, const json_t *root, const char *where) {
    const json_t *model = json_object_get(root, "model");
    reader r = {.own = own,
                .vocab = json_object_get(model, "vocab"),
                .merges = json_object_get(model, "merges"),
                .added = json_object_get(root, "added_tokens"),
                .where = where,
                .last_added = -1};
    bool is_whole_first;
    if (!json_is_object(r.vocab) || !json_is_array(r.merges))
        return dt_usage("%s: expected a model with an object \"vocab\" and a list \"merges\", found another",
                        where);
    if (r.added != NULL && !json_is_null(r.added) && !json_is_array(r.added))
        return dt_usage("%s: expected a list \"added_tokens\", found something else", where);
    DT_TRY(check_options(model, where));
    DT_TRY(dt_hf_json_flag(model, "ignore_merges", false, &is_whole_first, where));
    const bool flags[] = {is_whole_first, own->nfc != NULL};
    dt_hf_json_mix(own, flags, sizeof flags);
    const dt_status status = read_all(&r, is_whole_first);
    dt_memory_free(r.is_token);
    return status;
}
