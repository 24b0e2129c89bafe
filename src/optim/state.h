/**
 * What a run is at the end of a step: all that must be saved to go on from there with the same bits.
 *
 * This room changes the state. A summed gradient enters; its norm, the learning rate, and weights and
 * moments one step further leave, and hashes that tell whether two states are the same.
 */
#ifndef DT_OPTIM_STATE_H
#define DT_OPTIM_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "allreduce/pieces.h"
#include "base/status.h"
#include "model/layout.h"

/** The vectors of a state: parameters, exp_avg, exp_avg_sq. */
#define DT_STATE_VECTORS 3

/** Floats of a slice, 1 MiB: the unit in which a state is copied, hashed and compared. */
#define DT_STATE_SLICE_FLOATS ((int64_t)1 << 18)

/** Room for the name of a tensor of a state, and for that of a slice, which may name two. */
#define DT_STATE_TENSOR_BYTES (DT_TENSOR_NAME_BYTES + 16)
#define DT_STATE_SLICE_BYTES  (2 * DT_STATE_TENSOR_BYTES + 16)

/** How far the vectors are what `step` says. */
typedef enum dt_state_phase {
    DT_STATE_ARRIVING, /**< they are being filled, with initial weights or a checkpoint's */
    DT_STATE_COMPLETE, /**< they are all of the step: what may be hashed, copied and saved */
    DT_STATE_UPDATING  /**< some are of another step, or are on their way from other ranks */
} dt_state_phase;

/** Three vectors of layout->elements floats, the same on every rank at every step. Between tensors they are
 * 0. Where ranks share the moments out (optim/moments.h) a rank has those of its own pieces of the vector
 * alone, one after another, and the functions below that take tensors or slices of moments are not for such
 * a state. */
typedef struct dt_state {
    const dt_layout *layout;
    int64_t step; /**< the last finished step; 0 before the first */
    dt_state_phase phase;
    float *parameters;
    bool sharded;            /**< the ranks share the moments out */
    int64_t runs;            /**< 1, unless sharded */
    dt_slice *run;           /**< [runs], rising: the elements whose moments this rank has */
    int64_t moments;         /**< how many they are */
    float *exp_avg;          /**< [moments]: AdamW's first moment of these elements, run after run */
    float *exp_avg_sq;       /**< and second */
    pthread_mutex_t at_rest; /**< taken by dt_state_hold alone */
    double waited_seconds; /**< how long changes have waited for who looks at the state, all together; guarded
                              by at_rest */
} dt_state;

/** Allocates zeroed vectors for `layout`, which must outlive the state, and which are now to arrive. The
 * caller frees it, after a failure too. Local. */
dt_status dt_state_create(dt_state *state, const dt_layout *layout);

/** The same for a state whose moments the ranks share out, of which this one, `rank`, has those of its
 * pieces. Local. */
dt_status dt_state_create_sharded(dt_state *state, const dt_layout *layout, const dt_pieces *pieces,
                                  int rank);

/**
 * Keeps the state as it is for the calling thread, to look at it or to change it, until dt_state_release. It
 * changes only at the end of a step (step/step.h), so whoever holds it from another thread sees all of a step
 * or nothing. Waits for whoever holds it; a thread holds one state at a time. Local.
 */
void dt_state_hold(dt_state *state);

/** Lets others hold the state, which the calling thread does. Local. */
void dt_state_release(dt_state *state);

/** Whether the calling thread holds the state: for DT_ASSERT in what reads or changes it. Local. */
bool dt_state_is_held(const dt_state *state);

/** The vectors have all arrived: they are the state after `step`. Local. */
void dt_state_arrive(dt_state *state, int64_t step);

/** Holds a complete state in order to change it. Local. */
void dt_state_begin_update(dt_state *state);

/** Gives a state that is being changed the number of the step that its weights are on their way to. Local. */
void dt_state_count_step(dt_state *state, int64_t step);

/** The change is over: the state is that of `step`, complete, and still held. Local. */
void dt_state_end_update(dt_state *state, int64_t step);

/** How many tensors a state has: those of the weights, then those of each moment, in the order of the table.
 * Local. */
int64_t dt_state_tensors(const dt_layout *layout);

/** The elements of tensor `index` of the state, `*count` of them, in its vectors. Local. */
float *dt_state_tensor(const dt_state *state, int64_t index, int64_t *count);

/** Writes what a checkpoint calls tensor `index` of the state: "exp_avg.wte.weight". Local. */
void dt_state_tensor_name(const dt_layout *layout, int64_t index, char name[DT_STATE_TENSOR_BYTES]);

/**
 * How many slices a state has: those of the weights, then those of each moment. Each vector is cut every
 * DT_STATE_SLICE_FLOATS, whatever tensors lie there, and the last slice of each is shorter. Local.
 */
int64_t dt_state_slices(const dt_layout *layout);

/** How many of them, from the first, every rank has: all, or those of the weights where the moments are
 * shared out. Local. */
int64_t dt_state_common_slices(const dt_state *state);

/** The elements of slice `index` of the state, `*count` of them, in its vectors. Local. */
float *dt_state_slice(const dt_state *state, int64_t index, int64_t *count);

/** Writes which tensors slice `index` has a part of: "tensor wte.weight", or "tensors wte.weight to
 * h.0.ln_1.bias". Local. */
void dt_state_slice_name(const dt_layout *layout, int64_t index, char name[DT_STATE_SLICE_BYTES]);

/** The slices [*first, *end) in which tensor `index` of the state lies. Local. */
void dt_state_slices_of_tensor(const dt_layout *layout, int64_t index, int64_t *first, int64_t *end);

/** The tensor of the state that element `element` of slice `slice` belongs to, or the one before it where it
 * lies between tensors. Local. */
int64_t dt_state_tensor_at(const dt_layout *layout, int64_t slice, int64_t element);

/** Frees the vectors; one that is all zero is fine. Local. */
void dt_state_free(dt_state *state);

#endif
