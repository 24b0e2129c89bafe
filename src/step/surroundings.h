/**
 * What the code of a hook may set for the thread that runs it and must not leave to what runs after it: how
 * floats are rounded and how many threads OpenMP gives a region.
 *
 * The threads of a step have their parts by number, so a region of fewer would leave out micro-batches.
 */
#ifndef DT_STEP_SURROUNDINGS_H
#define DT_STEP_SURROUNDINGS_H

#include <fenv.h>

typedef struct dt_surroundings {
    fenv_t arithmetic;
    int threads, dynamic, levels;
} dt_surroundings;

/** Of the calling thread. Costs some tens of nanoseconds, as the next does. */
void dt_surroundings_save(dt_surroundings *saved);

/** Gives them back to the thread that saved them. */
void dt_surroundings_restore(const dt_surroundings *saved);

#endif
