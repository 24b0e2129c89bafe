/**
 * The set of kernels for one kind of processor and one compute dtype: the wall between the algorithm, which
 * is in model/, and vector code.
 *
 * This room computes. Arrays, shapes and ranges enter; what a kernel's formula makes of them leaves, the
 * same bits from every instruction set. A file is one kernel with its backward pass; none allocates, and
 * none knows the model.
 *
 *     const dt_kernels *k = dt_kernels_best(DT_DTYPE_FP32);
 *     k->layernorm->forward(y, mean, rstd, x, weight, bias, dt_range_all(rows), C);
 */
#ifndef DT_MATH_KERNELS_H
#define DT_MATH_KERNELS_H

#include "base/dtype.h"
#include "base/status.h"
#include "math/attention.h"
#include "math/dropout.h"
#include "math/embedding.h"
#include "math/gelu.h"
#include "math/layernorm.h"
#include "math/linear.h"
#include "math/loss.h"
#include "math/operand.h"

typedef struct dt_kernels {
    const char *name;      /**< "avx512_bf16", "avx512", "avx2" or "baseline"; on Arm "neon" */
    dt_dtype compute;      /**< what products and attention multiply; they add in fp32 */
    int64_t operand_bytes; /**< of an element of what they take */
    const struct dt_embedding *embedding;
    const struct dt_layernorm *layernorm;
    const struct dt_attention *attention;
    const struct dt_gelu *gelu;
    const struct dt_linear *linear;
    const struct dt_residual *residual;
    const struct dt_loss *loss;
} dt_kernels;

/** Where element `index` of an array of operands stands. Local. */
static inline dt_operand *dt_kernels_operand(const dt_kernels *kernels, const dt_operand *array,
                                             int64_t index) {
    return (char *)array + index * kernels->operand_bytes;
}

/** How many sets the architecture has (math/isa.h); 0 is the fastest, and every processor runs the last. */
#define DT_KERNELS_SETS                   (0 DT_ISA_EACH(DT_KERNELS_ONE_MORE, ))
#define DT_KERNELS_ONE_MORE(isa, nothing) +1

/** The set for instruction set `index`, or NULL when this processor cannot run it. Local. */
const dt_kernels *dt_kernels_get(int index, dt_dtype compute);

/**
 * The fastest set that this processor can run, or the one that the environment variable DTRAIN_ISA asks for
 * by its name. All sets give the same bits. In bf16 the first call of a process times tiles for some
 * milliseconds (math/pace_bf16.h) where the processor has VDPBF16PS: multiply-adds may be quicker. Local.
 */
const dt_kernels *dt_kernels_best(dt_dtype compute);

/** The same in fp32 with OpenBLAS's products (math/linear_blas.h), which dt_matmul_open must have loaded
 * before the first is computed. Local. */
const dt_kernels *dt_kernels_blas(void);

#define DT_KERNELS_HOW_BYTES 256

/** Writes what multiplies in a set whose compute dtype is bf16, the processor or an emulation, and how fast
 * that is: a part of a sentence. Local. */
void dt_kernels_bf16_how(const dt_kernels *kernels, char how[DT_KERNELS_HOW_BYTES]);

/**
 * Fails with DT_USAGE where DTRAIN_ISA asks for a set that there is not, or that this processor does not run:
 * dt_kernels_best would be another than was wanted. Local.
 */
dt_status dt_kernels_check(void);

#endif
