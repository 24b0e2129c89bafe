/* Models that leave: weights that came in go out with the same bits, and nothing is left of what fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint/export.h"
#include "checkpoint/pretrained.h"
#include "support/model_fixture.h"

static char *out; /* a new folder beside the model's */

static int set_up_both(void **state) {
    const int failed = set_up(state);
    out = dt_file_join(f.scratch, "out");
    return failed;
}

static int tear_down_both(void **state) {
    free(out);
    return tear_down(state);
}

static dt_status write_out(dt_element element) {
    return dt_export_write(out, f.folder, &f.layout, f.parameters, element);
}

static char *read_file(const char *folder, const char *name, size_t *length) {
    char *path = dt_file_join(folder, name), *bytes = scratch_get(path, length);
    free(path);
    return bytes;
}

static json_t *read_json(const char *folder, const char *name) {
    size_t length;
    char *text = read_file(folder, name, &length);
    json_t *object = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(object);
    return object;
}

static dt_status read_back(dt_element *element) {
    dt_pretrained model;
    dt_status status = dt_pretrained_open(&model, out);
    if (status == DT_OK)
        status = dt_pretrained_read(&model, &f.layout, f.back);
    if (status == DT_OK)
        *element = model.tensor[0].extent.element;
    dt_pretrained_close(&model);
    return status;
}

/* As long as the folder has the number of names. */
static void expect_names(const char *folder, size_t expected) {
    char **names;
    size_t count;
    assert_int_equal(dt_file_list(folder, &names, &count), DT_OK);
    assert_int_equal(count, expected);
    dt_file_free_names(names, count);
}

static void weights_go_out_as_they_came(void **state) {
    (void)state;
    for (int element = 0; dt_element_names[element]; element++) {
        dt_element found;
        model_folder_write(f.folder, &f.layout, f.parameters,
                           &(model_folder_form){.element = (dt_element)element, .shards = 2});
        assert_int_equal(write_out((dt_element)element), DT_OK);
        assert_int_equal(read_back(&found), DT_OK);
        assert_int_equal(found, element);
        assert_memory_equal(f.back, f.parameters, (size_t)f.layout.elements * sizeof *f.back);
        expect_names(out, 2);
        expect_names(f.scratch, 2);
        json_t *config = read_json(out, "config.json");
        assert_string_equal(json_string_value(json_object_get(config, "dtype")), dt_element_torch[element]);
        assert_null(json_object_get(config, "torch_dtype"));
        json_decref(config);
        assert_int_equal(dt_file_remove_tree(out), DT_OK);
    }
}

/* To nearest, ties to even, in the file's own bytes: 1 + 2^-8 lies between two numbers of bfloat16. */
static void numbers_are_rounded(void **state) {
    (void)state;
    dt_element found;
    const int64_t at = dt_layout_find(&f.layout, "ln_f.weight")->offset;
    const float given[] = {1.00390625f, 1.01171875f, 1e-40f, -3.39e38f},
                expected[] = {1.0f, 1.015625f, 9.1835e-41f, -3.3895314e38f};
    model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
    memcpy(f.parameters + at, given, sizeof given);
    assert_int_equal(write_out(DT_ELEMENT_BF16), DT_OK);
    assert_int_equal(read_back(&found), DT_OK);
    assert_memory_equal(f.back + at, expected, 2 * sizeof *expected);
    assert_float_equal(f.back[at + 2], expected[2], 0);
    assert_float_equal(f.back[at + 3], expected[3], 0);
}

static void what_is_too_large_is_refused_by_name(void **state) {
    (void)state;
    model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
    f.parameters[dt_layout_find(&f.layout, "h.1.mlp.c_fc.weight")->offset + 2 * 6 + 5] = -65520.0f;
    assert_int_equal(write_out(DT_ELEMENT_FP16), DT_FAILED);
    assert_non_null(strstr(dt_error(),
                           "tensor h.1.mlp.c_fc.weight holds -65520, at [2,5], which is beyond the "
                           "largest number of fp16; use another --dtype"));
    expect_names(f.scratch, 1);
    assert_int_equal(write_out(DT_ELEMENT_BF16), DT_OK);
}

static void what_stands_there_stays(void **state) {
    (void)state;
    model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
    scratch_put(out, "mine", 4);
    assert_int_equal(write_out(DT_ELEMENT_FP32), DT_USAGE);
    assert_non_null(strstr(dt_error(), "expected the name of a new folder, found a file of that name"));
    assert_int_equal(unlink(out), 0);
    assert_int_equal(dt_file_make_folder(out), DT_OK);
    assert_int_equal(write_out(DT_ELEMENT_FP32), DT_USAGE);
    assert_non_null(strstr(dt_error(), "expected the name of a new folder, found a folder of that name"));
    expect_names(out, 0);
}

static void the_tokenizer_comes_along(void **state) {
    (void)state;
    size_t length;
    model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
    model_folder_put(f.folder, "tokenizer.json", "{\"a\": \"\xc3\xa4\0\"}", 12);
    model_folder_put(f.folder, "tokenizer_config.json", "{}", 2);
    model_folder_put(f.folder, "optimizer.safetensors", "no", 2);
    assert_int_equal(write_out(DT_ELEMENT_FP32), DT_OK);
    expect_names(out, 4);
    char *bytes = read_file(out, "tokenizer.json", &length);
    assert_int_equal(length, 12);
    assert_memory_equal(bytes, "{\"a\": \"\xc3\xa4\0\"}", 12);
    free(bytes);
}

/* A folder that is to be below one that is not there yet, and a name with a '/' at its end. */
static void folders_above_are_made(void **state) {
    (void)state;
    dt_element found;
    char *deep = dt_file_join(out, "deep/"), *plain = dt_file_join(out, "deep");
    model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
    assert_int_equal(dt_export_write(deep, f.folder, &f.layout, f.parameters, DT_ELEMENT_FP32), DT_OK);
    free(out);
    out = plain;
    assert_int_equal(read_back(&found), DT_OK);
    free(deep);
}

#define BOTH(name) cmocka_unit_test_setup_teardown(name, set_up_both, tear_down_both)

int main(void) {
    const struct CMUnitTest tests[] = {BOTH(weights_go_out_as_they_came),
                                       BOTH(numbers_are_rounded),
                                       BOTH(what_is_too_large_is_refused_by_name),
                                       BOTH(what_stands_there_stays),
                                       BOTH(the_tokenizer_comes_along),
                                       BOTH(folders_above_are_made)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
