/* Patterns: what each class takes, of all code points; what is refused; and what a match may cost. */
#include "support/sentence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/splitter.h"

/* A splitter of one pattern, and a matcher for it. */
static dt_splitter splitter;
static dt_matcher matcher;

static dt_status compile(const char *pattern) {
    const dt_splitter_stage stage = {pattern, false};
    dt_splitter_free(&splitter);
    return dt_splitter_create(&splitter, &stage, 1, -1, "f.json");
}

/* How many characters the first match in the text has, and where it begins. */
static int64_t match(const char *text, int64_t *first) {
    uint8_t kinds[256];
    int64_t end;
    const int64_t chars =
        dt_alphabet_translate(&splitter.alphabet, (const uint8_t *)text, (int64_t)strlen(text), kinds);
    assert_done(dt_pattern_find(&splitter.pattern[0], &matcher, kinds, chars, 0, first, &end));
    return end - *first;
}

/* Which kinds the pattern, which takes one character, takes. */
static void find_taken(bool taken[256]) {
    int64_t first, end;
    for (int kind = 0; kind < 256; kind++) {
        const uint8_t one = (uint8_t)kind;
        assert_done(dt_pattern_find(&splitter.pattern[0], &matcher, &one, 1, 0, &first, &end));
        taken[kind] = end > first;
    }
}

static bool in(const char *name, uint8_t category) {
    return (dt_unicode_mask(name, strlen(name)) >> category & 1) != 0;
}

/* Whether pattern i of the test below should take a code point, of category c. */
static bool is_of(size_t i, uint32_t p, uint8_t c) {
    switch (i) {
    case 0:
        return dt_unicode_is_space(p);
    case 1:
        return !dt_unicode_is_space(p);
    case 2:
        return in("L", c);
    case 3:
        return !in("L", c);
    case 4:
        return !in("N", c);
    case 5:
        return !dt_unicode_is_space(p) && !in("L", c) && !in("N", c);
    case 6:
        return in("Lu", c) || in("M", c);
    case 7:
        return p != '\r' && p != '\n' && in("L", c);
    case 8:
        return in("Nd", c);
    case 9:
        return p != '\n';
    case 10:
        return p == 's' || p == 'S' || p == 0x17F;
    case 11:
        return p == 'k' || p == 'K' || p == 'l' || p == 'L' || p == 0x212A;
    default:
        return p >= 0x4E00 && p <= 0x9FA5;
    }
}

/* Identity: of all code points each pattern takes those that the table of categories says. */
static void classes_take_what_they_name(void **state) {
    (void)state;
    static const char *const patterns[] = {"\\s",
                                           "\\S",
                                           "\\p{L}",
                                           "\\P{L}",
                                           "\\p{^N}",
                                           "[^\\s\\p{L}\\p{N}]",
                                           "[\\p{Lu}\\p{M}]",
                                           "[^\\r\\n\\P{L}]",
                                           "\\d",
                                           ".",
                                           "(?i:s)",
                                           "(?i:[k-l])",
                                           "[\xe4\xb8\x80-\xe9\xbe\xa5]"};
    uint8_t *category = malloc(DT_UNICODE_POINTS);
    bool taken[256];
    dt_unicode_categories(category);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        assert_done(compile(patterns[i]));
        find_taken(taken);
        for (uint32_t p = 0; p < DT_UNICODE_POINTS; p++)
            if (taken[splitter.alphabet.kind[p]] != is_of(i, p, category[p]))
                fail_msg("%s and U+%04X", patterns[i], p);
    }
    free(category);
}

static void matches_are_where_they_should(void **state) {
    (void)state;
    int64_t first;
    assert_done(compile(dt_splitter_gpt2));
    assert_int_equal(match("don't", &first), 3);
    assert_int_equal(match("   x", &first), 2);
    assert_int_equal(match("   ", &first), 3);
    assert_int_equal(match(" \xd0\x96\xd0\xb8x 1", &first), 4);
    assert_done(compile("\\p{N}{1,3}"));
    assert_int_equal(match("ab12345", &first), 3);
    assert_int_equal(first, 2);
    assert_done(compile("(?<=a)b|c(?=d)"));
    assert_int_equal(match("bcabcd", &first), 1);
    assert_int_equal(first, 3);
    assert_int_equal(match("xyz", &first), 0);
    assert_int_equal(first, 3);
}

