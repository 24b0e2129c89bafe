/**
 * What a fresh run starts from instead of initial weights: the model of another program or of another run,
 * which `init_from` names. Its weights are taken, and what they are shaped by; the text, the schedule, the
 * seed and the optimizer's state are the new run's own.
 */
#ifndef DT_TRAIN_INIT_FROM_H
#define DT_TRAIN_INIT_FROM_H

#include <stdbool.h>

#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "comm/world.h"
#include "config/config.h"
#include "model/layout.h"
#include "optim/state.h"

#define DT_INIT_FROM_PATH 4096 /* bytes, Linux's PATH_MAX */

/** What every rank must know of it; plain bytes, broadcast by rank 0. */
typedef struct dt_init_from {
    int64_t found;                /**< 0: initial weights are drawn */
    int64_t step;                 /**< of the checkpoint, or -1: it is a model folder of another program */
    int64_t own_tokenizer;        /**< the run's tokenizer is the checkpoint's, in its folder */
    dt_shape shape;               /**< of the folder's model */
    char run_id[DT_RUN_ID_BYTES]; /**< of the checkpoint's run, or "" */
    char path[DT_INIT_FROM_PATH]; /**< the folder as rank 0 finds it: where a run was named, its checkpoint's
                                   */
} dt_init_from;

/**
 * Looks at the folder that config->init_from names, on rank 0 alone, and takes the model's shape, its
 * vocabulary and its tokenizer into `config` where they are not given; a given one that is another is
 * refused, but for a max_seq_len that is shorter. Then all ranks check the config. Where the option is null
 * nothing is done. `world` may be NULL for a process by itself. Collective.
 */
dt_status dt_init_from_find(dt_init_from *from, const dt_world *world, dt_config *config);

/**
 * Reads the weights from from->path on rank 0, the only one that needs to see it, and copies them to all: the
 * state of step 0, with moments of zero. Where state's T is shorter than the model's, the last positions are
 * left out. Collective.
 */
dt_status dt_init_from_load(const dt_init_from *from, const dt_world *world, dt_state *state);

#endif
