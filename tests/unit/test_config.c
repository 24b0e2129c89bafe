/*
 * Values reach their fields from YAML, flags and text, the later beating the earlier; a value that is refused
 * leaves its field as it was and is refused in the exact words.
 */
#include "support/sentence.h"

#include <string.h>

#include "config/check.h"
#include "config/config.h"
#include "config/flags.h"
#include "config/list.h"

static dt_status read_yaml(dt_config *config, const char *text) {
    return dt_config_read_yaml(config, "t", text, strlen(text));
}

/* Splits `line` at single spaces into words and reads them as flags. */
static dt_status read_line(dt_config *config, const char *line, const dt_flag *own, const char **positional,
                           int *positional_count) {
    static char copy[512]; /* static, because verbs keep pointers into the words */
    char *words[64];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    return dt_config_read_flags(config, count, words, own, positional, positional_count);
}

static void test_yaml_values(void **state) {
    (void)state;
    dt_config config;
    dt_config_init(&config);
    assert_done(read_yaml(
        &config, "learning_rate: 3e-5\nweight_decay: 0\nbeta1: .5\nmax_steps: 0x10\nn_layers: 0o17\n"
                 "lr_schedule: \"wsd\"\nshuffle: False\nseed: 9223372036854775807\ngrad_clip: ~\n"
                 "data: 2024\nout_dir: 'null'\nsampling_prompt: \"a\\nb\"\nresume: latest\n"
                 "eval_cadence: &n 7\ncheckpoint_cadence: *n\nhooks:\n  update:\n  - name: identity\n"));
    assert_true(config.learning_rate == 3e-5 && config.weight_decay == 0 && config.beta1 == 0.5);
    assert_int_equal(config.max_steps, 16);
    assert_int_equal(config.n_layers, 15);
    assert_int_equal(config.lr_schedule, DT_LR_WSD);
    assert_false(config.shuffle);
    assert_true(config.seed == INT64_MAX);
    assert_true(dt_is_null_real(config.grad_clip));
    assert_string_equal(config.data, "[\"2024\"]");
    assert_string_equal(config.out_dir, "null");
    assert_string_equal(config.sampling_prompt, "a\nb");
    assert_string_equal(config.resume, "latest");
    assert_int_equal(config.eval_cadence, 7);
    assert_int_equal(config.checkpoint_cadence, 7);
    assert_string_equal(config.hooks, "{\"update\":[{\"name\":\"identity\"}]}");
    assert_done(dt_config_check(&config));
    dt_config_free(&config);
}

/* What was written for version 0.1.0 is still taken, and not more than that. */
static void test_old_names(void **state) {
    (void)state;
    dt_config config;
    const char *algorithms = NULL;
    const dt_flag own[] = {{"algorithms", false, &algorithms, NULL}, {.name = NULL}};
    dt_config_init(&config);
    assert_done(read_yaml(&config, "exchange: hierarchical\n"));
    assert_int_equal(config.allreduce, DT_ALGORITHM_HIERARCHICAL);
    assert_true(dt_config_is_given(&config, "allreduce"));
    assert_done(read_line(&config, "--exchange flat", NULL, NULL, NULL));
    assert_int_equal(config.allreduce, DT_ALGORITHM_FLAT);
    assert_done(read_line(&config, "--ways --exchange=library", own, NULL, NULL));
    assert_int_equal(config.allreduce, DT_ALGORITHM_LIBRARY);
    assert_non_null(algorithms);
    assert_refused(read_yaml(&config, "exchange: flat\nseed: 1\nallreduce: library\n"),
                   "t:3:1: allreduce is given twice, first on line 1 as exchange; remove one of the two");
    assert_refused(read_yaml(&config, "exchange: nope\n"),
                   "t:1:11: allreduce must be one of auto, flat, hierarchical, library, but is nope");
    assert_refused(read_line(&config, "--ways", NULL, NULL, NULL),
                   "unknown flag --ways; --help lists the verb's, and dtrain help options those of training");
    assert_refused(read_yaml(&config, "ways: 1\n"), "t:1:1: unknown key ways; docs/config.md lists them all");
    dt_config_free(&config);
}

