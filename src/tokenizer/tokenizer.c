/* The choice among kinds, and what holds for all of them. */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "base/assert.h"
#include "base/file.h"
#include "tokenizer/ascii.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/bytes.h"

dt_status dt_tokenizer_open(dt_tokenizer *tokenizer, const char *name) {
    *tokenizer = (dt_tokenizer){0};
    if (strcmp(name, dt_ascii.name) == 0)
        dt_ascii_open(tokenizer);
    else if (strcmp(name, dt_bytes.name) == 0)
        dt_bytes_open(tokenizer);
    else if (strchr(name, '/') != NULL || strstr(name, ".json") != NULL || dt_file_exists(name))
        return dt_bpe_tokenizer_open(tokenizer, name);
    else
        return dt_usage("tokenizer: expected ascii, bytes or the path of a tokenizer.json, found \"%s\"",
                        name);
    return DT_OK;
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
