/* What is read back is what was saved, in every field and bit. What must not be read is test_damage.c's. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "math/kernels.h"
#include "optim/fingerprint.h"
#include "support/saved_checkpoint.h"

/* Every field and every bit of the vectors comes back, also through `latest`. */
static void round_trip_keeps_everything(void **state) {
    (void)state;
    dt_checkpoint_about back;
    char *latest = NULL;
    assert_true(tiny_equals(t, path));
    expect_verified(path);
    assert_int_equal(dt_checkpoint_find(t->folder, "latest", &latest), DT_OK);
    assert_string_equal(latest, path);
    assert_int_equal(dt_checkpoint_read_about(latest, &back), DT_OK);
    assert_int_equal(back.step, 3);
    assert_int_equal(back.config.seed, 5);
    assert_true(dt_config_hash(&back.config) == dt_config_hash(&t->about.config));
    assert_string_equal(back.run_id, t->about.run_id);
    assert_string_equal(back.parent_run_id, t->about.parent_run_id);
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
    assert_int_equal(tiny_save(t, &other), DT_OK);
    free(path);
    path = other;
    assert_true(file_holds("metadata.json", "\"learning_rate\": 1e-300,"));
    assert_true(file_holds("metadata.json", "\"weight_decay\": 0.30000000000000004,"));
    assert_int_equal(dt_checkpoint_read_about(path, &back), DT_OK);
    assert_true(dt_config_hash(&back.config) == dt_config_hash(&t->about.config));
    assert_string_equal(back.config.sampling_prompt, settings[2][1]);
    dt_config_free(&back.config);
}

/* Hooks as deep as YAML takes them, and a seed beyond what a double holds, come back from metadata.json. */
static void what_was_accepted_is_read_again(void **state) {
    (void)state;
    char *other = NULL;
    dt_checkpoint_about back;
    char hooks[256] = "{update: [{name: identity, x: ";
    for (int depth = 3; depth < 32; depth++)
        strcat(hooks, "[");
    for (int depth = 3; depth < 32; depth++)
        strcat(hooks, "]");
    strcat(hooks, "}]}");
    assert_int_equal(dt_config_set(&t->about.config, "hooks", hooks, "test"), DT_OK);
    assert_int_equal(dt_config_set(&t->about.config, "seed", "9007199254740993", "test"), DT_OK);
    tiny_advance(t, 6, 1);
    assert_int_equal(tiny_save(t, &other), DT_OK);
    free(path);
    path = other;
    assert_true(file_holds("metadata.json", "\"seed\": \"9007199254740993\","));
    assert_int_equal(dt_checkpoint_read_about(path, &back), DT_OK);
    assert_true(dt_config_hash(&back.config) == dt_config_hash(&t->about.config));
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
    json_t *config = parse("config.json"), *tokenizer = parse("tokenizer.json"),
           *metadata = parse("metadata.json");
    const json_t *vocab = json_object_get(json_object_get(tokenizer, "model"), "vocab");
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
    assert_true(positions == 2 && width == 2 && layers == 1 && heads == 2 && inner == 3 && tokens == 99);
    assert_int_equal(json_object_size(vocab), 99);
    assert_int_equal(json_integer_value(json_object_get(vocab, "<PAD>")), 0);
    assert_int_equal(json_integer_value(json_object_get(vocab, "A")), 'A' - 30);
    assert_int_equal(json_integer_value(json_object_get(vocab, "\t")), 98);
    assert_int_equal(json_integer_value(json_object_get(metadata, "step")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(metadata, "config"), "d_ff")), 3);
    assert_string_equal(json_string_value(json_object_get(metadata, "kernels")),
                        dt_kernels_best(DT_DTYPE_FP32)->name);
    json_decref(config);
    json_decref(tokenizer);
    json_decref(metadata);
}

/* Half of a step, or half of a checkpoint, is nothing to go on from. */
static void a_state_that_is_not_complete_is_not_saved(void **state) {
    (void)state;
    const dt_state_phase phases[] = {DT_STATE_ARRIVING, DT_STATE_UPDATING};
    char *saved;
    for (int i = 0; i < 2; i++) {
        t->state.phase = phases[i];
        assert_int_equal(tiny_save(t, &saved), DT_FAILED);
        assert_non_null(strstr(dt_error(), "was to be saved while it changes"));
        assert_null(saved);
    }
}

/* Identity: the hash in the metadata is that of the state. */
static void the_hash_of_the_state_is_told(void **state) {
    (void)state;
    char digits[DT_STATE_HASH_BYTES];
    uint64_t hash;
    assert_int_equal(dt_fingerprint_state(&t->state, &hash), DT_OK);
    snprintf(digits, sizeof digits, "%016" PRIx64, hash);
    json_t *metadata = parse("metadata.json");
    assert_string_equal(json_string_value(json_object_get(metadata, "state_hash")), digits);
    json_decref(metadata);
}

/* What is beside the six files is nobody's promise. */
static void other_files_do_no_harm(void **state) {
    (void)state;
    char *extra = dt_file_join(path, "notes.txt");
    scratch_put(extra, "mine", 4);
    expect_verified(path);
    free(extra);
}

/* The weights of another model are refused by the name of what differs, n_heads too, which no tensor shows.
 */
static void another_model_is_refused(void **state) {
    (void)state;
    dt_layout layout;
    dt_state other;
    dt_shape shape = t->layout.shape;
    shape.H = 1;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    assert_int_equal(dt_state_create(&other, &layout), DT_OK);
    assert_int_equal(dt_checkpoint_load(path, &other, false), DT_FAILED);
    assert_non_null(strstr(dt_error(), "n_heads is 2, expected 1"));
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

/* A whole checkpoint of numbers that are not finite is of no use to anybody: with matching checksums it is
 * refused all the same, by file and tensor, and by who verifies only too. */
static void numbers_that_are_not_finite_are_refused(void **state) {
    (void)state;
    const struct {
        float *vector;
        const char *refusal;
    } rows[] = {{t->state.parameters, "model.safetensors: expected finite numbers, found NaN or infinity in "
                                      "tensor wpe.weight"},
                {t->state.exp_avg, "optimizer.safetensors: expected finite numbers, found NaN or infinity in "
                                   "tensor exp_avg.wpe.weight"},
                {t->state.exp_avg_sq, "tensor exp_avg_sq.wpe.weight, which was saved so; use an earlier "
                                      "checkpoint"}};
    for (int i = 0; i < 3; i++) {
        dt_checkpoint_about about;
        char *saved;
        float *paths = rows[i].vector + dt_layout_find(&t->layout, "wpe.weight")->offset, kept = *paths;
        *paths = i % 2 ? INFINITY : NAN;
        assert_int_equal(tiny_save(t, &saved), DT_OK);
        assert_false(tiny_equals(t, saved));
        assert_non_null(strstr(dt_error(), rows[i].refusal));
        assert_int_equal(dt_checkpoint_verify(saved, &about), DT_FAILED);
        assert_non_null(strstr(dt_error(), rows[i].refusal));
        *paths = kept;
        free(saved);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trip_keeps_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_programs_find_what_they_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_accepted_is_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_have_their_fewest_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_state_that_is_not_complete_is_not_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_hash_of_the_state_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_files_do_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_model_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moments_are_optional, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_that_are_not_finite_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