static void test_bounds_are_reached(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"dropout", "0"},
        {"dropout", "1"},
        {"dropout", "1.0"},
        {"beta1", "0"},
        {"sampling_top_p", "1"},
        {"warmup_steps", "0"},
        {"sampling_top_k", "1"},
        {"seed", "0"},
        {"min_learning_rate", "0"},
        {"n_layers", "1024"},
        {"max_steps", "4294967295"},
        {"eval_max_windows", "null"},
    };
    dt_config config;
    dt_config_init(&config);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_done(dt_config_set(&config, rows[i][0], rows[i][1], "t"));
    dt_config_free(&config);
}

/* A config, and the sentence that refuses it. */
static const char *const refusals[][2] = {
    {"max_step: 5", "t:1:1: unknown key max_step; did you mean max_steps?"},
    {"\nfoo: 5", "t:2:1: unknown key foo; docs/config.md lists them all"},
    {"<<: {seed: 1}", "t:1:1: unknown key <<; docs/config.md lists them all"},
    {"max_steps: 1.5", "t:1:12: max_steps must be an integer from 1 to 4294967295, or null, but is 1.5"},
    {"max_steps: 1e4",
     "t:1:12: max_steps must be an integer from 1 to 4294967295, or null, but is 1e4; write it as 10000"},
    {"max_steps: 0", "t:1:12: max_steps must be an integer from 1 to 4294967295, or null, but is 0"},
    {"max_steps: 4294967296",
     "t:1:12: max_steps must be an integer from 1 to 4294967295, or null, but is 4294967296"},
    {"d_model:", "t:1:9: d_model must be an integer from 1 to 65536, but is null"},
    {"max_steps: true", "t:1:12: max_steps must be an integer from 1 to 4294967295, or null, but is true"},
    {"max_steps: '5'",
     "t:1:12: max_steps must be an integer from 1 to 4294967295, or null, but is the string "
     "\"5\"; remove the quotes"},
    {"max_steps: {a: 1}", "t:1:12: max_steps must be an integer from 1 to 4294967295, or null, but is a map"},
    {"max_steps: [1]", "t:1:12: max_steps must be an integer from 1 to 4294967295, or null, but is a list"},
    {"seed: 9223372036854775808",
     "t:1:7: seed must be an integer of at least 0, or null, but is 9223372036854775808, which is "
     "above 9223372036854775807, the largest value allowed"},
    {"seed: 18446744073709551615",
     "t:1:7: seed must be an integer of at least 0, or null, but is 18446744073709551615, which is "
     "above 9223372036854775807, the largest value allowed"},
    {"seed: -9223372036854775808",
     "t:1:7: seed must be an integer of at least 0, or null, but is -9223372036854775808, which is "
     "below -9223372036854775807, the smallest value allowed"},
    {"dropout: \"0.1\"",
     "t:1:10: dropout must be a number from 0 to 1, but is the string \"0.1\"; remove the quotes"},
    {"dropout: .nan", "t:1:10: dropout must be a number from 0 to 1, but is .nan, which is not finite"},
    {"dropout: nan", "t:1:10: dropout must be a number from 0 to 1, but is nan"},
    {"dropout: 1.0001", "t:1:10: dropout must be a number from 0 to 1, but is 1.0001"},
    {"weight_decay: .inf",
     "t:1:15: weight_decay must be a number of at least 0, but is .inf, which is not finite"},
    {"weight_decay: 1e999",
     "t:1:15: weight_decay must be a number of at least 0, but is 1e999, which is too large"},
    {"learning_rate: 0", "t:1:16: learning_rate must be a number above 0, but is 0"},
    {"train_ratio: 1", "t:1:14: train_ratio must be a number above 0 and below 1, but is 1"},
    {"beta2: 1.0", "t:1:8: beta2 must be a number of at least 0 and below 1, but is 1.0"},
    {"grad_clip: 0", "t:1:12: grad_clip must be a number above 0, or null, but is 0"},
    {"lr_schedule: linear", "t:1:14: lr_schedule must be one of constant, cosine, wsd, but is linear"},
    {"lr_schedule: ~", "t:1:14: lr_schedule must be one of constant, cosine, wsd, but is null"},
    {"shuffle: yEs", "t:1:10: shuffle must be true or false, but is yEs"},
    {"shuffle: 'true'",
     "t:1:10: shuffle must be true or false, but is the string \"true\"; remove the quotes"},
    {"out_dir: ''", "t:1:10: out_dir must be a string, but is empty; give it at least one character"},
    {"out_dir: [a]", "t:1:10: out_dir must be a string, but is a list"},
    {"sampling_prompt: null",
     "t:1:18: sampling_prompt must be a string, but is null; a string that looks like null needs quotes"},
    {"data: []", "t:1:7: data must be a string or list of strings, or null, but is an empty list"},
    {"data: {a: b}", "t:1:7: data must be a string or list of strings, or null, but is a map"},
    {"data: [a, 5]",
     "t:1:7: data must be a string or list of strings, or null, but is a list whose entry 2 is "
     "something else; a string that looks like another value needs quotes"},
    {"data: [a, '']", "t:1:7: data must be a string or list of strings, or null, but is empty; give it at "
                      "least one character"},
    {"hooks: 5", "t:1:8: hooks must be a map, or null, but is 5"},
    {"hooks: [a]", "t:1:8: hooks must be a map, or null, but is a list"},
    {"hooks: '{}'", "t:1:8: hooks must be a map, or null, but is the string \"{}\""},
};

