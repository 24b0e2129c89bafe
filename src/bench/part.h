/**
 * The table of the parts of a step: what each runs, how often, and the work that it is.
 *
 * A part is a kernel or a matrix product of one leaf, called as model/forward.c and model/backward.c call it,
 * or one of the things that a step does once for all its leaves. All functions are local unless they say
 * otherwise.
 */
#ifndef DT_BENCH_PART_H
#define DT_BENCH_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "model/activations.h"
#include "model/gpt.h"

/** What one call for a leaf works on: one thread's activations and gradient, and one layer of them. */
typedef struct dt_part_leaf {
    const dt_gpt *gpt;
    const dt_leaf *leaf;
    dt_activations *activations;
    const dt_gpt_view *weights, *gradient;
    int64_t layer;
} dt_part_leaf;

typedef struct dt_part {
    const char *name; /**< "c_fc dW" */
    bool of_leaf;     /**< called for each leaf, on all threads at once; otherwise once or more for a step */
    int64_t calls;    /**< for a leaf, or for a step */
    double flop;      /**< of a call: those of matrix products, as in the model FLOP; 0 in other parts */
    double bytes;     /**< that a call must move: every operand read and every result written once */
} dt_part;

/** The numbers of the parts that belong to a step and not to a leaf. */
typedef enum dt_part_step {
    DT_PART_TREE,     /**< additions of leaves along the canonical tree on this rank, on all threads */
    DT_PART_EXCHANGE, /**< the exchange of the gradient with the other ranks, nothing beside it */
    DT_PART_NORM,     /**< the gradient's norm, for clipping */
    DT_PART_ADAMW,
    DT_PART_STEPS
} dt_part_step;

/** How many parts a leaf has; part indices from 0, those of a step (dt_part_step) follow. */
int64_t dt_part_leaf_count(void);

/** Part `index` of a leaf of `sequences` sequences of a model of `shape`. */
dt_part dt_part_of_leaf(int64_t index, const dt_shape *shape, int64_t sequences);

/** Calls part `index` of a leaf once. */
void dt_part_run(int64_t index, const dt_part_leaf *at);

/**
 * Part `which` of a step, where gradients are vectors of `elements` floats. `calls` is how many additions or
 * exchanges this rank's step has; an exchange among `ranks` sends the rank's `nodes` nodes.
 */
dt_part dt_part_of_step(dt_part_step which, int64_t calls, int64_t elements, int ranks, int64_t nodes);

/**
 * The model FLOP of a step of B sequences: 6 FLOP per matrix parameter and token (2 forward, 4 backward; the
 * tied embedding counts once, as the head, and positions do not), plus causal attention, 6 C T (T + 1) per
 * layer and sequence: Q K^T and P V forward, and four such products backward, each 2 FLOP per channel and
 * pair of a query and a key not after it. What is computed twice to save memory does not count.
 */
double dt_part_model_flop(const dt_layout *layout, int64_t B);

#endif
