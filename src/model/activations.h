/**
 * The memory of one leaf's forward and backward pass: what each layer keeps, and scratch.
 *
 * A thread that works on leaves has one set of its own. Nothing is T x T; a layer keeps 8 C + F floats a
 * token and a few more for LayerNorm and attention. All functions are local.
 */
#ifndef DT_MODEL_ACTIVATIONS_H
#define DT_MODEL_ACTIVATIONS_H

#include <stdint.h>

#include "base/status.h"
#include "model/layout.h"

/** What one layer's forward pass leaves for its backward pass; n = sequences x T rows. */
typedef struct dt_layer_activations {
    float *ln_1, *mean_1, *rstd_1; /* [n, C], [n], [n] */
    float *qkv;                    /* [n, 3C] */
    float *attended, *lse;         /* [n, C], [sequences, H, T] */
    float *middle;                 /* [n, C]: the residual stream between the two branches */
    float *ln_2, *mean_2, *rstd_2; /* [n, C], [n], [n] */
    float *pre;                    /* [n, F]: before GELU; what comes after it is made again */
    float *output;                 /* [n, C]: the residual stream after the layer */
} dt_layer_activations;

typedef struct dt_activations {
    int64_t sequences;             /**< the most that fit */
    float *input;                  /* [n, C]: the embedded tokens */
    dt_layer_activations *layer;   /* [n_layers] */
    float *ln_f, *mean_f, *rstd_f; /* [n, C], [n], [n] */
    float *logits;                 /* [n, logits_stride]; the backward pass turns them into their gradient */
    uint8_t *targets;              /* [n] */
    int64_t logits_stride;         /**< V rounded up to a whole vector */
    float *projection; /* [n, C]: scratch, a branch before it joins the residual stream, or its gradient */
    float *act;        /* [n, F]: one layer's GELU */
    float *room;       /* [DT_GEMM_ROOM]: for matrix products */
    float *scratch;    /* for attention, and a row of dropout factors */
    float *dx;         /* [n, C]: gradient of the residual stream */
    float *dnorm;      /* [n, C]: gradient of a LayerNorm's output, or of `attended` */
    float *dqkv;       /* [n, 3C] */
    float *dact;       /* [n, F] */
    float *block;      /* owns all the above but the layers' structs */
} dt_activations;

/**
 * Floats that a set for `sequences` sequences holds: what dt_activations_create will allocate. INT64_MAX,
 * which no allocation grants, where 63 bits would be too few to count with. Local.
 */
int64_t dt_activations_floats(const dt_shape *shape, int64_t sequences);

/** Allocates a set for leaves of up to `sequences` sequences of shape->T tokens. The caller frees it. */
dt_status dt_activations_create(dt_activations *activations, const dt_shape *shape, int64_t sequences);

/** Frees the set; one that is all zero is fine. */
void dt_activations_free(dt_activations *activations);

#endif