static void test_yaml_refusals(void **state) {
    (void)state;
    dt_config config;
    dt_config_init(&config);
    uint64_t before = dt_config_hash(&config);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        assert_refused(read_yaml(&config, refusals[i][0]), refusals[i][1]);
    assert_true(dt_config_hash(&config) == before);
    dt_config_free(&config);
}

/* A list from a file, in both of YAML's styles, and from flags, of which the first takes the file's place. */
static void test_lists(void **state) {
    (void)state;
    char **texts;
    int64_t count;
    dt_config config;
    dt_config_init(&config);
    assert_done(read_yaml(&config, "data: [a, 'b c', \"2024\"]\n"));
    assert_done(dt_list_read(config.data, &texts, &count));
    assert_int_equal(count, 3);
    assert_string_equal(texts[0], "a");
    assert_string_equal(texts[1], "b c");
    assert_string_equal(texts[2], "2024");
    assert_null(texts[3]);
    dt_list_free(texts);
    assert_done(read_line(&config, "--data x --max-steps 5 --data=y", NULL, NULL, NULL));
    assert_string_equal(config.data, "[\"x\",\"y\"]");
    assert_done(read_yaml(&config, "data:\n- a\n- b\n"));
    assert_string_equal(config.data, "[\"a\",\"b\"]");
    assert_done(read_line(&config, "--data x --data null", NULL, NULL, NULL));
    assert_null(config.data);
    assert_done(dt_list_read(config.data, &texts, &count));
    assert_int_equal(count, 0);
    dt_list_free(texts);
    dt_config_free(&config);
}

static void test_flag_values(void **state) {
    (void)state;
    dt_config config;
    dt_config_init(&config);
    assert_done(read_line(
        &config,
        "--max-steps 5 --batch_size=8 --no-shuffle --grad-clip null --data null --sampling-prompt null "
        "--seed 1 --seed 2 --out-dir -x --hooks {\"update\":[{\"name\":\"x\"}]} --resume=--odd",
        NULL, NULL, NULL));
    assert_int_equal(config.max_steps, 5);
    assert_int_equal(config.batch_size, 8);
    assert_false(config.shuffle);
    assert_true(dt_is_null_real(config.grad_clip));
    assert_null(config.data);
    assert_string_equal(config.sampling_prompt, "null");
    assert_int_equal(config.seed, 2);
    assert_string_equal(config.out_dir, "-x");
    assert_string_equal(config.resume, "--odd");
    assert_string_equal(config.hooks, "{\"update\":[{\"name\":\"x\"}]}");
    assert_done(read_line(&config, "--shuffle", NULL, NULL, NULL));
    assert_true(config.shuffle);
    assert_done(read_line(&config, "--shuffle=false", NULL, NULL, NULL));
    assert_false(config.shuffle);
    /* The words of YAML 1.1 too. */
    assert_done(read_line(&config, "--shuffle yes", NULL, NULL, NULL));
    assert_true(config.shuffle);
    assert_done(read_line(&config, "--shuffle=off", NULL, NULL, NULL));
    assert_false(config.shuffle);
    assert_done(dt_config_read_yaml(&config, "t", "shuffle: On", strlen("shuffle: On")));
    assert_true(config.shuffle);
    assert_done(dt_config_read_yaml(&config, "t", "shuffle: NO", strlen("shuffle: NO")));
    assert_false(config.shuffle);
    assert_done(read_line(&config, "--sampling-prompt= --sampling-temperature 0", NULL, NULL, NULL));
    assert_string_equal(config.sampling_prompt, "");
    assert_true(config.sampling_temperature == 0.0);
    assert_done(read_line(&config, "--shuffle true --no_shuffle", NULL, NULL, NULL));
    assert_false(config.shuffle);
    dt_config_free(&config);
}