static void what_means_two_things_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *found;
    } bad[] = {
        {"\\w+", "found \\w at byte 0 of \\w+"},
        {"a\\b", "found \\b at byte 1"},
        {"\\p{Han}", "found \\p{Han} in place of a general category"},
        {"\\p{Script=Han}+", "found \\p{Script=Han} in place"},
        {"\\pL", "found \\p without a name in braces"},
        {"\\p{L", "found \\p{} in place"},
        {"^a", "found ^"},
        {"a$", "found $"},
        {"(?i)a", "found a group that is none of"},
        {"(*FAIL)a", "found a group that is none of"},
        {"(?<n>a)", "found a group that is none of"},
        {"(a", "found a group without its end"},
        {"a)", "found a bracket that closes no group"},
        {"[a", "found a class without its end"},
        {"[]a]", "found a class that begins with ]"},
        {"[a[b]]", "found a class in a class"},
        {"[a&&b]", "found && in a class"},
        {"[\\s-x]", "found a range from or to a class"},
        {"[z-a]", "found a range that ends before it begins"},
        {"a{,3}", "found a brace that opens no {n}, {n,} or {n,m}"},
        {"a{1,3}+", "found a sign behind {..}"},
        {"(?i:ss)", "found letters that fold in several ways"},
        {"(?i:\xc3\xa9)", "found letters that fold in several ways"},
        {"(?i:\\p{L})", "found a class where case is ignored"},
        {"(?i:[^a])", "found [^ where case is ignored"},
        {"\\", "found a backslash before no ASCII character"},
        {"a*", "one that may match nothing"},
        {"(?=a)", "one that may match nothing"},
        {"", "a pattern of 1 to 8192 bytes, found 0"},
        {"a**", "PCRE2 compiles"},
        {"((((((((((((((((((((((((((((((((((a", "more than 32 deep"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(compile(bad[i].pattern), DT_USAGE);
        if (strstr(dt_error(), bad[i].found) == NULL || strncmp(dt_error(), "f.json: expected ", 17) != 0)
            fail_msg("%s: %s", bad[i].pattern, dt_error());
    }
}

/* More kinds of characters than there are bytes for. */
static void too_many_kinds_are_refused(void **state) {
    (void)state;
    char pattern[1024] = "[";
    for (int i = 0; i < 130; i++) {
        const char letter[] = {(char)(0xC4 + i / 64), (char)(0x80 + i % 64), i < 129 ? '|' : 0, 0};
        strcat(pattern, letter);
    }
    assert_int_equal(compile(pattern + 1), DT_USAGE);
    assert_non_null(strstr(dt_error(), "at most 128 kinds"));
}

/* A pattern that tries every way to divide a run ends with a sentence. */
static void a_pattern_that_explodes_gives_up(void **state) {
    (void)state;
    uint8_t kinds[64];
    int64_t first, end;
    assert_done(compile("(?:a|aa)+b|c"));
    memset(kinds, 'a', sizeof kinds);
    assert_int_equal(dt_pattern_find(&splitter.pattern[0], &matcher, kinds, sizeof kinds, 0, &first, &end),
                     DT_USAGE);
    assert_non_null(strstr(dt_error(),
                           "f.json: expected a pattern that finds its pieces in a few steps, found "
                           "one that gives up 0 characters into a stretch of text: "));
}

/* The same number of steps is no fault where it comes of a long text. */
static void a_long_run_is_matched(void **state) {
    (void)state;
    const int64_t length = 12 << 20;
    uint8_t *kinds = malloc((size_t)length);
    int64_t first, end;
    memset(kinds, ' ', (size_t)length);
    kinds[length - 1] = 'x';
    assert_done(compile("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"));
    assert_done(dt_pattern_find(&splitter.pattern[0], &matcher, kinds, length, 0, &first, &end));
    assert_int_equal(first, 0);
    assert_int_equal(end, length - 2);
    free(kinds);
}

static int set_up(void **state) {
    (void)state;
    return dt_matcher_create(&matcher) != DT_OK;
}

static int tear_down(void **state) {
    (void)state;
    dt_splitter_free(&splitter);
    dt_matcher_free(&matcher);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_take_what_they_name),      cmocka_unit_test(matches_are_where_they_should),
        cmocka_unit_test(what_means_two_things_is_refused), cmocka_unit_test(too_many_kinds_are_refused),
        cmocka_unit_test(a_pattern_that_explodes_gives_up), cmocka_unit_test(a_long_run_is_matched),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
