/* PCRE2, in its mode for bytes. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/pattern.h"

#include <inttypes.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/minmax.h"

/* Steps of backtracking, kilobytes and depth of a match: far above what a pattern needs that reads each
 * character a few times. A long run of spaces takes steps by its length. */
#define STEPS_MAX      10000000
#define STEPS_PER_CHAR 8
#define HEAP_KIB_MAX   65536
#define DEPTH_MAX      1000000
#define STACK_MIN      (32 << 10)
#define STACK_MAX      (16 << 20)
#define SENTENCE_BYTES 128

static void say_why(int error, char why[SENTENCE_BYTES]) {
    if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why, SENTENCE_BYTES) < 0)
        why[0] = 0;
}

dt_status dt_pattern_create(dt_pattern *pattern, const char *written, const char *where) {
    int error;
    size_t at;
    uint32_t may_be_empty = 0;
    char why[SENTENCE_BYTES];
    *pattern = (dt_pattern){.where = strdup(where)};
    if (pattern->where == NULL)
        return dt_fail("out of memory for a tokenizer's pattern");
    pattern->code =
        pcre2_compile((PCRE2_SPTR)written, PCRE2_ZERO_TERMINATED,
                      PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);
    if (pattern->code == NULL) {
        say_why(error, why);
        return dt_usage("%s: expected a pattern that PCRE2 compiles, found one of which it says: %s", where,
                        why);
    }
    if (pcre2_pattern_info(pattern->code, PCRE2_INFO_MATCHEMPTY, &may_be_empty) != 0 || may_be_empty != 0)
        return dt_usage(
            "%s: expected a pattern that always takes a character, found one that may match nothing", where);
    pattern->has_jit = pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0;
    return DT_OK;
}

void dt_pattern_free(dt_pattern *pattern) {
    free(pattern->where);
    pcre2_code_free(pattern->code);
    *pattern = (dt_pattern){0};
}

dt_status dt_matcher_create(dt_matcher *matcher) {
    *matcher = (dt_matcher){.data = pcre2_match_data_create(1, NULL),
                            .context = pcre2_match_context_create(NULL),
                            .stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL)};
    if (matcher->data == NULL || matcher->context == NULL)
        return dt_fail("out of memory for matching patterns");
    pcre2_set_match_limit(matcher->context, STEPS_MAX);
    pcre2_set_heap_limit(matcher->context, HEAP_KIB_MAX);
    pcre2_set_depth_limit(matcher->context, DEPTH_MAX);
    /* Without machine code there is no stack for it either. */
    if (matcher->stack != NULL)
        pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    return DT_OK;
}

void dt_matcher_free(dt_matcher *matcher) {
    pcre2_match_data_free(matcher->data);
    pcre2_match_context_free(matcher->context);
    pcre2_jit_stack_free(matcher->stack);
    *matcher = (dt_matcher){0};
}

dt_status dt_pattern_find(const dt_pattern *pattern, dt_matcher *matcher, const uint8_t *kinds,
                          int64_t length, int64_t from, int64_t *first, int64_t *end) {
    DT_ASSERT(from >= 0 && from < length);
    if (length > matcher->longest) {
        matcher->longest = length;
        pcre2_set_match_limit(matcher->context,
                              (uint32_t)dt_min(STEPS_MAX + STEPS_PER_CHAR * length, UINT32_MAX));
    }
    const int found = pattern->has_jit ? pcre2_jit_match(pattern->code, kinds, (size_t)length, (size_t)from,
                                                         0, matcher->data, matcher->context)
                                       : pcre2_match(pattern->code, kinds, (size_t)length, (size_t)from, 0,
                                                     matcher->data, matcher->context);
    if (found > 0) {
        const size_t *match = pcre2_get_ovector_pointer(matcher->data);
        *first = (int64_t)match[0];
        *end = (int64_t)match[1];
        return DT_OK;
    }
    *first = *end = length;
    if (found == PCRE2_ERROR_NOMATCH)
        return DT_OK;
    char why[SENTENCE_BYTES];
    say_why(found, why);
    return dt_usage(
        "%s: expected a pattern that finds its pieces in a few steps, found one that gives up %" PRId64
        " characters into a stretch of text: %s; another pattern is needed",
        pattern->where, from, why);
}