static void test_flags_beat_yaml_beats_defaults(void **state) {
    (void)state;
    dt_config config;
    dt_config_init(&config);
    assert_done(read_yaml(&config, "max_steps: 7\nbatch_size: 4\n"));
    assert_done(read_line(&config, "--max-steps 9", NULL, NULL, NULL));
    assert_int_equal(config.max_steps, 9);
    assert_int_equal(config.batch_size, 4);
    assert_int_equal(config.n_layers, 4);
    dt_config_free(&config);
}

static void test_own_flags_and_words(void **state) {
    (void)state;
    const char *file = NULL, *print = NULL, *seed = NULL, *words[8];
    int count = -1;
    const dt_flag own[] = {{"config", true, &file, NULL},
                           {"print-config", false, &print, NULL},
                           {"seed", true, &seed, NULL},
                           {.name = NULL}};
    dt_config config;
    dt_config_init(&config);
    assert_done(
        read_line(&config, "a --config=f.yaml - --print_config --seed 3 -- --b -c", own, words, &count));
    assert_string_equal(file, "f.yaml");
    assert_string_equal(print, "");
    assert_string_equal(seed, "3");
    assert_true(dt_is_null_int(config.seed)); /* the verb's own flag hides the table's */
    assert_int_equal(count, 4);
    assert_string_equal(words[0], "a");
    assert_string_equal(words[1], "-");
    assert_string_equal(words[2], "--b");
    assert_string_equal(words[3], "-c");
    assert_refused(read_line(&config, "--print-config=1", own, NULL, NULL),
                   "--print-config takes no value, but is given \"1\"");
    assert_refused(read_line(&config, "--cofnig x", own, NULL, NULL),
                   "unknown flag --cofnig; did you mean --config?");
    dt_config_free(&config);
}

static void test_flag_refusals(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"--max-step 5", "unknown flag --max-step; did you mean --max-steps?"},
        {"--max_setps=5", "unknown flag --max_setps; did you mean --max-steps?"},
        {"--zzz", "unknown flag --zzz; --help lists the verb's, and dtrain help options those of training"},
        {"--no-seed",
         "unknown flag --no-seed; --help lists the verb's, and dtrain help options those of training"},
        {"--no-shuffle=1", "--no-shuffle takes no value, but is given \"1\""},
        {"--max-steps", "--max-steps needs a value; dtrain help --max-steps says which"},
        {"--max-steps --seed 1",
         "--max-steps needs a value; if \"--seed\" is the value, write --max-steps=--seed"},
        {"-x", "unknown flag -x; flags have two dashes, and --help lists the verb's"},
        {"word", "expected flags only, found the word \"word\"; --help shows how options are given"},
        {"--seed -1", "--seed: seed must be an integer of at least 0, or null, but is -1"},
        {"--seed=", "--seed: seed must be an integer of at least 0, or null, but is empty"},
        {"--metrics-cadence null",
         "--metrics-cadence: metrics_cadence must be an integer from 1 to 4294967295, but is null"},
        {"--shuffle=n", "--shuffle: shuffle must be true or false, but is n"},
        {"--shuffle 1", "--shuffle: shuffle must be true or false, but is 1"},
        {"--data=",
         "--data: data must be a string or list of strings, or null, but is empty; give it at least one character"},
        {"--data \xFF",
         "--data: data must be a string or list of strings, or null, but is not valid UTF-8; give it in UTF-8"},
        {"--hooks []", "--hooks: hooks must be a map, or null, but is []"},
        {"--hooks {\"a\":1,\"a\":2}",
         "--hooks:1:8: a is given twice, first on line 1; remove one of the two"},
    };
    dt_config config;
    dt_config_init(&config);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(read_line(&config, rows[i][0], NULL, NULL, NULL), rows[i][1]);
    assert_refused(dt_config_set(&config, "sede", "1", "here"), "here: unknown key sede; did you mean seed?");
    dt_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_values),
        cmocka_unit_test(test_old_names),
        cmocka_unit_test(test_bounds_are_reached),
        cmocka_unit_test(test_yaml_refusals),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_flag_values),
        cmocka_unit_test(test_flags_beat_yaml_beats_defaults),
        cmocka_unit_test(test_own_flags_and_words),
        cmocka_unit_test(test_flag_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
