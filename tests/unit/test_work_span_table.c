/* The tables of docs/large-models.md are those that the program prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "report/work_span_table.h"

static void expect_table(const char *page, dt_shape shape, int64_t sequences) {
    const dt_ranks sizes = {.count = 5, .number = {8, 16, 32, 64, 96}};
    dt_work_span_table table;
    char line[DT_WORK_SPAN_TABLE_BYTES];
    int lines = 0;
    assert_int_equal(dt_work_span_table_count(&table, dt_kernels_best(DT_DTYPE_FP32), &shape, sequences,
                                              DT_RECOMPUTE_NONE, &sizes),
                     DT_OK);
    for (; dt_work_span_table_line(&table, lines, line); lines++)
        if (strstr(page, line) == NULL)
            fail_msg("docs/large-models.md: expected the line\n%s", line);
    assert_int_equal(lines, 1 + (int)table.counts[0].rows + 4);
}

static void the_docs_have_these_tables(void **state) {
    (void)state;
    char *page;
    size_t length;
    assert_int_equal(dt_file_read(DTRAIN_SOURCE_DIR "/docs/large-models.md", 1 << 20, &page, &length), DT_OK);
    expect_table(page, (dt_shape){4, 256, 4, 1024, 256, 99}, 2);
    expect_table(page, (dt_shape){12, 768, 12, 3072, 1024, 50257}, 1);
    free(page);
}

static void too_many_sizes_are_refused(void **state) {
    (void)state;
    const dt_shape shape = {1, 16, 2, 32, 16, 99};
    dt_ranks sizes = {.count = DT_WORK_SPAN_TABLE_SIZES + 1};
    dt_work_span_table table;
    for (int i = 0; i < sizes.count; i++)
        sizes.number[i] = i + 1;
    assert_int_equal(dt_work_span_table_count(&table, dt_kernels_best(DT_DTYPE_FP32), &shape, 1,
                                              DT_RECOMPUTE_NONE, &sizes),
                     DT_USAGE);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(the_docs_have_these_tables),
                                          cmocka_unit_test(too_many_sizes_are_refused)};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
