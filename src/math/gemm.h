/**
 * Matrix products on one thread: where some 80 % of a step is spent.
 *
 * All matrices are row-major. An element is what math/tile.h says, whatever its call's shape, blocks and
 * instruction set: fused multiply-adds in the order of k, from 0 or what stood there, and then the bias.
 * Which loops stand around the tile depends on its vectors: gemm.c is for 16 lanes, gemm_packed.c for fewer.
 */
#ifndef DT_MATH_GEMM_H
#define DT_MATH_GEMM_H

#include "math/isa.h"
#include "math/product.h"
#include "math/tile.h"

/** Floats of workspace that a product needs, of any size and on any instruction set: what AVX-512 packs,
 * which is the most. */
#define DT_GEMM_WORKSPACE ((512 + DT_TILE_MAX_ROWS) * (1024 + 16) + 1024 * DT_TILE_MAX_COLS)

struct dt_gemm {
    /** Computes the product; `workspace` is scratch of DT_GEMM_WORKSPACE floats. Local. */
    void (*multiply)(const dt_product *product, float *workspace);
};
DT_ISA_DECLARE(dt_gemm);

#endif
