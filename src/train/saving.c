/* In order: rank 0's saver is served to its end before what serves it goes. */
#include "train/saving.h"

#include "comm/agree.h"
#include "comm/contract.h"

/* This rank's part. */
static dt_status create_own(dt_saving *s, const dt_saver_inputs *inputs) {
    if (s->world->rank == 0)
        return dt_saver_create(&s->saver, inputs);
    return inputs->moments ? dt_giver_create(&s->giver, s->world, s->channel, inputs->state, inputs->moments)
                           : DT_OK;
}

dt_status dt_saving_create(dt_saving *s, const dt_world *world, const dt_saver_inputs *inputs) {
    DT_COLLECTIVE(world, DT_SAME_INT(inputs->moments != NULL));
    *s = (dt_saving){.world = world};
    dt_saver_inputs own = *inputs;
    if (inputs->moments)
        DT_TRY(dt_channel_create(&s->channel, world));
    own.world = world;
    own.channel = s->channel;
    return dt_agree(world, create_own(s, &own));
}

void dt_saving_free(dt_saving *s) {
    dt_saver_free(s->saver);
    if (s->channel && s->world->rank == 0 && dt_giver_dismiss(s->channel, s->world) != DT_OK)
        dt_world_abort(s->world, DT_FAILED);
    dt_giver_free(s->giver);
    dt_channel_free(s->channel);
    *s = (dt_saving){0};
}

void dt_saving_begin(dt_saving *s, double val_loss, double since_seconds, dt_save_kind kind) {
    dt_saver_begin(s->saver, val_loss, since_seconds, kind);
    dt_giver_begin(s->giver);
}
