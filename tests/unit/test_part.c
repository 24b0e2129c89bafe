/*
 * The work in the table of parts adds up to the model FLOP, which equal those counted by hand, and bytes are
 * those of the arrays that a part reads and writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "bench/part.h"

static const dt_shape shape = {.n_layers = 4, .C = 256, .H = 4, .F = 1024, .T = 256, .V = 99};

static dt_part find(const char *name, int64_t sequences) {
    for (int64_t i = 0; i < dt_part_leaf_count(); i++) {
        const dt_part part = dt_part_of_leaf(i, &shape, sequences);
        if (strcmp(part.name, name) == 0)
            return part;
    }
    fail_msg("there is no part \"%s\"", name);
    return (dt_part){0};
}

/* 6 FLOP for each of 4 (4 256^2 + 2 256 1024) + 99 256 matrix parameters and 16 256 tokens, and
 * 6 256 256 257 for each of 4 layers and 16 sequences. */
static void test_model_flop(void **state) {
    (void)state;
    dt_layout layout;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    const double expected = 6.0 * 3171072.0 * 16.0 * 256.0 + 6.0 * 256.0 * 256.0 * 257.0 * 4.0 * 16.0;
    assert_true(dt_part_model_flop(&layout, 16) == expected);
    dt_layout_free(&layout);
}

/* Every product of the model is one row, counted as often as it is called: 8 leaves of 2 are a batch of 16.
 */
static void test_parts_add_up(void **state) {
    (void)state;
    dt_layout layout;
    double sum = 0.0;
    assert_int_equal(dt_layout_create(&layout, shape), DT_OK);
    for (int64_t i = 0; i < dt_part_leaf_count(); i++) {
        const dt_part part = dt_part_of_leaf(i, &shape, 2);
        assert_true(part.of_leaf && part.calls > 0 && part.bytes > 0.0);
        sum += 8.0 * (double)part.calls * part.flop;
    }
    assert_true(sum == dt_part_model_flop(&layout, 16));
    dt_layout_free(&layout);
}

static void test_calls(void **state) {
    (void)state;
    assert_int_equal(find("embedding forward", 1).calls, 1);
    assert_int_equal(find("c_fc dW", 1).calls, 4);
    assert_int_equal(find("dropout+residual forward", 1).calls, 8);
    assert_int_equal(find("layernorm backward", 1).calls, 9);
}

/* A product of x[512, 256] and w[256, 1024]; GELU's three arrays of [512, 1024]; logits padded to 112
 * columns. */
static void test_bytes(void **state) {
    (void)state;
    assert_true(find("c_fc forward", 2).bytes == 4.0 * (512.0 * 256.0 + 256.0 * 1024.0 + 512.0 * 1024.0));
    assert_true(find("gelu backward", 2).bytes == 4.0 * 4.0 * 512.0 * 1024.0);
    assert_true(find("loss", 2).bytes == 4.0 * 2.0 * 512.0 * 112.0);
    assert_true(dt_part_of_step(DT_PART_TREE, 3, 1000, 1, 1).bytes == 12000.0);
    assert_true(dt_part_of_step(DT_PART_ADAMW, 1, 1000, 1, 1).bytes == 28000.0);
    /* With one node a rank, a ring all-reduce's volume: 2 (ranks - 1) / ranks of the vector. */
    assert_true(dt_part_of_step(DT_PART_EXCHANGE, 1, 1000, 4, 1).bytes == 4000.0 * 2.0 * 0.75);
}

/* The table of docs/benchmarks.md: the row of a kernel holds what each of its passes moves, "forward 3 n F".
 */
static void test_the_table_of_the_docs(void **state) {
    (void)state;
    const struct {
        const char *part, *row, *pass, *dimension;
        double size;
    } parts[] = {{"embedding forward", "embedding", "forward ", "C", 256.0},
                 {"embedding backward", "embedding", "backward ", "C", 256.0},
                 {"layernorm forward", "layernorm", "forward ", "C", 256.0},
                 {"layernorm backward", "layernorm", "backward ", "C", 256.0},
                 {"attention forward", "attention", "forward ", "C", 256.0},
                 {"attention backward", "attention", "backward ", "C", 256.0},
                 {"gelu forward", "gelu", "forward ", "F", 1024.0},
                 {"gelu backward", "gelu", "backward ", "F", 1024.0},
                 {"dropout+residual forward", "dropout+residual", "forward ", "C", 256.0},
                 {"dropout+residual backward", "dropout+residual", "backward ", "C", 256.0},
                 {"loss", "loss", "", "V", 112.0}};
    char *page;
    size_t length;
    assert_int_equal(dt_file_read(DTRAIN_SOURCE_DIR "/docs/benchmarks.md", 1 << 20, &page, &length), DT_OK);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char row[64], cell[64];
        snprintf(row, sizeof row, "\n| %s | ", parts[i].row);
        snprintf(cell, sizeof cell, "%s%g n %s", parts[i].pass,
                 find(parts[i].part, 2).bytes / (4.0 * 512.0 * parts[i].size), parts[i].dimension);
        const char *line = strstr(page, row), *found = line ? strstr(line, cell) : NULL;
        if (found == NULL || found > strchr(line + 1, '\n'))
            fail_msg("docs/benchmarks.md: expected \"%s\" in the row of %s", cell, parts[i].row);
    }
    free(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_flop),
        cmocka_unit_test(test_parts_add_up),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_the_table_of_the_docs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
