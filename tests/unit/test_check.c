/*
 * Options that contradict each other are refused together, in the exact words and with the place where the
 * document has one; what is just within the rules passes.
 */
#include "support/sentence.h"

#include <string.h>

#include "config/check.h"
#include "config/config.h"

static dt_status read_yaml(dt_config *config, const char *text) {
    return dt_config_read_yaml(config, "t", text, strlen(text));
}

static void test_check(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"d_model: 100\nn_heads: 3",
         "d_model must be a multiple of n_heads, so that all heads are equally wide, but d_model "
         "is 100 and n_heads is 3; change one of the two"},
        {"batch_size: 2\nmicro_batch_size: 4",
         "micro_batch_size must be at most batch_size, but micro_batch_size is 4 and "
         "batch_size is 2; lower micro_batch_size or raise batch_size"},
        {"min_learning_rate: 1e-3",
         "min_learning_rate must be at most learning_rate, but min_learning_rate is 0.001 and "
         "learning_rate is 0.0003; lower min_learning_rate or raise learning_rate"},
        {"tokenizer: null",
         "tokenizer: null needs a vocab_size, since nothing else says how many tokens there are; give vocab_size, or "
         "name a tokenizer"},
        {"tokenizer: null\nvocab_size: 9\nsampling_cadence: 1",
         "tokenizer: null needs sampling_cadence: null, since a sample is text; leave sampling_cadence out, or name "
         "a tokenizer"},
        {"hooks: {updates: []}", "hooks: expected the keys forward and update, found updates"},
        {"hooks: {update: {name: x}}",
         "hooks: update must be a list of hooks such as [{name: identity}], but is something else"},
        {"hooks: {forward: [x]}",
         "hooks: entry 1 of forward must be a map such as {name: identity}, but is something else"},
        {"hooks: {update: [{name: a}, {enabled: true}]}",
         "hooks: entry 2 of update must have a name that is a string, but has none"},
        {"hooks: {update: [{name: 5}]}",
         "hooks: entry 1 of update must have a name that is a string, but has another value"},
        {"hooks: {update: [{name: a, enabled: 1}]}",
         "hooks: enabled of \"a\" in update must be true or false, but is something else"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dt_config config;
        dt_config_init(&config);
        assert_done(read_yaml(&config, rows[i][0]));
        assert_refused(dt_config_check(&config), rows[i][1]);
        dt_config_free(&config);
    }
}

/* A rule that the document breaks by itself is told with the place; what flags have a part in is told
 * without. */
static void test_check_names_the_place(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"n_layers: 2\nd_model: 100\nn_heads: 3", NULL, "big.yaml:2:10: d_model must be a multiple"},
        {"n_layers: 2\nn_heads:   3", NULL, "big.yaml:2:12: d_model must be a multiple"},
        {"\nhooks: {updates: []}", NULL, "big.yaml:2:8: hooks: expected the keys forward and update"},
        {"d_model: 100\nn_heads: 4", "3", "d_model must be a multiple of n_heads"},
        {"", "3", "d_model must be a multiple of n_heads"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dt_config config;
        dt_config_init(&config);
        assert_done(dt_config_read_yaml(&config, "big.yaml", rows[i][0], strlen(rows[i][0])));
        if (rows[i][1])
            assert_done(dt_config_set(&config, "n_heads", rows[i][1], "--n-heads"));
        assert_int_equal(dt_config_check_document(&config, "big.yaml", rows[i][0], strlen(rows[i][0])),
                         DT_USAGE);
        if (strncmp(dt_error(), rows[i][2], strlen(rows[i][2])) != 0)
            fail_msg("row %zu: expected \"%s\", found \"%s\"", i, rows[i][2], dt_error());
        dt_config_free(&config);
    }
}

/* What is just within the rules passes. */
static void test_check_passes(void **state) {
    (void)state;
    static const char *const rows[] = {
        /* A short try of a config made for a long run: the rate just does not get as far. */
        "max_steps: 10\nwarmup_steps: 20\nlr_schedule: cosine",
        "max_steps: 10\nwarmup_steps: 9\ndecay_steps: 90\nlr_schedule: wsd",
        "batch_size: 4\nmicro_batch_size: 4\nmin_learning_rate: 3e-4",
        "hooks: {}",
        "hooks: {update: [{name: a, enabled: false, more: {x: 1}}], forward: []}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dt_config config;
        dt_config_init(&config);
        assert_done(read_yaml(&config, rows[i]));
        assert_done(dt_config_check(&config));
        dt_config_free(&config);
    }
}

static void test_decay_steps(void **state) {
    (void)state;
    dt_config config;
    dt_config_init(&config);
    assert_int_equal(dt_config_decay_steps(&config), 1000);
    config.max_steps = 9;
    assert_int_equal(dt_config_decay_steps(&config), 1);
    config.decay_steps = 4;
    assert_int_equal(dt_config_decay_steps(&config), 4);
    dt_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_names_the_place),
        cmocka_unit_test(test_check_passes),
        cmocka_unit_test(test_decay_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
