/*
 * Hooks: the built-in ones against naive computations, plug-ins built beside this test, and the order of
 * calls.
 */
#include "support/hooked.h"
#include "support/scratch.h"

/* The number that report `index` has under `key`. */
static double reported(const json_t *reports, size_t index, const char *key) {
    const json_t *value = json_object_get(json_array_get(reports, index), key);
    if (!json_is_number(value))
        fail_msg("report %zu has no number \"%s\"", index, key);
    return json_number_value(value);
}

static const char *reporter(const json_t *reports, size_t index) {
    const char *name = json_string_value(json_object_get(json_array_get(reports, index), "hook"));
    return name ? name : "";
}

static void no_hooks_do_nothing(void **state) {
    fixture *f = *state;
    static const char *const nothing[] = {NULL, "{}", "{\"forward\":[]}", "{\"forward\":[],\"update\":[]}"};
    double values[1];
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        make_hooks(f, nothing[i]);
        assert_int_equal(dt_hooks_micro_batch_values(f->hooks), 0);
        dt_hooks_forward(f->hooks, 1, &f->activations, CONTEXT, values);
        assert_done(dt_hooks_collect(f->hooks, 1, values, 0, 0));
        assert_done(dt_hooks_update(f->hooks, 1, f->gradient));
        assert_null(dt_hooks_take_reports(f->hooks));
    }
    dt_hooks_free(NULL);
}

/* Mean and standard deviation over all rows of all micro-batches, in two passes; least and most. */
static void check_layer(const json_t *reports, int layer, const float *x, int64_t count) {
    double mean = 0.0, variance = 0.0, min = INFINITY, max = -INFINITY;
    char key[32];
    for (int64_t i = 0; i < count; i++) {
        mean += (double)x[i] / (double)count;
        min = fmin(min, (double)x[i]);
        max = fmax(max, (double)x[i]);
    }
    for (int64_t i = 0; i < count; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)count;
    snprintf(key, sizeof key, "layer_%d.mean", layer);
    assert_true(fabs(reported(reports, 0, key) - mean) < 1e-12);
    snprintf(key, sizeof key, "layer_%d.std", layer);
    assert_true(fabs(reported(reports, 0, key) - sqrt(variance)) < 1e-12);
    snprintf(key, sizeof key, "layer_%d.min", layer);
    assert_true(reported(reports, 0, key) == min);
    snprintf(key, sizeof key, "layer_%d.max", layer);
    assert_true(reported(reports, 0, key) == max);
}

/* Three micro-batches of 3, 3 and 1 sequences with random numbers: the report is that of all numbers at once.
 */
static void activation_stats_are_those_of_all_rows(void **state) {
    fixture *f = *state;
    const int64_t sequences[MICRO_BATCHES] = {3, 3, 1};
    static float all[LAYERS][MICRO_BATCHES * SEQUENCES * CONTEXT * WIDTH];
    make_hooks(f, "{\"forward\":[{\"name\":\"activation_stats\"}]}");
    const int64_t values = dt_hooks_micro_batch_values(f->hooks), stride = values + 2;
    double *micro_batch = calloc((size_t)(MICRO_BATCHES * stride), sizeof *micro_batch);
    int64_t count = 0;
    for (int l = 0; l < MICRO_BATCHES; l++) {
        const int64_t rows = sequences[l] * CONTEXT;
        for (int layer = 0; layer < LAYERS; layer++)
            for (int64_t i = 0; i < rows * WIDTH; i++)
                all[layer][count + i] = f->activations.layer[layer].output[i] = 3.0f * next_number() + 1.0f;
        dt_hooks_forward(f->hooks, 4, &f->activations, rows, micro_batch + 2 + l * stride);
        count += rows * WIDTH;
    }
    assert_done(dt_hooks_collect(f->hooks, 4, micro_batch + 2, MICRO_BATCHES, stride));
    json_t *reports = dt_hooks_take_reports(f->hooks);
    assert_int_equal(json_array_size(reports), 1);
    assert_int_equal(json_object_size(json_array_get(reports, 0)), 2 + 4 * LAYERS);
    assert_string_equal(reporter(reports, 0), "activation_stats");
    assert_true(reported(reports, 0, "step") == 4.0);
    for (int layer = 0; layer < LAYERS; layer++)
        check_layer(reports, layer, all[layer], count);
    assert_null(dt_hooks_take_reports(f->hooks)); /* they are reported once */
    json_decref(reports);
    free(micro_batch);
}

