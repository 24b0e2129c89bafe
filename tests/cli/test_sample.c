/* dtrain sample: what decides the text, and how it is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/verb.h"

static char *sample(const char *flags) {
    char line[1024];
    snprintf(line, sizeof line, "sample " VERB_CHECKPOINT " %s", flags);
    return verb_output("", line);
}

static void same_text(char *left, char *right) {
    assert_string_equal(left, right);
    free(left);
    free(right);
}

static void other_text(char *left, char *right) {
    assert_string_not_equal(left, right);
    free(left);
    free(right);
}

static void a_seed_decides_the_sample(void **state) {
    (void)state;
    same_text(sample("--seed 5"), sample("--seed 5"));
    other_text(sample("--seed 5"), sample("--seed 6"));
    same_text(sample(""),
              sample("--seed 42 --temperature 1 --max-length 100 --prompt The")); /* the defaults */
    other_text(sample("--seed 5"), sample("--seed 5 --temperature 3"));
}

/* top_k 1 leaves nothing to chance, and so does a tiny top_p. */
static void the_likeliest_text_needs_no_seed(void **state) {
    (void)state;
    same_text(sample("--top-k 1 --seed 1"), sample("--top-k 1 --seed 2"));
    same_text(sample("--top-k 1"), sample("--top-p 1e-9 --seed 3"));
    same_text(sample("--top-k 1"), sample("--temperature 1e-6"));
    same_text(sample("--top-k 1"), sample("--temperature 0 --seed 4"));
}

/* The model does not read what was written. */
static void a_prompt_of_unknown_characters_is_told_of(void **state) {
    (void)state;
    command_result r =
        command_run("%s sample " VERB_CHECKPOINT " --max-length 3 --prompt 'ab\u00e9 \u6587'", DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_says(&r,
                 "dtrain: warning: the prompt \"ab\u00e9 \u6587\" has 2 characters of 5 that the tokenizer "
                 "ascii does not know, which the model reads as <UNK>\n");
    command_free(&r);
}

/* The text before the first TEXT, and nothing of it, as one text or of several side by side. */
static void a_text_ends_before_its_stop(void **state) {
    (void)state;
    char *whole = sample("--seed 5 --prompt x"), *stopped, *end = strchr(whole + 1, ' ');
    assert_non_null(end);
    strcpy(end, "\n");
    stopped = sample("--seed 5 --prompt x --stop ' '");
    assert_string_equal(stopped, whole);
    free(stopped);
    stopped = sample("--seed 5 --prompt x --stop ' ' --count 3");
    assert_int_equal(strncmp(stopped, whole, strlen(whole)), 0);
    free(stopped);
    free(whole);
    command_result r = command_run("%s sample " VERB_CHECKPOINT " --stop ''", DTRAIN);
    assert_int_equal(r.exit_code, 2);
    assert_non_null(
        strstr(r.err, "--stop: expected the text before which a sample is to end, found an empty one"));
    command_free(&r);
}

/* After one step all tokens are about as likely, also those that are no character: none of these is drawn, so
 * a token asked for is a character in ASCII. */
static void every_token_is_a_character(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "young", TRAINING_MODEL "--max-steps 1");
    char *text =
        verb_output("", "sample young/checkpoints/latest --max-length 1000 --temperature 3 --prompt x");
    assert_int_equal(strlen(text), 1 + 1000 + 1);
    for (const char *c = text; *c; c++)
        assert_true((*c >= ' ' && *c <= '~') || *c == '\n' || *c == '\t');
    free(text);
}

/* The prompt may be a second word, one with dashes behind "--"; an empty one is a newline that is not shown.
 */
static void the_prompt_may_be_a_word(void **state) {
    (void)state;
    same_text(sample("Once --top-k 3"), sample("--top-k 3 --prompt Once"));
    same_text(sample("--top-k 3 -- '--top-k'"), sample("--top-k 3 --prompt=--top-k"));
    char *empty = sample("'' --top-k 3"), *newline = sample("--prompt '\n' --top-k 3");
    assert_string_equal(newline[0] == '\n' ? newline + 1 : newline, empty);
    free(empty);
    free(newline);
    same_text(sample("--prompt= --top-k 3"), sample("--top-k 3 ''"));
}

