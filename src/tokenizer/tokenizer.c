/* The choice among kinds, and what holds for all of them. */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/log.h"
#include "tokenizer/ascii.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/bytes.h"
#include "tokenizer/chars.h"
#include "tokenizer/own_json.h"

/* Those of today's models have up to 20 MB. */
#define LARGEST_BYTES ((int64_t)1 << 28)

static bool is_named(const char *name, const dt_tokenizer_kind *kind) {
    return strcmp(name, kind->name) == 0;
}

bool dt_tokenizer_is_kind(const char *name) {
    return is_named(name, &dt_ascii) || is_named(name, &dt_bytes) || is_named(name, &dt_chars);
}

dt_status dt_tokenizer_read(const char *name, char **json, size_t *length) {
    *json = NULL;
    *length = 0;
    if (dt_tokenizer_is_kind(name) || dt_file_read_regular(name, LARGEST_BYTES, json, length) == DT_OK)
        return DT_OK;
    return dt_usage(
        "tokenizer: expected ascii, bytes, chars or the path of a tokenizer.json, found \"%s\": %s", name,
        dt_error());
}

dt_status dt_tokenizer_create(dt_tokenizer *tokenizer, const char *name, const char *json, size_t length) {
    *tokenizer = (dt_tokenizer){0};
    if (json) {
        DT_TRY(dt_tokenizer_parse(tokenizer, name, json, length));
        if (tokenizer->note)
            dt_log_note("%s: %s is read and not applied to a text", name, tokenizer->note);
        return DT_OK;
    }
    DT_ASSERT(dt_tokenizer_is_kind(name));
    if (is_named(name, &dt_chars))
        return dt_chars_open(tokenizer);
    if (is_named(name, &dt_ascii))
        dt_ascii_open(tokenizer);
    else
        dt_bytes_open(tokenizer);
    return DT_OK;
}

dt_status dt_tokenizer_open(dt_tokenizer *tokenizer, const char *name) {
    char *json;
    size_t length;
    *tokenizer = (dt_tokenizer){0};
    DT_TRY(dt_tokenizer_read(name, &json, &length));
    const dt_status status = dt_tokenizer_create(tokenizer, name, json, length);
    free(json);
    return status;
}

/* Whether `json` is what the tokenizer of one of dtrain's kinds writes. */
static dt_status compare_own(const dt_tokenizer *tokenizer, const char *json, bool *same) {
    char *own = tokenizer->kind->json(tokenizer);
    *same = own && strcmp(json, own) == 0;
    free(own);
    return own ? DT_OK : dt_fail("out of memory while looking at a tokenizer");
}

/* Makes one of dtrain's own of `json`, where it is that of one: `*found`. */
static dt_status parse_own(dt_tokenizer *tokenizer, const char *json, bool *found) {
    uint32_t *points;
    int64_t count;
    dt_bytes_open(tokenizer);
    DT_TRY(compare_own(tokenizer, json, found));
    if (*found)
        return DT_OK;
    dt_ascii_open(tokenizer);
    DT_TRY(compare_own(tokenizer, json, found));
    if (*found)
        return DT_OK;
    *tokenizer = (dt_tokenizer){0};
    *found = dt_own_json_find_characters(json, &points, &count);
    if (!*found)
        return DT_OK;
    const dt_status status = dt_chars_create(tokenizer, points, count);
    free(points);
    return status;
}

dt_status dt_tokenizer_parse(dt_tokenizer *tokenizer, const char *path, const char *json, size_t length) {
    bool found;
    DT_TRY(parse_own(tokenizer, json, &found));
    return found ? DT_OK : dt_bpe_tokenizer_read(tokenizer, json, length, path);
}

char *dt_tokenizer_json(const dt_tokenizer *tokenizer, size_t *length) {
    if (tokenizer->kind->json) {
        char *json = tokenizer->kind->json(tokenizer);
        *length = json ? strlen(json) : 0;
        return json;
    }
    const char *file = dt_bpe_tokenizer_file(tokenizer, length);
    char *copy = malloc(*length + 1);
    if (copy) {
        memcpy(copy, file, *length);
        copy[*length] = 0;
    }
    return copy;
}

bool dt_tokenizer_is(const dt_tokenizer *tokenizer, uint64_t hash) {
    return hash == tokenizer->hash || (tokenizer->file_hash != 0 && hash == tokenizer->file_hash);
}

void dt_tokenizer_free(dt_tokenizer *tokenizer) {
    if (tokenizer->kind && tokenizer->kind->free)
        tokenizer->kind->free(tokenizer);
    *tokenizer = (dt_tokenizer){0};
}

int64_t dt_tokenizer_cut(const dt_tokenizer *tokenizer, const dt_text *text, int64_t from) {
    DT_ASSERT(from >= 0 && from <= text->length);
    if (from == 0 && text->is_start)
        return 0;
    if (from == text->length)
        return text->is_end ? from : -1;
    const int64_t cut = tokenizer->can_cut ? tokenizer->kind->cut(tokenizer, text, from) : -1;
    DT_ASSERT(cut == -1 || (cut >= from && cut <= text->length));
    return cut < 0 && text->is_end ? text->length : cut;
}

const char *dt_tokenizer_decode(const dt_tokenizer *tokenizer, int32_t id, size_t *length) {
    if (id >= 0 && id < tokenizer->V)
        return tokenizer->kind->decode(tokenizer, id, length);
    static const char replacement[] = "\xEF\xBF\xBD";
    *length = sizeof replacement - 1;
    return replacement;
}
