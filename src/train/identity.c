/* Drawn by rank 0, used by all. */
#include "train/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "comm/agree.h"

/* Of the 64 bits that are drawn, 53 make a seed: every reader of JSON has those. */
#define SEED_SHIFT 11

/* Rank 0 draws what is random about a run, its seed and its name, and all use it. A run goes on under its
 * name; one that begins elsewhere from its checkpoint is another, since the first may go on too. */
dt_status dt_identity_draw(const dt_world *world, dt_checkpoint_about *about, const dt_resume *resume,
                           const char *init_run_id, bool *begins_apart) {
    struct {
        uint64_t seed, name;
    } drawn = {0, 0};
    dt_config *config = &about->config;
    dt_status status = DT_OK;
    if (world->rank == 0 && getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn)
        status = dt_fail("the kernel gave no random numbers to draw a seed from; set one by --seed");
    DT_TRY(dt_agree(world, status));
    DT_TRY(dt_world_broadcast(world, &drawn, (int64_t)sizeof drawn));
    if (dt_is_null_int(config->seed))
        config->seed = resume->found ? resume->seed : (int64_t)(drawn.seed >> SEED_SHIFT);
    snprintf(about->run_id, sizeof about->run_id, "%016" PRIx64, drawn.name);
    if (*resume->own_run_id)
        memcpy(about->run_id, resume->own_run_id, sizeof about->run_id);
    *begins_apart = resume->found && strcmp(about->run_id, resume->run_id) != 0;
    const char *parent = *begins_apart ? resume->run_id : resume->found ? resume->parent_run_id : init_run_id;
    memcpy(about->parent_run_id, parent, sizeof about->parent_run_id);
    return DT_OK;
}
