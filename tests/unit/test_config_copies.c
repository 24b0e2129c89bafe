/*
 * A config that is printed and read back, as YAML or as JSON, is the same config: every field, every byte.
 * Equal configs have equal hashes. A resumed run is held to what is fixed and told of what changed.
 */
#include "support/sentence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/flags.h"
#include "config/options.h"
#include "config/value.h"

/* Equal field by field, not by way of text; null reals are the same NaN. */
static void assert_same(const dt_config *a, const dt_config *b) {
    for (int64_t i = 0; i < dt_options_count(); i++) {
        const dt_option *option = dt_options_at(i);
        const char *left = (const char *)a + option->offset, *right = (const char *)b + option->offset;
        bool same;
        if (option->type == DT_OPTION_BOOL)
            same = *(const bool *)left == *(const bool *)right;
        else if (option->type == DT_OPTION_STRING || option->type == DT_OPTION_LIST ||
                 option->type == DT_OPTION_TREE) {
            const char *x = *(char *const *)left, *y = *(char *const *)right;
            same = x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
        } else if (option->type == DT_OPTION_REAL && isnan(*(const double *)left))
            same = isnan(*(const double *)right);
        else
            same = memcmp(left, right, 8) == 0;
        if (!same)
            fail_msg("%s differs", option->key);
    }
}

static void print_and_read(const dt_config *config) {
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    dt_config_print(config, memory);
    fclose(memory);
    dt_config back;
    dt_config_init(&back);
    assert_done(dt_config_read_yaml(&back, "printed", text, length));
    assert_same(config, &back);
    assert_true(dt_config_hash(config) == dt_config_hash(&back));
    dt_config_free(&back);
    free(text);
}

static void dump_and_read(const dt_config *config) {
    json_t *object = dt_config_to_json(config);
    assert_int_equal(json_object_size(object), dt_options_count());
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    object = json_loads(text, 0, NULL);
    dt_config back;
    dt_config_init(&back);
    assert_done(dt_config_from_json(&back, object, "metadata.json"));
    assert_same(config, &back);
    dt_config_free(&back);
    json_decref(object);
    free(text);
}

static void test_numbers_survive(void **state) {
    (void)state;
    static const char *const reals[] = {"0.1",    "3e-4", "1e-300",       "0.30000000000000004",
                                        "5e-324", "1e22", "123456789.125"};
    static const char *const schedules[] = {"constant", "cosine", "wsd"};
    dt_config config;
    dt_config_init(&config);
    print_and_read(&config);
    dump_and_read(&config);
    assert_done(dt_config_set(&config, "seed", "9223372036854775807", "t"));
    assert_done(dt_config_set(&config, "shuffle", "false", "t"));
    assert_done(dt_config_set(&config, "eval_on", "all", "t"));
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        assert_done(dt_config_set(&config, "learning_rate", reals[i], "t"));
        assert_done(dt_config_set(&config, "grad_clip", reals[i], "t"));
        assert_done(dt_config_set(&config, "lr_schedule", schedules[i % 3], "t"));
        print_and_read(&config);
        dump_and_read(&config);
    }
    dt_config_free(&config);
}

/* What YAML might take for something else than a string, or write otherwise. */
static const char *const strings[] = {"plain",
                                      "null",
                                      "~",
                                      "true",
                                      "5",
                                      "0x1F",
                                      "a b",
                                      " lead",
                                      "trail ",
                                      "a: b",
                                      "a #b",
                                      "#",
                                      "- a",
                                      "-",
                                      "?",
                                      "*x",
                                      "&x",
                                      "!x",
                                      "%x",
                                      "@x",
                                      "`x",
                                      "{",
                                      "[",
                                      "'",
                                      "\"",
                                      "\\",
                                      "\\n",
                                      "a\nb",
                                      "\n",
                                      "\r\n",
                                      "\t",
                                      "\x01\x1F\x7F",
                                      "...",
                                      "---",
                                      "..",
                                      "./a",
                                      "/a/b-c_d.txt",
                                      "<<",
                                      "caf\xC3\xA9",
                                      "\xC2\x80",
                                      "\xC2\x85",
                                      "\xC2\xA0",
                                      "\xE2\x80\xA8",
                                      "\xE2\x80\xA9",
                                      "\xEF\xBB\xBF",
                                      "\xEF\xBF\xBE",
                                      "\xEF\xBF\xBF",
                                      "\xF0\x9F\x98\x80",
                                      "\xE4\xB8\xAD\xE6\x96\x87",
                                      ".inf"};

static void test_strings_survive(void **state) {
    (void)state;
    dt_config config;
    dt_config_init(&config);
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        json_t *hooks = json_pack("{s:[{s:s, s:s}]}", "update", "name", strings[i], strings[i], "value");
        assert_done(dt_config_set(&config, "sampling_prompt", strings[i], "t"));
        assert_done(dt_value_set_tree(&config, dt_options_find("hooks", 5, false), hooks, "t"));
        print_and_read(&config);
        dump_and_read(&config);
        json_decref(hooks);
    }
    dt_config_free(&config);
}

