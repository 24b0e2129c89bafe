/* A model in words, whose nouns go with their counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/describe.h"

static void nouns_go_with_their_counts(void **state) {
    (void)state;
    char text[DT_DESCRIBE_BYTES];
    dt_config config = {.n_layers = 1, .d_model = 16, .n_heads = 1, .d_ff = 32, .max_seq_len = 8};
    dt_describe_model(&config, text);
    assert_string_equal(text, "1 layer, d_model 16, 1 head, d_ff 32, context 8");
    config.n_layers = 2;
    config.n_heads = 4;
    dt_describe_model(&config, text);
    assert_string_equal(text, "2 layers, d_model 16, 4 heads, d_ff 32, context 8");
}

static void the_largest_counts_fit(void **state) {
    (void)state;
    char text[DT_DESCRIBE_BYTES];
    const dt_config config = {.n_layers = INT64_MIN,
                              .d_model = INT64_MIN,
                              .n_heads = INT64_MIN,
                              .d_ff = INT64_MIN,
                              .max_seq_len = INT64_MIN};
    dt_describe_model(&config, text);
    assert_string_equal(text + strlen(text) - 20, "-9223372036854775808");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nouns_go_with_their_counts),
                                       cmocka_unit_test(the_largest_counts_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
