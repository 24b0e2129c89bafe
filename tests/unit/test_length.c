/* max_steps, max_tokens and max_epochs: which of them ends a run, and at which step. */
#include "support/sentence.h"

#include <string.h>

#include "config/config.h"
#include "config/length.h"

/* Of batches of 16 x 256 = 4096 tokens, with each "key value" of `words`. */
static dt_config config_of(const char *const *words) {
    dt_config config;
    assert_done(dt_config_init(&config));
    for (; *words != NULL; words += 2)
        assert_done(dt_config_set(&config, words[0], words[1], "test"));
    dt_length_choose(&config);
    return config;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The step at which a run of these words ends, where an epoch is `epoch_steps` steps. */
static void expect(const char *const *words, double epoch_steps, int64_t step, const char *flag) {
    dt_config config = config_of(words);
    dt_length_settle(&config, epoch_steps);
    assert_int_equal(config.max_steps, step);
    assert_string_equal(dt_length_flag(&config, epoch_steps), flag);
    dt_config_free(&config);
}

static void the_least_that_is_given_counts(void **state) {
    (void)state;
    expect(WORDS("seed", "1"), 10, 10000, "max-steps");
    expect(WORDS("max_tokens", "4096"), 10, 1, "max-tokens");
    expect(WORDS("max_tokens", "4097"), 10, 2, "max-tokens");
    expect(WORDS("max_tokens", "409600000"), 10, 100000,
           "max-tokens"); /* the default of max_steps does not count */
    expect(WORDS("max_tokens", "409600000", "max_steps", "70"), 10, 70, "max-steps");
    expect(WORDS("max_tokens", "40960", "max_steps", "70"), 10, 10, "max-tokens");
    expect(WORDS("max_epochs", "3"), 10, 30, "max-epochs");
    expect(WORDS("max_epochs", "0.01"), 10, 1, "max-epochs");
    expect(WORDS("max_epochs", "1.1"), 10, 11, "max-epochs");
    expect(WORDS("max_epochs", "2"), 10.5, 21, "max-epochs");
    expect(WORDS("max_epochs", "3", "max_tokens", "40960"), 10, 10, "max-tokens");
    expect(WORDS("max_epochs", "3", "max_steps", "null"), 10, 30, "max-epochs");
    expect(WORDS("max_epochs", "3", "max_steps", "40"), 10, 30, "max-epochs");
    expect(WORDS("max_epochs", "3", "max_steps", "20"), 10, 20, "max-steps");
    expect(WORDS("max_epochs", "1e300"), 10, UINT32_MAX, "max-epochs");
    expect(WORDS("max_tokens", "9223372036854775807"), 10, UINT32_MAX, "max-tokens");
}

static void epochs_wait_for_the_text(void **state) {
    (void)state;
    expect(WORDS("max_epochs", "3"), 0, DT_NULL_INT, "max-epochs");
    expect(WORDS("max_epochs", "3", "max_tokens", "40960"), 0, 10, "max-tokens");
}

static void what_is_given_replaces_what_all_three_were(void **state) {
    (void)state;
    dt_config saved = config_of(WORDS("max_tokens", "40960", "max_steps", "10")),
              silent = config_of(WORDS("seed", "1")), longer = config_of(WORDS("max_tokens", "81920")),
              config = saved;
    dt_length_replace(&silent, &config);
    assert_int_equal(config.max_steps, 10);
    assert_int_equal(config.max_tokens, 40960);
    dt_length_replace(&longer, &config);
    assert_true(dt_is_null_int(config.max_steps) && dt_is_null_int(config.max_tokens));
    dt_config_free(&saved);
    dt_config_free(&silent);
    dt_config_free(&longer);
}

static void one_must_be_set(void **state) {
    (void)state;
    dt_config config = config_of(WORDS("max_steps", "null"));
    assert_refused(dt_length_check(&config),
                   "max_steps, max_tokens and max_epochs are all null, so training would never "
                   "end; give one of them");
    dt_config_free(&config);
    config = config_of(WORDS("max_steps", "null", "max_epochs", "1"));
    assert_done(dt_length_check(&config));
    dt_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_that_is_given_counts),
        cmocka_unit_test(epochs_wait_for_the_text),
        cmocka_unit_test(what_is_given_replaces_what_all_three_were),
        cmocka_unit_test(one_must_be_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
