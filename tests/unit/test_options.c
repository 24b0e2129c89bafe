/*
 * The table is sound: each row names another field of dt_config, in the struct's order, with a default within
 * its own bounds. And the search for the nearest word measures insertions, removals, replacements and swaps.
 */
#include "support/sentence.h"

#include <string.h>

#include "config/check.h"
#include "config/config.h"
#include "config/nearest.h"
#include "config/options.h"
#include "config/value.h"

/*
 * Rows in the order of the fields, without gaps: the bytes of all fields sum to the struct's, but for
 * alignment.
 */
static void test_rows_follow_the_struct(void **state) {
    (void)state;
    for (int64_t i = 1; i < dt_options_count(); i++)
        assert_true(dt_options_at(i)->offset > dt_options_at(i - 1)->offset);
    assert_int_equal(dt_options_at(0)->offset, 0);
    assert_int_equal(dt_options_count() * 8, (int64_t)offsetof(dt_config, given));
}

static void test_rows_are_whole(void **state) {
    (void)state;
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        char text[DT_OPTION_TEXT_BYTES];
        assert_ptr_equal(dt_options_find(option->key, strlen(option->key), false), option);
        assert_ptr_equal(dt_options_find(option->key, strlen(option->key), true), option);
        assert_true(strlen(option->help) > 10 && option->help[strlen(option->help) - 1] != '.');
        assert_true(option->nullable || strcmp(option->default_text, "null") != 0);
        assert_int_equal(option->type == DT_OPTION_CHOICE, option->choices != NULL);
        assert_true(option->choices == NULL || (option->choices[0] && option->choices[1]));
        assert_true(strlen(dt_options_describe(option, text)) < DT_OPTION_TEXT_BYTES - 1);
    }
}

static void test_defaults(void **state) {
    (void)state;
    dt_config config;
    dt_config_init(&config);
    assert_int_equal(config.n_layers, 4);
    assert_int_equal(config.d_ff, 1024);
    assert_true(config.dropout == 0.1 && config.train_ratio == 0.95 && config.learning_rate == 3e-4);
    assert_int_equal(config.lr_schedule, DT_LR_CONSTANT);
    assert_true(dt_is_null_int(config.seed) && dt_is_null_real(config.grad_clip));
    assert_true(config.shuffle);
    assert_null(config.data);
    assert_string_equal(config.sampling_prompt, "The");
    assert_string_equal(config.out_dir, ".");
    assert_int_equal(config.sampling_seed, 42);
    assert_null(config.hooks);
    assert_done(dt_config_check(&config));
    dt_config_free(&config);
    assert_null(config.out_dir);
    dt_config_free(NULL);
}

static void test_descriptions(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"n_layers", "integer from 1 to 1024"},
        {"seed", "integer of at least 0, or null"},
        {"dropout", "number from 0 to 1"},
        {"train_ratio", "number above 0 and below 1"},
        {"beta1", "number of at least 0 and below 1"},
        {"grad_clip", "number above 0, or null"},
        {"sampling_top_p", "number above 0 and at most 1, or null"},
        {"lr_schedule", "one of constant, cosine, wsd"},
        {"shuffle", "true or false"},
        {"data", "string or list of strings, or null"},
        {"hooks", "map, or null"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DT_OPTION_TEXT_BYTES];
        const dt_option *option = dt_options_find(rows[i][0], strlen(rows[i][0]), false);
        assert_string_equal(dt_options_describe(option, text), rows[i][1]);
    }
}

static void test_names(void **state) {
    (void)state;
    char text[DT_OPTION_TEXT_BYTES];
    assert_non_null(dt_options_find("max-steps", 9, true));
    assert_null(dt_options_find("max-steps", 9, false));
    assert_null(dt_options_find("max_step", 8, false));
    assert_string_equal(dt_options_flag(dt_options_find("shuffle", 7, false), text), "--[no-]shuffle");
    assert_string_equal(dt_options_flag(dt_options_find("max_steps", 9, false), text), "--max-steps");
}

static const char *nearest(const char *word, const char *first, const char *second) {
    dt_nearest search = dt_nearest_start(word, strlen(word));
    dt_nearest_offer(&search, first);
    dt_nearest_offer(&search, second);
    return search.best;
}

static void test_nearest(void **state) {
    (void)state;
    assert_string_equal(nearest("max_setps", "batch_size", "max_steps"), "max_steps"); /* one swap */
    assert_string_equal(nearest("maxsteps", "batch_size", "max_steps"), "max_steps");  /* one insertion */
    assert_string_equal(nearest("max_stepss", "batch_size", "max_steps"), "max_steps");
    assert_string_equal(nearest("beta3", "beta1", "beta2"), "beta1"); /* of equals the first */
    assert_string_equal(nearest("max-steps", "beta1", "max_steps"), "max_steps");
    /* Another trainer's word, also where one of ours is nearer by its letters. */
    assert_string_equal(nearest("block_size", "batch_size", "max_seq_len"), "max_seq_len");
    assert_string_equal(nearest("Block-Size", "max_seq_len", "batch_size"), "max_seq_len");
    assert_string_equal(nearest("ctx", "batch_size", "max_seq_len"), "max_seq_len");
    assert_string_equal(nearest("iters", "n_layers", "max_steps"), "max_steps");
    assert_string_equal(nearest("n_embd", "n_heads", "d_model"), "d_model");
    assert_null(nearest("block", "batch_size", "max_seq_len"));
    assert_null(nearest("foo", "beta1", "max_steps"));
    assert_null(nearest("", "a", "b"));
    char longest[200] = "";
    memset(longest, 'a', sizeof longest - 1);
    assert_null(nearest(longest, "a", "b"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_follow_the_struct),
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
