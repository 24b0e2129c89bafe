/**
 * The memory of one micro-batch's forward and backward pass: what each layer keeps, and gradients on their
 * way.
 *
 * Each team of threads that works on micro-batches (model/team.h) has one set; what a thread has for itself
 * is in scratch.h. Nothing is T x T; a layer keeps 8 C + F floats a token and a few more for LayerNorm and
 * attention; logits are there for a block of rows only. Where layers are recomputed each keeps its output
 * alone, the input of the next, and all share the memory of the rest, which the backward pass makes again
 * (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016). All functions are local.
 */
#ifndef DT_MODEL_ACTIVATIONS_H
#define DT_MODEL_ACTIVATIONS_H

#include <stdint.h>

#include "base/status.h"
#include "config/choices.h"
#include "math/kernels.h"
#include "model/layout.h"

/** What one layer's forward pass leaves for its backward pass; n = sequences x T rows. Where layers are
 * recomputed all but `output` is every layer's, and holds what the layer that was run last has left. */
typedef struct dt_layer_activations {
    dt_operand *ln_1;       /* [n, C] */
    float *mean_1, *rstd_1; /* [n], [n] */
    dt_operand *qkv;        /* [n, 3C] */
    dt_operand *attended;   /* [n, C] */
    float *lse;             /* [sequences, H, T] */
    float *middle;          /* [n, C]: the residual stream between the two branches */
    dt_operand *ln_2;       /* [n, C] */
    float *mean_2, *rstd_2; /* [n], [n] */
    dt_operand *pre;        /* [n, wide]: before GELU; what comes after it is made again */
    float *output;          /* [n, C]: the residual stream after the layer */
} dt_layer_activations;

typedef struct dt_activations {
    int64_t sequences;           /**< the most that fit */
    dt_recompute recompute;      /**< whether layers share what the backward pass makes again */
    int64_t wide;                /**< elements between rows of F: F, or some more (dt_activations_wide) */
    float *input;                /* [n, C]: the embedded tokens */
    dt_layer_activations *layer; /* [n_layers] */
    dt_operand *ln_f;            /* [n, C] */
    float *mean_f, *rstd_f;      /* [n], [n] */
    float *logits;               /* [logits_rows + 1, logits_stride]; their gradient replaces them */
    int64_t logits_rows;         /**< rows of a block of the head (model/head.h) */
    int64_t logits_stride;       /**< V rounded up to a whole vector */
    int32_t *targets;            /* [n]: token ids */
    double *losses;              /* [n]: each row's cross-entropy */
    float *projection;           /* [n, C]: scratch, a branch before it joins the residual stream */
    dt_operand *dprojection;     /* [n, C]: its gradient, in the same place */
    dt_operand *act;             /* [n, wide]: one layer's GELU */
    float *dx;                   /* [n, C]: gradient of the residual stream */
    float *dnorm;                /* [n, C]: gradient of a LayerNorm's output */
    dt_operand *dattended;       /* [n, C]: gradient of `attended`, in the same place */
    dt_operand *dqkv;            /* [n, 3C] */
    dt_operand *dact;            /* [n, wide] */
    float *block;                /* owns all the above but the layers' structs */
} dt_activations;

/**
 * Floats that a set for `sequences` sequences holds: what dt_activations_create will allocate. INT64_MAX,
 * which no allocation grants, where 63 bits would be too few to count with. Local.
 */
int64_t dt_activations_floats(const dt_kernels *kernels, const dt_shape *shape, int64_t sequences,
                              dt_recompute recompute);

/** Allocates a set for micro-batches of up to `sequences` sequences of shape->T tokens, in the operands of
 * `kernels`. The caller frees it. */
dt_status dt_activations_create(dt_activations *activations, const dt_kernels *kernels, const dt_shape *shape,
                                int64_t sequences, dt_recompute recompute);

/** The input of layer `layer`, [n, C]: the output of the layer before, or the embedded tokens. */
const float *dt_activations_input(const dt_activations *activations, int64_t layer);

/** Elements between the starts of rows of F: a cache line more than F where those rows would be a multiple of
 * 2 KB apart and share the sets of a cache, which slows products down. */
int64_t dt_activations_wide(const dt_kernels *kernels, int64_t F);

/**
 * Into blocks of how many rows the head divides `rows` rows (model/head.h): one, or equal ones as 64 MB of
 * logits allow, each but the last of an even number, since bfloat16's products add rows in pairs.
 */
int64_t dt_activations_logits_rows(const dt_shape *shape, int64_t rows);

/** Frees the set; one that is all zero is fine. */
void dt_activations_free(dt_activations *activations);

#endif
