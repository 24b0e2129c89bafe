/**
 * The two halves of an allreduce, which also stand alone: a reduce-scatter, after which each rank has the sum
 * in its own part of the vector, and an allgather, by which all ranks get what each has there.
 *
 * Which part is whose is decided by the algorithm (allreduce/pieces.h) and is the same in both halves, so
 * that what is made of a rank's own part of the sum can be gathered.
 */
#ifndef DT_ALLREDUCE_FORM_H
#define DT_ALLREDUCE_FORM_H

#include <stdint.h>

#include "base/align.h"

typedef enum dt_form {
    DT_FORM_ALLREDUCE,      /**< the sum, on all ranks */
    DT_FORM_REDUCE_SCATTER, /**< the sum of its own part, on each rank; elsewhere nothing is promised */
    DT_FORM_ALLGATHER       /**< each rank's own part, on all ranks; nothing is added */
} dt_form;

/** Floats of a chunk: where vectors are cut into parts, all but the last part are whole chunks. It is the
 * norm's (optim/clip.h), so that a rank can work out its partial sums alone. */
#define DT_FORM_CHUNK_FLOATS 1024

/** The floats between places where a form may cut a bucket. Local. */
static inline int64_t dt_form_unit(dt_form form) {
    return form == DT_FORM_ALLREDUCE ? DT_MEMORY_ALIGN_FLOATS : DT_FORM_CHUNK_FLOATS;
}

#endif
