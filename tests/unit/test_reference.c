/*
 * What is printed from the table names every option, fits its medium, and agrees with the files in the
 * repository: docs/config.md and configs/default.yaml are the printed ones, the latter sets exactly the
 * defaults, and every file in configs/ is a valid config.
 */
#include "support/printed.h"
#include "support/sentence.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/check.h"
#include "config/config.h"
#include "config/options.h"
#include "config/reference.h"

static void print_yaml(FILE *file) {
    assert_done(dt_reference_yaml(file));
}

static void test_help_fits(void **state) {
    (void)state;
    char *text = printed(dt_reference_help);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 100);
        assert_true(line[0] == '\n' || line[strcspn(line, "\n") - 1] != ' ');
    }
    assert_non_null(strstr(text, "Training:\n  --max-steps INTEGER "));
    free(text);
}

static void test_every_option_is_printed(void **state) {
    (void)state;
    char *help = printed(dt_reference_help), *markdown = printed(dt_reference_markdown);
    char *yaml = printed(print_yaml);
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        char flag[DT_OPTION_TEXT_BYTES], line[256];
        assert_non_null(strstr(help, dt_options_flag(option, flag)));
        snprintf(line, sizeof line, "\n| `%s` | `%s` |", option->key, option->default_text);
        assert_non_null(strstr(markdown, line));
        snprintf(line, sizeof line, "\n%s: ", option->key);
        assert_non_null(strstr(yaml, line));
    }
    free(help);
    free(markdown);
    free(yaml);
}

/* A row of a table has as many cells as its heading: none of the texts holds a bar. */
static void test_markdown_cells(void **state) {
    (void)state;
    char *text = printed(dt_reference_markdown);
    const char *row = text;
    while ((row = strstr(row, "\n| `")) != NULL) {
        int bars = 0;
        for (row++; *row != '\n'; row++)
            bars += *row == '|';
        assert_int_equal(bars, 7);
    }
    free(text);
}

static void test_default_yaml(void **state) {
    (void)state;
    char *expected = printed(print_yaml), *bytes = NULL;
    size_t length = 0;
    assert_done(dt_file_read(DTRAIN_SOURCE_DIR "/configs/default.yaml", 1 << 20, &bytes, &length));
    assert_string_equal(bytes, expected);
    /* Read over a config that differs in options of every type, it must give the defaults back. */
    dt_config defaults, config;
    dt_config_init(&defaults);
    dt_config_init(&config);
    assert_done(dt_config_set(&config, "data", "x", "t"));
    assert_done(dt_config_set(&config, "hooks", "{}", "t"));
    config.n_layers = config.seed = config.eval_cadence = config.sampling_top_k = config.decay_steps = 77;
    config.grad_clip = config.sampling_top_p = config.beta1 = 0.5;
    config.shuffle = false;
    assert_done(dt_config_read_yaml(&config, "default.yaml", bytes, length));
    assert_true(dt_config_hash(&config) == dt_config_hash(&defaults));
    dt_config_free(&defaults);
    dt_config_free(&config);
    free(expected);
    free(bytes);
}

/* Identity: the page in the repository is the printed one. */
static void test_config_page(void **state) {
    (void)state;
    char *expected = printed(dt_reference_markdown), *bytes = NULL;
    size_t length = 0;
    assert_done(dt_file_read(DTRAIN_SOURCE_DIR "/docs/config.md", 1 << 20, &bytes, &length));
    if (strcmp(bytes, expected) != 0)
        fail_msg("docs/config.md is out of date; print it anew by: dtrain help --markdown >docs/config.md");
    free(expected);
    free(bytes);
}

static void test_configs_are_valid(void **state) {
    (void)state;
    char **names = NULL;
    size_t count = 0;
    assert_done(dt_file_list(DTRAIN_SOURCE_DIR "/configs", &names, &count));
    assert_true(count >= 7);
    for (size_t i = 0; i < count; i++) {
        char *bytes = NULL, *path = dt_file_join(DTRAIN_SOURCE_DIR "/configs", names[i]);
        size_t length = 0;
        dt_config config;
        dt_config_init(&config);
        assert_done(dt_file_read(path, 1 << 20, &bytes, &length));
        assert_done(dt_config_read_yaml(&config, names[i], bytes, length));
        assert_done(dt_config_check(&config));
        assert_null(config.data);
        char command[256];
        /* Two cores are what every machine has; on fewer than -np says mpirun refuses the line. */
        snprintf(command, sizeof command, "\n#     mpirun -np 2 build/dtrain --config configs/%s --data FILE",
                 names[i]);
        assert_int_equal(bytes[0], '#');
        assert_non_null(strstr(bytes, command));
        dt_config_free(&config);
        free(bytes);
        free(path);
    }
    dt_file_free_names(names, count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_fits),      cmocka_unit_test(test_every_option_is_printed),
        cmocka_unit_test(test_markdown_cells), cmocka_unit_test(test_default_yaml),
        cmocka_unit_test(test_config_page),    cmocka_unit_test(test_configs_are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