/* sqrt of the sum of squares of each tensor, by name, and the gradient as it was. */
static void gradient_stats_are_the_norms_of_the_tensors(void **state) {
    fixture *f = *state;
    const size_t bytes = (size_t)f->layout.elements * sizeof *f->gradient;
    float *before = malloc(bytes);
    memcpy(before, f->gradient, bytes);
    make_hooks(f, "{\"update\":[{\"name\":\"gradient_stats\"},{\"name\":\"identity\"}]}");
    assert_done(dt_hooks_update(f->hooks, 9, f->gradient));
    assert_memory_equal(before, f->gradient, bytes);
    free(before);
    json_t *reports = dt_hooks_take_reports(f->hooks);
    assert_int_equal(json_array_size(reports), 1); /* identity has nothing to say */
    assert_int_equal(json_object_size(json_array_get(reports, 0)), 2 + f->layout.tensors);
    for (int64_t t = 0; t < f->layout.tensors; t++) {
        const dt_tensor *tensor = &f->layout.tensor[t];
        double squares = 0.0;
        for (int64_t i = 0; i < tensor->count; i++)
            squares += pow((double)f->gradient[tensor->offset + i], 2.0);
        assert_true(fabs(reported(reports, 0, tensor->name) - sqrt(squares)) < 1e-12);
    }
    json_decref(reports);
}

/* log_interval n: a report at the steps that n divides, and no other. */
static void log_interval_thins_out_reports(void **state) {
    fixture *f = *state;
    double values[LAYERS * 5];
    make_hooks(f, "{\"forward\":[{\"name\":\"activation_stats\",\"log_interval\":3}],"
                  "\"update\":[{\"name\":\"gradient_stats\",\"log_interval\":2}]}");
    assert_int_equal(dt_hooks_micro_batch_values(f->hooks), LAYERS * 5);
    for (int64_t step = 1; step <= 12; step++) {
        dt_hooks_forward(f->hooks, step, &f->activations, CONTEXT, values);
        assert_done(dt_hooks_collect(f->hooks, step, values, 1, LAYERS * 5));
        assert_done(dt_hooks_update(f->hooks, step, f->gradient));
        json_t *reports = dt_hooks_take_reports(f->hooks);
        assert_int_equal(json_array_size(reports), (size_t)(step % 3 == 0) + (size_t)(step % 2 == 0));
        json_decref(reports);
    }
}

/* Of pairs of gradients: a true one of all ones, and noise of known size on it, which the estimate finds. */
static void noise_scale_is_that_of_pairs_of_steps(void **state) {
    fixture *f = *state;
    double product = 0.0, difference = 0.0, squares = 0.0, products = 0.0;
    float *before = malloc((size_t)f->layout.elements * sizeof *before);
    make_hooks(f, "{\"update\":[{\"name\":\"noise_scale\",\"log_interval\":2}]}");
    for (int64_t step = 1; step <= 8; step++) {
        memcpy(before, f->gradient, (size_t)f->layout.elements * sizeof *before);
        product = difference = 0.0;
        for (int64_t t = 0; t < f->layout.tensors; t++)
            for (int64_t i = 0; i < f->layout.tensor[t].count; i++) {
                const int64_t at = f->layout.tensor[t].offset + i;
                f->gradient[at] = 1.0f + next_number();
                product += (double)before[at] * (double)f->gradient[at];
                difference += pow((double)before[at] - (double)f->gradient[at], 2.0);
            }
        assert_done(dt_hooks_update(f->hooks, step, f->gradient));
        json_t *reports = dt_hooks_take_reports(f->hooks);
        assert_int_equal(json_array_size(reports), step % 2 == 0);
        if (step % 2 == 0) {
            squares = 0.9 * squares + 0.1 * 0.5 * HOOKED_BATCH_SIZE * difference;
            products = 0.9 * products + 0.1 * product;
            assert_true(fabs(reported(reports, 0, "noise_scale") / (squares / products) - 1.0) < 1e-12);
            /* Uniform noise on [-1, 1) has a variance of a third. */
            assert_true(fabs(reported(reports, 0, "noise_scale") - HOOKED_BATCH_SIZE / 3.0) < 0.3);
        }
        json_decref(reports);
    }
    free(before);
}

/* A true gradient that noise hides has no scale. */
static void noise_alone_has_no_scale(void **state) {
    fixture *f = *state;
    make_hooks(f, "{\"update\":[{\"name\":\"noise_scale\"}]}");
    assert_done(dt_hooks_update(f->hooks, 1, f->gradient));
    assert_null(dt_hooks_take_reports(f->hooks));
    for (int64_t i = 0; i < f->layout.elements; i++)
        f->gradient[i] = -f->gradient[i];
    assert_done(dt_hooks_update(f->hooks, 2, f->gradient));
    json_t *reports = dt_hooks_take_reports(f->hooks);
    assert_true(json_is_null(json_object_get(json_array_get(reports, 0), "noise_scale")));
    json_decref(reports);
}

