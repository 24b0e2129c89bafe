/**
 * The set of kernels for one kind of processor: the wall between the algorithm, which is in model/, and
 * vector code.
 *
 *     const dt_kernels *k = dt_kernels_best();
 *     k->layernorm->forward(y, mean, rstd, x, weight, bias, rows, C);
 */
#ifndef DT_MATH_KERNELS_H
#define DT_MATH_KERNELS_H

#include "base/status.h"
#include "math/attention.h"
#include "math/dropout.h"
#include "math/embedding.h"
#include "math/gelu.h"
#include "math/gemm.h"
#include "math/layernorm.h"
#include "math/linear.h"
#include "math/loss.h"
#include "math/matvec.h"

typedef struct dt_kernels {
    const char *name; /**< "avx512", "avx2" or "baseline"; on Arm "neon" */
    const struct dt_embedding *embedding;
    const struct dt_layernorm *layernorm;
    const struct dt_attention *attention;
    const struct dt_gelu *gelu;
    const struct dt_gemm *gemm;
    const struct dt_linear *linear;
    const struct dt_residual *residual;
    const struct dt_loss *loss;
    const struct dt_matvec *matvec;
} dt_kernels;

/** How many sets the architecture has (math/isa.h); 0 is the fastest, and every processor runs the last. */
#define DT_KERNELS_SETS                   (0 DT_ISA_EACH(DT_KERNELS_ONE_MORE, ))
#define DT_KERNELS_ONE_MORE(isa, nothing) +1

/** Set `index`, or NULL when this processor cannot run it. Local. */
const dt_kernels *dt_kernels_get(int index);

/**
 * The fastest set that this processor can run, or the slower one that the environment variable DTRAIN_ISA
 * asks for by its name. Sets differ in bits, so a job whose ranks use several is refused
 * (train/launch.h). Local.
 */
const dt_kernels *dt_kernels_best(void);

/**
 * Fails with DT_USAGE where DTRAIN_ISA asks for a set that there is not, or that this processor does not run:
 * dt_kernels_best would be another than was wanted. Local.
 */
dt_status dt_kernels_check(void);

#endif