static void test_lists_survive(void **state) {
    (void)state;
    dt_config config;
    dt_config_init(&config);
    const dt_option *data = dt_options_find("data", 4, false);
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        json_t *list = json_pack("[s, s]", strings[i], "b");
        assert_done(dt_value_set_tree(&config, data, list, "t"));
        print_and_read(&config);
        dump_and_read(&config);
        json_decref(list);
        /* One string is written as it was before there were lists. */
        list = json_pack("[s]", strings[i]);
        assert_done(dt_value_set_tree(&config, data, list, "t"));
        print_and_read(&config);
        dump_and_read(&config);
        json_t *object = dt_config_to_json(&config);
        assert_string_equal(json_string_value(json_object_get(object, "data")), strings[i]);
        json_decref(object);
        json_decref(list);
    }
    dt_config_free(&config);
}

static void test_trees_survive(void **state) {
    (void)state;
    static const char tree[] =
        "{forward: [{name: activation_stats, log_interval: 25, x: 0.1, y: 5.0, z: [null, [], {}]}],"
        " update: [{name: a, enabled: false, v: -3, w: '5', u: 1e300}]}";
    dt_config config;
    dt_config_init(&config);
    assert_done(dt_config_set(&config, "hooks", tree, "t"));
    print_and_read(&config);
    dump_and_read(&config);
    dt_config_free(&config);
}

static void test_shortest_digits(void **state) {
    (void)state;
    static const char *const rows[][2] = {{"3e-4", "0.0003"}, {"1", "1.0"},
                                          {"0.1", "0.1"},     {"1e-5", "1e-05"},
                                          {"1e22", "1e+22"},  {"0.30000000000000004", "0.30000000000000004"}};
    dt_config config;
    dt_config_init(&config);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_done(dt_config_set(&config, "learning_rate", rows[i][0], "t"));
        char *text = dt_value_text(&config, dt_options_find("learning_rate", 13, false));
        assert_string_equal(text, rows[i][1]);
        free(text);
    }
    dt_config_free(&config);
}

static void test_json_refusals(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"[]", "m: expected an object whose keys are options, found another value"},
        {"{\"max_step\": 5}", "m: unknown key max_step; did you mean max_steps?"},
        {"{\"max_steps\": \"five\"}",
         "m: max_steps must be an integer from 1 to 4294967295, or null, but is the string \"five\"; remove the quotes"},
        {"{\"max_steps\": 0}", "m: max_steps must be an integer from 1 to 4294967295, or null, but is 0"},
        {"{\"n_layers\": null}", "m: n_layers must be an integer from 1 to 1024, but is null"},
        {"{\"dropout\": {}}", "m: dropout must be a number from 0 to 1, but is a map"},
    };
    dt_config config;
    dt_config_init(&config);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *object = json_loads(rows[i][0], 0, NULL);
        assert_refused(dt_config_from_json(&config, object, "m"), rows[i][1]);
        json_decref(object);
    }
    dt_config_free(&config);
}

/* An integer that a double does not hold is a string in JSON and a number in YAML; both forms are read. */
static void test_large_integers(void **state) {
    (void)state;
    dt_config config, back;
    dt_config_init(&config);
    assert_done(dt_config_set(&config, "seed", "9223372036854775807", "t"));
    assert_done(dt_config_set(&config, "sampling_seed", "9007199254740992", "t"));
    assert_done(dt_config_set(&config, "eval_max_windows", "9007199254740993", "t"));
    json_t *object = dt_config_to_json(&config);
    assert_string_equal(json_string_value(json_object_get(object, "seed")), "9223372036854775807");
    assert_string_equal(json_string_value(json_object_get(object, "eval_max_windows")), "9007199254740993");
    assert_true(json_integer_value(json_object_get(object, "sampling_seed")) == 9007199254740992);
    print_and_read(&config);
    dump_and_read(&config);
    /* As it was written before there were strings, and before the allreduce was called one. */
    json_object_del(object, "allreduce");
    json_object_set_new(object, "exchange", json_string("flat"));
    config.allreduce = DT_ALGORITHM_FLAT;
    json_object_set_new(object, "seed", json_integer(INT64_MAX));
    dt_config_init(&back);
    assert_done(dt_config_from_json(&back, object, "m"));
    assert_same(&config, &back);
    json_decref(object);
    dt_config_free(&config);
    dt_config_free(&back);
}

/* One change of any option changes the hash; the way a value is written does not. */
static void test_hash(void **state) {
    (void)state;
    static const char *const changes[][2] = {
        {"n_layers", "5"}, {"dropout", "0.2"}, {"shuffle", "false"}, {"lr_schedule", "wsd"},
        {"data", "x"},     {"grad_clip", "1"}, {"seed", "0"},        {"hooks", "{update: []}"}};
    dt_config base, other;
    dt_config_init(&base);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        dt_config_init(&other);
        assert_true(dt_config_hash(&base) == dt_config_hash(&other));
        assert_done(dt_config_set(&other, changes[i][0], changes[i][1], "t"));
        assert_true(dt_config_hash(&base) != dt_config_hash(&other));
        dt_config_free(&other);
    }
    dt_config_init(&other);
    assert_done(dt_config_set(&base, "hooks", "{update: [{name: a, x: 0.5}]}", "t"));
    assert_done(dt_config_set(&other, "hooks", "{\"update\": [{\"x\": 5e-1, \"name\": \"a\"}]}", "t"));
    assert_done(dt_config_set(&other, "learning_rate", "0.00030", "t"));
    assert_true(dt_config_hash(&base) == dt_config_hash(&other));
    dt_config_free(&other);
    dt_config_free(&base);
}

