/* What is read back is what was saved, and nothing that is damaged, missing, mixed up or of another model is
 * read. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/checkpoint.h"

static const char *const names[] = {"metadata.json", "config.json", "vocab.json", "model.safetensors",
                                    "optimizer.safetensors"};
#define NAMES (sizeof names / sizeof names[0])

static tiny *t;
static char *path; /* of the checkpoint of step 3 */

static int set_up(void **state) {
    (void)state;
    t = tiny_make();
    return dt_checkpoint_save(t->folder, &t->about, &t->state, &path) != DT_OK;
}

static int tear_down(void **state) {
    (void)state;
    free(path);
    tiny_free(t);
    return 0;
}

static void expect_verified(void) {
    dt_checkpoint_about about;
    if (dt_checkpoint_verify(path, &about) != DT_OK)
        fail_msg("%s", dt_error());
    dt_config_free(&about.config);
}

/* Expects that neither verify nor load takes the folder; load need not look at what it does not read. */
static void expect_refused(const char *what, size_t where, bool load_too) {
    dt_checkpoint_about about;
    dt_state back = t->state;
    if (dt_checkpoint_verify(path, &about) == DT_OK)
        fail_msg("verify takes %s damaged at %zu", what, where);
    if (load_too && dt_checkpoint_load(path, &back, true) == DT_OK)
        fail_msg("load takes %s damaged at %zu", what, where);
}

static bool is_tensors(const char *name) {
    return strstr(name, ".safetensors") != NULL;
}

/* Every field and every bit of the vectors comes back, also through `latest`. */
static void round_trip_keeps_everything(void **state) {
    (void)state;
    dt_checkpoint_about back;
    char *latest = NULL;
    assert_true(tiny_equals(t, path));
    expect_verified();
    assert_int_equal(dt_checkpoint_find(t->folder, "latest", &latest), DT_OK);
    assert_string_equal(latest, path);
    assert_int_equal(dt_checkpoint_read_about(latest, &back), DT_OK);
    assert_int_equal(back.step, 3);
    assert_int_equal(back.config.seed, 5);
    assert_true(dt_config_hash(&back.config) == dt_config_hash(&t->about.config));
    assert_string_equal(back.run_id, t->about.run_id);
    assert_memory_equal(&back.corpus, &t->about.corpus, sizeof back.corpus);
    dt_config_free(&back.config);
    free(latest);
}

static bool file_holds(const char *name, const char *text) {
    char *file = dt_file_join(path, name);
    size_t length;
    char *bytes = scratch_get(file, &length);
    const bool holds = strstr(bytes, text) != NULL;
    free(bytes);
    free(file);
    return holds;
}

/* Identity: a real number has the digits that a person gave, and reads back as the same bits; what looks like
 * a number in a text stays as it is. */
