/**
 * What a thread has for itself while it works on a micro-batch, alone or with others: where it packs and
 * computes parts of a product or of a head. What it writes there no other thread reads.
 *
 * All functions are local.
 */
#ifndef DT_MODEL_SCRATCH_H
#define DT_MODEL_SCRATCH_H

#include <stdint.h>

#include "base/status.h"
#include "math/kernels.h"
#include "model/layout.h"

typedef struct dt_scratch {
    float *products;  /**< for the model's matrix products */
    float *attention; /**< for attention, and for a row of dropout factors */
    float *block;     /* owns both */
} dt_scratch;

/** Floats that a thread takes for micro-batches of `sequences`: what dt_scratch_create will allocate.
 * INT64_MAX, which no allocation grants, where 63 bits would be too few to count with. */
int64_t dt_scratch_floats(const dt_kernels *kernels, const dt_shape *shape, int64_t sequences);

/** Allocates it. The caller frees it, also on failure. */
dt_status dt_scratch_create(dt_scratch *scratch, const dt_kernels *kernels, const dt_shape *shape,
                            int64_t sequences);

/** Floats that any of the model's products of up to `rows` rows needs. */
int64_t dt_scratch_products_floats(const dt_kernels *kernels, const dt_shape *shape, int64_t rows);

/** Frees; all zero is fine. */
void dt_scratch_free(dt_scratch *scratch);

#endif