static char told[512];

static void note_change(const char *key, const char *saved, const char *now) {
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s %s %s;", key, saved, now);
}

static void test_compare(void **state) {
    (void)state;
    dt_config saved, now;
    dt_config_init(&saved);
    dt_config_init(&now);
    saved.seed = 5; /* a checkpoint's seed is never null, and a null one in the run agrees with it */
    told[0] = '\0';
    now.max_steps = 20000;
    now.log_cadence = 9;
    now.grad_clip = 1;
    assert_done(dt_config_set(&now, "data", "elsewhere.txt", "t"));
    assert_done(dt_config_set(&now, "out_dir", "elsewhere", "t"));
    assert_done(dt_config_set(&now, "resume", "latest", "t"));
    assert_done(dt_config_compare(&saved, &now, note_change));
    assert_string_equal(told, "max_steps 10000 20000;grad_clip null 1.0;");
    assert_done(dt_config_compare(&saved, &now, NULL));
    now.seed = 6;
    assert_refused(dt_config_compare(&saved, &now, NULL),
                   "cannot resume: seed is 5 in the checkpoint and 6 in this run; this option may not change "
                   "within a run; leave it out to take what the checkpoint has, or start a new run without "
                   "--resume");
    dt_config_free(&saved);
    dt_config_free(&now);
}

/* What a file, a flag or a setting gives stays, be it the default; all else comes from the other config. */
static void test_adopt(void **state) {
    (void)state;
    static const char yaml[] = "d_ff: 1024\ndata: mine.txt\n";
    char *flags[] = {"--no-shuffle", "--grad-clip", "null"};
    dt_config saved, now, expected;
    dt_config_init(&saved);
    dt_config_init(&now);
    dt_config_init(&expected);
    const char *const theirs[][2] = {{"d_ff", "77"},
                                     {"data", "theirs.txt"},
                                     {"grad_clip", "2"},
                                     {"n_layers", "9"},
                                     {"dropout", "0.25"},
                                     {"lr_schedule", "wsd"},
                                     {"seed", "5"},
                                     {"hooks", "{update: [{name: identity}]}"},
                                     {"sampling_prompt", "x"},
                                     {"keep_last", "3"}};
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        assert_done(dt_config_set(&saved, theirs[i][0], theirs[i][1], "t"));
        assert_done(dt_config_set(&expected, theirs[i][0], theirs[i][1], "t"));
    }
    assert_done(dt_config_read_yaml(&now, "t", yaml, strlen(yaml)));
    assert_done(dt_config_read_flags(&now, 3, flags, NULL, NULL, NULL));
    assert_done(dt_config_set(&now, "keep_last", "null", "t"));
    assert_true(dt_config_is_given(&now, "shuffle") && dt_config_is_given(&now, "d_ff"));
    assert_false(dt_config_is_given(&now, "n_layers"));
    const char *const mine[][2] = {{"d_ff", "1024"},
                                   {"data", "mine.txt"},
                                   {"grad_clip", "null"},
                                   {"shuffle", "false"},
                                   {"keep_last", "null"}};
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        assert_done(dt_config_set(&expected, mine[i][0], mine[i][1], "t"));
    assert_done(dt_config_adopt(&now, &saved));
    assert_true(dt_config_hash(&now) == dt_config_hash(&expected));
    dt_config_free(&saved);
    assert_true(dt_config_hash(&now) == dt_config_hash(&expected)); /* nothing of it is shared */
    dt_config_free(&now);
    dt_config_free(&expected);
}

/* Exactly the options that change what a run means are fixed. */
static void test_fixed_options(void **state) {
    (void)state;
    static const char expected[] =
        "n_layers d_model n_heads d_ff max_seq_len vocab_size train_ratio batch_size micro_batch_size seed "
        "shuffle leftover_windows join_documents tokenizer ";
    char found[512] = "";
    for (int64_t i = 0; i < dt_options_count(); i++)
        if (dt_options_at(i)->resume == DT_RESUME_FIXED) {
            size_t used = strlen(found);
            snprintf(found + used, sizeof found - used, "%s ", dt_options_at(i)->key);
        }
    assert_string_equal(found, expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_survive),
        cmocka_unit_test(test_strings_survive),
        cmocka_unit_test(test_lists_survive),
        cmocka_unit_test(test_trees_survive),
        cmocka_unit_test(test_shortest_digits),
        cmocka_unit_test(test_json_refusals),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_fixed_options),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_large_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
