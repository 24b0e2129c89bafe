/*
 * The tiles of a product's output: however [0, tiles) is cut into ranges, each element of the matrix lies in
 * one rectangle of one of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "math/grid.h"

/* Every element of a matrix lies in one rectangle of one of the ranges, and a range is few of them. */
static void tiles_cover_a_matrix_once(void **state) {
    (void)state;
    enum { LONGEST = 300 };
    static int covered[LONGEST][LONGEST];
    static const int64_t sizes[][2] = {{1, 1}, {1, 99}, {128, 32}, {129, 33}, {300, 300}, {257, 5}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int64_t m = sizes[s][0], n = sizes[s][1], tiles = dt_grid_tiles(m, n);
        for (int64_t step = 1; step <= tiles; step++) {
            memset(covered, 0, sizeof covered);
            for (int64_t first = 0; first < tiles; first += step) {
                dt_grid_rectangle found[DT_GRID_MAX_RECTANGLES];
                const dt_range range = dt_range_within(first, first + step, dt_range_all(tiles));
                const int count = dt_grid_cut(m, n, range, found);
                assert_in_range(count, 1, DT_GRID_MAX_RECTANGLES);
                for (int p = 0; p < count; p++)
                    for (int64_t i = 0; i < found[p].rows; i++)
                        for (int64_t j = 0; j < found[p].cols; j++)
                            covered[found[p].row + i][found[p].col + j]++;
            }
            for (int64_t i = 0; i < LONGEST; i++)
                for (int64_t j = 0; j < LONGEST; j++)
                    assert_int_equal(covered[i][j], i < m && j < n);
        }
        dt_grid_rectangle all[DT_GRID_MAX_RECTANGLES];
        assert_int_equal(dt_grid_cut(m, n, dt_range_all(tiles), all), 1);
        assert_int_equal(dt_grid_cut(m, n, (dt_range){0, 0}, all), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiles_cover_a_matrix_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
