/* Patterns are parsed one by one, share an alphabet, and are compiled over it. */
#include "tokenizer/splitter.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

const char dt_splitter_gpt2[] =
    "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

#define SUFFIXES "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define UPPER    "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER    "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define SPACES   "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/*
 * The patterns of which it is known that no match holds a newline and, behind it, a character that is neither
 * white space nor a slash; that what is matched behind such a place does not depend on what lies before it;
 * and that what is matched before it depends on no more than that first character behind it.
 */
static const char *const known[] = {
    dt_splitter_gpt2,
    /* GPT-2's as OpenAI's own source first had it. */
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    /* GPT-4's (cl100k), which is Llama 3's too. */
    SUFFIXES "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES,
    /* Qwen's: digits one by one. */
    SUFFIXES "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES,
    /* Qwen's with marks among the letters, and GPT-4o's (o200k). */
    SUFFIXES "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" SPACES,
    "[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]*[" LOWER "]+" SUFFIXES "?|[^\\r\\n\\p{L}\\p{N}]?[" UPPER "]+[" LOWER
    "]*" SUFFIXES "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES,
};

bool dt_splitter_is_known(const char *pattern) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(pattern, known[i]) == 0)
            return true;
    return false;
}

static dt_splitter_cut cut_of(const dt_splitter_stage *stages, int count) {
    if (count == 0)
        return DT_CUT_PAIR;
    return !stages[0].is_literal && dt_splitter_is_known(stages[0].text) ? DT_CUT_NEWLINE : DT_CUT_NOWHERE;
}

static dt_status parse(dt_regex *regexes, const dt_splitter_stage *stages, int count, const char *where) {
    uint8_t *category = dt_memory_alloc(DT_UNICODE_POINTS, 1, "the categories of characters");
    dt_status status = category == NULL ? DT_FAILED : DT_OK;
    if (category != NULL)
        dt_unicode_categories(category);
    for (int s = 0; s < count && status == DT_OK; s++) {
        const size_t length = strlen(stages[s].text);
        status = stages[s].is_literal ? dt_regex_quote(&regexes[s], stages[s].text, length, where)
                                      : dt_regex_parse(&regexes[s], stages[s].text, length, category, where);
    }
    dt_memory_free(category);
    return status;
}

static dt_status compile(dt_splitter *splitter, const dt_regex *regexes, const char *where) {
    for (int s = 0; s < splitter->stages; s++) {
        char *written = dt_alphabet_write(&splitter->alphabet, &regexes[s]);
        if (written == NULL)
            return DT_FAILED;
        const dt_status status = dt_pattern_create(&splitter->pattern[s], written, where);
        free(written);
        DT_TRY(status);
    }
    return DT_OK;
}

dt_status dt_splitter_create(dt_splitter *splitter, const dt_splitter_stage *stages, int count,
                             int prefix_stage, const char *where) {
    DT_ASSERT(count >= 0 && count <= DT_SPLITTER_MAX_STAGES && prefix_stage <= count);
    dt_regex regexes[DT_SPLITTER_MAX_STAGES] = {{0}};
    *splitter = (dt_splitter){.stages = count, .prefix_stage = prefix_stage, .cut = cut_of(stages, count)};
    dt_status status = parse(regexes, stages, count, where);
    if (status == DT_OK)
        status = dt_alphabet_create(&splitter->alphabet, regexes, count, where);
    if (status == DT_OK)
        status = compile(splitter, regexes, where);
    for (int s = 0; s < count; s++)
        dt_regex_free(&regexes[s]);
    return status;
}

void dt_splitter_free(dt_splitter *splitter) {
    for (int s = 0; s < splitter->stages; s++)
        dt_pattern_free(&splitter->pattern[s]);
    dt_alphabet_free(&splitter->alphabet);
    *splitter = (dt_splitter){0};
}