/* A gradient that is not finite, whose step is skipped, is left out, and those after it count again. */
static void noise_scale_outlasts_what_is_not_finite(void **state) {
    fixture *f = *state;
    double before = 0.0;
    make_hooks(f, "{\"update\":[{\"name\":\"noise_scale\"}]}");
    for (int64_t step = 1; step <= 7; step++) {
        for (int64_t i = 0; i < f->layout.elements; i++)
            f->gradient[i] = 1.0f + next_number();
        if (step == 4)
            f->gradient[0] = NAN;
        assert_done(dt_hooks_update(f->hooks, step, f->gradient));
        json_t *reports = dt_hooks_take_reports(f->hooks);
        if (step > 1) {
            const double scale = reported(reports, 0, "noise_scale");
            assert_true(scale > 0.0 && isfinite(scale));
            assert_true((scale == before) == (step == 4 || step == 5));
            before = scale;
        }
        json_decref(reports);
    }
}

/* JSON has no word for infinity, so the report says null. */
static void what_is_not_finite_is_null(void **state) {
    fixture *f = *state;
    f->gradient[f->layout.tensor[0].offset] = INFINITY;
    make_hooks(f, "{\"update\":[{\"name\":\"gradient_stats\"}]}");
    assert_done(dt_hooks_update(f->hooks, 1, f->gradient));
    json_t *reports = dt_hooks_take_reports(f->hooks);
    assert_true(json_is_null(json_object_get(json_array_get(reports, 0), f->layout.tensor[0].name)));
    json_decref(reports);
}

/* A plug-in whose source calls `micro_batch` by its old name compiles, and is called as others are. */
static void the_old_names_still_compile(void **state) {
    fixture *f = *state;
    make_hooks(f, "{\"forward\":[{\"name\":\"old\",\"library\":\"" PROBE_OF_OLD_NAMES
                  "\",\"micro_batch_values\":1}]}");
    double value = 0.0;
    dt_hooks_forward(f->hooks, 1, &f->activations, CONTEXT, &value);
    assert_true(value == 12.0); /* layer 0's mark, then layer 1's */
    assert_int_equal(offsetof(dt_hook, leaf), offsetof(dt_hook, micro_batch));
}

/* Two forward probes and two update probes: each list in its order, forward first, with state of their own.
 */
static void hooks_run_in_the_order_of_the_lists(void **state) {
    fixture *f = *state;
    make_hooks(f, "{\"update\":[{\"name\":\"u1\",\"library\":\"" PROBE "\"},"
                  "{\"name\":\"u2\",\"library\":\"" PROBE "\"}],"
                  "\"forward\":[{\"name\":\"f1\",\"library\":\"" PROBE "\",\"micro_batch_values\":1},"
                  "{\"name\":\"off\",\"library\":\"./nowhere.so\",\"enabled\":false},"
                  "{\"name\":\"f2\",\"library\":\"" PROBE "\",\"micro_batch_values\":2,\"enabled\":true}]}");
    /* 12 is layer 0's 1, then layer 1's 2; value i adds 1000 i for each layer: 12, 12 and 11012. */
    double values[2 * 3] = {7.0, 7.0, 7.0, 7.0, 7.0, 7.0};
    assert_int_equal(dt_hooks_micro_batch_values(f->hooks), 3);
    f->gradient[f->layout.tensor[0].offset] = 0.25f;
    for (int64_t step = 1; step <= 2; step++) {
        for (int micro_batch = 0; micro_batch < 2; micro_batch++)
            dt_hooks_forward(f->hooks, step, &f->activations, CONTEXT, values + 3 * micro_batch);
        assert_true(values[0] == 12.0 && values[1] == 12.0 && values[2] == 11012.0 && values[5] == 11012.0);
        assert_done(dt_hooks_collect(f->hooks, step, values, 2, 3));
        assert_done(dt_hooks_update(f->hooks, step, f->gradient));
    }
    static const char *const order[] = {"f1", "f2", "u1", "u2"};
    json_t *reports = dt_hooks_take_reports(f->hooks);
    assert_int_equal(json_array_size(reports), 8);
    for (size_t r = 0; r < 8; r++) {
        assert_string_equal(reporter(reports, r), order[r % 4]);
        assert_true(reported(reports, r, "step") == (double)(r / 4 + 1));
        assert_true(reported(reports, r, "call") == (double)(r / 4 + 1));
    }
    assert_true(reported(reports, 0, "sum") == 24.0 && reported(reports, 1, "sum") == 22048.0);
    /* Each update adds 1, which the next one sees. */
    for (size_t r = 0; r < 4; r++)
        assert_true(reported(reports, 4 * (r / 2) + 2 + r % 2, "first") == 0.25 + (double)r);
    const dt_tensor *last = &f->layout.tensor[f->layout.tensors - 1];
    assert_true(reported(reports, 2, last->name) == (double)(last->rows * 1000 + last->cols));
    json_decref(reports);
}

