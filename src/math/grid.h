/**
 * How the output of a matrix product is cut into tiles that can be shared out: bands of rows, about
 * DT_GRID_ROWS each, times panels of DT_GRID_COLS columns.
 *
 *     tile 0: band 0, panel 0; tile 1: band 0, panel 1; ..; then band 1
 *
 * Bands differ by at most one row, so that tiles are equal work. A range of tiles is at most three
 * rectangles, the middle one of whole bands, and each is computed as one product: cutting costs what is
 * packed twice, and all tiles together are the plain product.
 */
#ifndef DT_MATH_GRID_H
#define DT_MATH_GRID_H

#include <stdint.h>

#include "math/range.h"

#define DT_GRID_ROWS 128
#define DT_GRID_COLS 32 /* whole panels of every instruction set and of bfloat16's */

/** The most rectangles that a range of tiles is. */
#define DT_GRID_MAX_RECTANGLES 3

/** A rectangle of a matrix: rows [row, row + rows) in columns [col, col + cols). */
typedef struct dt_grid_rectangle {
    int64_t row, rows, col, cols;
} dt_grid_rectangle;

/** Tiles of a matrix[m, n]. Local. */
static inline int64_t dt_grid_tiles(int64_t m, int64_t n) {
    return (m + DT_GRID_ROWS - 1) / DT_GRID_ROWS * ((n + DT_GRID_COLS - 1) / DT_GRID_COLS);
}

/** The rectangle of bands [band, band_end) and panels [panel, panel_end). Local. */
static inline dt_grid_rectangle dt_grid_bands(int64_t m, int64_t n, int64_t band, int64_t band_end,
                                              int64_t panel, int64_t panel_end) {
    const int64_t bands = (m + DT_GRID_ROWS - 1) / DT_GRID_ROWS, each = m / bands, longer = m % bands;
    const int64_t row = band * each + (band < longer ? band : longer),
                  row_end = band_end * each + (band_end < longer ? band_end : longer);
    const int64_t col = panel * DT_GRID_COLS, end = panel_end * DT_GRID_COLS, col_end = end < n ? end : n;
    return (dt_grid_rectangle){row, row_end - row, col, col_end - col};
}

/** The rectangles that `tiles` of a matrix[m, n] make, into `rectangles`; returns how many. Local. */
static inline int dt_grid_cut(int64_t m, int64_t n, dt_range tiles,
                              dt_grid_rectangle rectangles[DT_GRID_MAX_RECTANGLES]) {
    const int64_t panels = (n + DT_GRID_COLS - 1) / DT_GRID_COLS;
    int count = 0;
    for (int64_t at = tiles.first; at < tiles.end;) {
        const int64_t band = at / panels, panel = at % panels, left = tiles.end - at;
        /* Whole bands together, or else what there is of this one. */
        const int64_t whole = panel == 0 ? left / panels : 0;
        const int64_t panel_end = whole > 0 ? panels : panel + left < panels ? panel + left : panels;
        rectangles[count++] = dt_grid_bands(m, n, band, band + (whole > 0 ? whole : 1), panel, panel_end);
        at += whole > 0 ? whole * panels : panel_end - panel;
    }
    return count;
}

#endif