static void numbers_have_their_fewest_digits(void **state) {
    (void)state;
    char *other = NULL;
    dt_checkpoint_about back;
    assert_true(file_holds("config.json", "\"layer_norm_epsilon\": 1e-05"));
    assert_true(file_holds("metadata.json", "\"beta1\": 0.9,"));
    assert_true(file_holds("metadata.json", "\"sampling_temperature\": 1.0,"));
    const char *const settings[][2] = {{"learning_rate", "1e-300"},
                                       {"weight_decay", "0.30000000000000004"},
                                       {"sampling_prompt", "\\\" 0.10000000000000001 \" 2.50"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_int_equal(dt_config_set(&t->about.config, settings[i][0], settings[i][1], "test"), DT_OK);
    tiny_advance(t, 4, 1);
    assert_int_equal(dt_checkpoint_save(t->folder, &t->about, &t->state, &other), DT_OK);
    free(path);
    path = other;
    assert_true(file_holds("metadata.json", "\"learning_rate\": 1e-300,"));
    assert_true(file_holds("metadata.json", "\"weight_decay\": 0.30000000000000004,"));
    assert_int_equal(dt_checkpoint_read_about(path, &back), DT_OK);
    assert_true(dt_config_hash(&back.config) == dt_config_hash(&t->about.config));
    assert_string_equal(back.config.sampling_prompt, settings[2][1]);
    dt_config_free(&back.config);
}

static json_t *parse(const char *name) {
    char *file = dt_file_join(path, name);
    json_t *object = json_load_file(file, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    free(file);
    return object;
}

/* What Hugging Face's GPT2Config and a tokenizer read, value by value. */
static void other_programs_find_what_they_read(void **state) {
    (void)state;
    json_t *config = parse("config.json"), *vocab = parse("vocab.json"), *metadata = parse("metadata.json");
    const char *architecture, *type, *activation, *dtype;
    int tied, scaled;
    json_int_t positions, width, layers, heads, inner, tokens;
    double epsilon, range;
    assert_int_equal(json_unpack(config,
                                 "{s:[s], s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}",
                                 "architectures", &architecture, "model_type", &type, "activation_function",
                                 &activation, "torch_dtype", &dtype, "tie_word_embeddings", &tied,
                                 "scale_attn_weights", &scaled, "n_positions", &positions, "n_embd", &width,
                                 "n_layer", &layers, "n_head", &heads, "n_inner", &inner, "vocab_size",
                                 &tokens, "layer_norm_epsilon", &epsilon, "initializer_range", &range),
                     0);
    assert_string_equal(architecture, "GPT2LMHeadModel");
    assert_string_equal(type, "gpt2");
    assert_string_equal(activation, "gelu_new");
    assert_string_equal(dtype, "float32");
    assert_true(tied && scaled && epsilon == 1e-5 && range == 0.02);
    assert_true(positions == 4 && width == 4 && layers == 1 && heads == 2 && inner == 8 && tokens == 99);
    assert_int_equal(json_object_size(vocab), 99);
    assert_int_equal(json_integer_value(json_object_get(vocab, "<PAD>")), 0);
    assert_int_equal(json_integer_value(json_object_get(vocab, "A")), 'A' - 30);
    assert_int_equal(json_integer_value(json_object_get(vocab, "\t")), 98);
    assert_int_equal(json_integer_value(json_object_get(metadata, "step")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(metadata, "config"), "d_ff")), 8);
    json_decref(config);
    json_decref(vocab);
    json_decref(metadata);
}

/* One bit turned anywhere is refused; every bit of the weights, every third of the rest (a prime number of
 * bits apart). */
static void turned_bits_are_refused(void **state) {
    (void)state;
    for (size_t n = 0; n < NAMES; n++) {
        size_t length, apart = strcmp(names[n], "model.safetensors") == 0 ? 1 : 7;
        char *file = dt_file_join(path, names[n]), *bytes = scratch_get(file, &length);
        FILE *stream = fopen(file, "r+");
        for (size_t bit = 0; bit < 8 * length; bit += apart) {
            char turned = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
            assert_int_equal(pwrite(fileno(stream), &turned, 1, (off_t)(bit / 8)), 1);
            expect_refused(names[n], bit, n == 0 || is_tensors(names[n]));
            assert_int_equal(pwrite(fileno(stream), &bytes[bit / 8], 1, (off_t)(bit / 8)), 1);
        }
        fclose(stream);
        free(bytes);
        free(file);
        expect_verified();
    }
}

/* A file that ends early, at any byte, is refused; so is one with a byte more. */
static void truncated_files_are_refused(void **state) {
    (void)state;
    for (size_t n = 0; n < NAMES; n++) {
        size_t length, apart = is_tensors(names[n]) ? 1 : 5;
        char *file = dt_file_join(path, names[n]), *bytes = scratch_get(file, &length);
        for (size_t kept = 0; kept < length; kept += apart) {
            scratch_put(file, bytes, kept);
            expect_refused(names[n], kept, n == 0 || is_tensors(names[n]));
        }
        scratch_put(file, bytes, length + 1);
        expect_refused(names[n], length, n == 0 || is_tensors(names[n]));
        scratch_put(file, bytes, length);
        expect_verified();
        free(bytes);
        free(file);
    }
}

/* Each file must be there and be a file, and the sentence names the one that is not. */
static void missing_files_are_refused(void **state) {
    (void)state;
    for (size_t n = 0; n < NAMES; n++) {
        char *file = dt_file_join(path, names[n]), *away = dt_file_join(t->scratch, "away");
        assert_int_equal(rename(file, away), 0);
        expect_refused(names[n], 0, n == 0 || is_tensors(names[n]));
        assert_non_null(strstr(dt_error(), names[n]));
        assert_int_equal(mkdir(file, 0777), 0);
        expect_refused(names[n], 1, n == 0 || is_tensors(names[n]));
        assert_non_null(strstr(dt_error(), names[n]));
        assert_int_equal(rmdir(file), 0);
        assert_int_equal(rename(away, file), 0);
        free(file);
        free(away);
    }
    char *extra = dt_file_join(path, "notes.txt");
    scratch_put(extra, "mine", 4);
    expect_verified();
    free(extra);
}

/* A file of another checkpoint of the same run, whole in itself, does not belong. */
static void files_of_another_checkpoint_are_refused(void **state) {
    (void)state;
    char *other = NULL;
    tiny_advance(t, 4, 1);
    t->about.config.dropout = 0.25;
    assert_int_equal(dt_checkpoint_save(t->folder, &t->about, &t->state, &other), DT_OK);
    for (size_t n = 0; n < NAMES; n++) {
        char *mine = dt_file_join(path, names[n]), *theirs = dt_file_join(other, names[n]);
        size_t my_length, their_length;
        char *my_bytes = scratch_get(mine, &my_length), *their_bytes = scratch_get(theirs, &their_length);
        scratch_put(mine, their_bytes, their_length);
        if (strcmp(names[n], "vocab.json") == 0)
            expect_verified(); /* the same for all */
        else
            expect_refused(names[n], 0, n == 0 || is_tensors(names[n]));
        scratch_put(mine, my_bytes, my_length);
        free(my_bytes);
        free(their_bytes);
        free(mine);
        free(theirs);
    }
    expect_verified();
    free(other);
}

/* The weights of another model are refused by the name of what differs, n_heads too, which no tensor shows.
 */
static void another_model_is_refused(void **state) {
    (void)state;
    dt_layout layout;
    dt_state other;
    dt_shape shape = t->layout.shape;
    shape.H = 4;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    assert_int_equal(dt_state_create(&other, &layout), DT_OK);
    assert_int_equal(dt_checkpoint_load(path, &other, false), DT_FAILED);
    assert_non_null(strstr(dt_error(), "n_heads is 2, expected 4"));
    dt_state_free(&other);
    dt_layout_free(&layout);
}

/* Weights alone are read without a look at the moments. */
static void moments_are_optional(void **state) {
    (void)state;
    dt_state back = {.layout = &t->layout};
    float *parameters = calloc((size_t)t->layout.elements, sizeof *parameters);
    char *file = dt_file_join(path, "optimizer.safetensors");
    back.parameters = parameters;
    assert_int_equal(unlink(file), 0);
    assert_int_equal(dt_checkpoint_load(path, &back, false), DT_OK);
    assert_memory_equal(parameters, t->state.parameters, (size_t)t->layout.elements * sizeof(float));
    free(parameters);
    free(file);
}

/* A later version is named before anything else of the file is judged. */
static void another_version_is_refused(void **state) {
    (void)state;
    const char *later = "{\"checkpoint_version\": 2}";
    char *file = dt_file_join(path, "metadata.json");
    scratch_put(file, later, strlen(later));
    expect_refused("the version", 0, true);
    assert_non_null(strstr(dt_error(), "checkpoint_version 2"));
    scratch_put(file, "{}", 2);
    expect_refused("the version", 1, true);
    free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trip_keeps_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_programs_find_what_they_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_have_their_fewest_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(turned_bits_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_of_another_checkpoint_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_model_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moments_are_optional, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_version_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
