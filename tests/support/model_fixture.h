/**
 * One small model of numbers that F32, F16 and BF16 all hold exactly, and a folder to write it to. For files
 * that have included cmocka.h.
 */
#ifndef DT_TESTS_MODEL_FIXTURE_H
#define DT_TESTS_MODEL_FIXTURE_H

#include <math.h>

#include "base/memory.h"
#include "support/model_folder.h"

static struct {
    char *scratch, *folder;
    dt_layout layout;
    float *parameters;
    float *back; /* what was read */
} f;

static int set_up(void **state) {
    (void)state;
    f.scratch = scratch_make();
    f.folder = dt_file_join(f.scratch, "gpt2");
    if (dt_layout_create(&f.layout, (dt_shape){.n_layers = 2, .C = 4, .H = 2, .F = 6, .T = 5, .V = 11}) !=
        DT_OK)
        return 1;
    f.parameters = dt_memory_alloc(f.layout.elements, sizeof(float), "test");
    f.back = dt_memory_alloc(f.layout.elements, sizeof(float), "test");
    for (int64_t t = 0; t < f.layout.tensors; t++)
        for (int64_t e = 0; e < f.layout.tensor[t].count; e++)
            f.parameters[f.layout.tensor[t].offset + e] =
                ldexpf((float)((37 * t + 11 * e) % 251 - 125), (int)(e % 9) - 8);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    dt_memory_free(f.parameters);
    dt_memory_free(f.back);
    dt_layout_free(&f.layout);
    free(f.folder);
    scratch_remove(f.scratch);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