/* The first of several samples is the one that comes alone; the others differ from it. */
static void count_makes_several(void **state) {
    (void)state;
    char *one = sample("--top-k 5 --max-length 40"), *three = sample("--top-k 5 --max-length 40 --count 3");
    const size_t length = strlen(one) - 1; /* without the newline at the end */
    assert_int_equal(strlen(three), 3 * length + 5);
    assert_memory_equal(three, one, length);
    assert_memory_equal(three + length, "\n\n", 2);
    assert_memory_not_equal(three + length + 2, one, length);
    assert_memory_not_equal(three + 2 * length + 4, one, length);
    assert_memory_not_equal(three + 2 * length + 4, three + length + 2, length);
    free(one);
    free(three);
}

/* The context is 32 tokens: text goes on past it, one character a token, and what came before does not
 * change. */
static void the_context_slides(void **state) {
    (void)state;
    char *shorter = sample("--top-k 3 --max-length 29"), *longer = sample("--top-k 3 --max-length 200");
    assert_int_equal(strlen(shorter), strlen("The") + 29 + 1);
    assert_int_equal(strlen(longer), strlen("The") + 200 + 1);
    assert_memory_equal(shorter, longer, strlen(shorter) - 1);
    free(shorter);
    free(longer);
}

/* Of a prompt longer than the context the last 32 characters count; all of it is printed. */
static void a_long_prompt_counts_by_its_end(void **state) {
    (void)state;
    static const char end[] = "one tree and every bit of it go ",
                      start[] = "slowly the ranks may come again or ";
    char flags[256];
    assert_int_equal(strlen(end), 32);
    snprintf(flags, sizeof flags, "--top-k 3 --max-length 50 --prompt '%s%s'", start, end);
    char *whole = sample(flags);
    snprintf(flags, sizeof flags, "--top-k 3 --max-length 50 --prompt '%s'", end);
    char *tail = sample(flags);
    assert_memory_equal(whole, start, strlen(start));
    assert_string_equal(whole + strlen(start), tail);
    free(whole);
    free(tail);
}

/* Characters outside the vocabulary are one <UNK> each, whatever they are. */
static void any_prompt_will_do(void **state) {
    (void)state;
    char *umlaut = sample("--top-k 3 --prompt 'h\xc3\xb6rt \xe2\x98\x95 '");
    char *other = sample("--top-k 3 --prompt 'h\xe2\x82\xacrt \xc3\xa9 '");
    assert_memory_equal(umlaut, "h\xc3\xb6rt \xe2\x98\x95 ", 10);
    assert_memory_equal(other, "h\xe2\x82\xacrt \xc3\xa9 ", 10);
    assert_string_equal(umlaut + 10, other + 10);
    free(umlaut);
    free(other);
}

static void sample_says_what_is_wrong(void **state) {
    (void)state;
    verb_refused(
        "sample " VERB_CHECKPOINT " --top-k 0", 2,
        "dtrain: error: --top-k: sampling_top_k must be an integer of at least 1, or null, but is 0\n");
    verb_refused(
        "sample -- Once", 2,
        "dtrain: error: Once is no checkpoint: expected a folder, found nothing there; name one such as "
        "checkpoints/checkpoint_step_1000, a run's folder (its latest is taken) or RUN/best; a prompt comes after the checkpoint: dtrain sample CHECKPOINT "
        "-- TEXT\n");
    verb_refused("sample " VERB_CHECKPOINT " --count 0", 2,
                 "dtrain: error: --count: expected a whole number of at least 1, found \"0\"\n");
    verb_refused(
        "sample", 2,
        "dtrain: error: sample: expected one checkpoint, found 0; give its folder, a run's folder (its "
        "latest is taken), RUN/best, or latest or best: dtrain sample checkpoints/latest\n");
    verb_refused(
        "sample .", 2,
        "dtrain: error: . is no checkpoint: the folder holds no metadata.json; name a folder such as "
        "checkpoints/checkpoint_step_1000, a run's folder (its latest is taken) or RUN/best\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_decides_the_sample),
        cmocka_unit_test(the_likeliest_text_needs_no_seed),
        cmocka_unit_test(a_prompt_of_unknown_characters_is_told_of),
        cmocka_unit_test(a_text_ends_before_its_stop),
        cmocka_unit_test(every_token_is_a_character),
        cmocka_unit_test(the_prompt_may_be_a_word),
        cmocka_unit_test(count_makes_several),
        cmocka_unit_test(the_context_slides),
        cmocka_unit_test(a_long_prompt_counts_by_its_end),
        cmocka_unit_test(any_prompt_will_do),
        cmocka_unit_test(sample_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, verb_set_up, command_tear_down);
}