/* The plug-in of docs/: norms above the limit become the limit, others keep every bit. */
static void the_documented_example_clips_tensors(void **state) {
    fixture *f = *state;
    for (int64_t t = 0; t < f->layout.tensors; t++) /* every second one far below the limit */
        for (int64_t i = 0; t % 2 == 1 && i < f->layout.tensor[t].count; i++)
            f->gradient[f->layout.tensor[t].offset + i] *= 1e-6f;
    const size_t bytes = (size_t)f->layout.elements * sizeof *f->gradient;
    float *before = malloc(bytes);
    memcpy(before, f->gradient, bytes);
    make_hooks(f, "{\"update\":[{\"name\":\"clip_tensors\",\"library\":\"" EXAMPLE "\",\"limit\":0.5}]}");
    assert_done(dt_hooks_update(f->hooks, 1, f->gradient));
    for (int64_t t = 0; t < f->layout.tensors; t++) {
        const dt_tensor *tensor = &f->layout.tensor[t];
        const float *after = f->gradient + tensor->offset;
        double squares = 0.0;
        for (int64_t i = 0; i < tensor->count; i++)
            squares += (double)after[i] * (double)after[i];
        if (t % 2 == 1)
            assert_memory_equal(after, before + tensor->offset, (size_t)tensor->count * sizeof *after);
        else
            assert_true(fabs(sqrt(squares) - 0.5) < 1e-6);
    }
    json_t *reports = dt_hooks_take_reports(f->hooks);
    assert_string_equal(reporter(reports, 0), "clip_tensors");
    assert_true(reported(reports, 0, "scaled") == (double)((f->layout.tensors + 1) / 2));
    json_decref(reports);
    free(before);
    refuse(f, "{\"update\":[{\"name\":\"clip_tensors\",\"library\":\"" EXAMPLE "\"}]}",
           "hook clip_tensors: expected limit to be a number above 0, such as 0.5");
    refuse(f, "{\"update\":[{\"name\":\"clip_tensors\",\"library\":\"" EXAMPLE "\",\"limit\":0}]}",
           "hook clip_tensors: expected limit to be a number above 0, such as 0.5");
}

/* destroy is called once the hooks are freed and no sooner, also when a later hook refuses to start. */
static void hooks_that_were_made_are_ended(void **state) {
    fixture *f = *state;
    char *folder = scratch_make(), *file = dt_file_join(folder, "farewell"), text[512];
    snprintf(text, sizeof text,
             "{\"update\":[{\"name\":\"p\",\"library\":\"" PROBE "\",\"farewell\":\"%s\"}]}", file);
    make_hooks(f, text);
    assert_false(dt_file_exists(file));
    dt_hooks_free(f->hooks);
    f->hooks = NULL;
    assert_true(dt_file_exists(file));
    assert_int_equal(remove(file), 0);
    snprintf(text, sizeof text,
             "{\"forward\":[{\"name\":\"p\",\"library\":\"" PROBE "\",\"farewell\":\"%s\"}],"
             "\"update\":[{\"name\":\"q\",\"library\":\"" PROBE "\",\"refuse\":\"not today\"}]}",
             file);
    refuse(f, text, "hook q: not today (2 layers of 8)");
    dt_hooks_free(f->hooks);
    f->hooks = NULL;
    assert_true(dt_file_exists(file));
    free(file);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(no_hooks_do_nothing),
                                       TEST(activation_stats_are_those_of_all_rows),
                                       TEST(gradient_stats_are_the_norms_of_the_tensors),
                                       TEST(noise_scale_is_that_of_pairs_of_steps),
                                       TEST(noise_alone_has_no_scale),
                                       TEST(noise_scale_outlasts_what_is_not_finite),
                                       TEST(log_interval_thins_out_reports),
                                       TEST(what_is_not_finite_is_null),
                                       TEST(the_old_names_still_compile),
                                       TEST(hooks_run_in_the_order_of_the_lists),
                                       TEST(the_documented_example_clips_tensors),
                                       TEST(hooks_that_were_made_are_ended)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
