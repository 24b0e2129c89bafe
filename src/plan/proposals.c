/* A list of configs, the memory of each, and a probe of those that fit. */
#include "plan/proposals.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "comm/agree.h"
#include "plan/probe.h"
#include "step/workers.h"

/* Ranks of a planned host. */
static int node_ranks(const dt_plan_machine *machine, int ranks) {
    return machine->same_host || machine->host_ranks > ranks ? ranks : machine->host_ranks;
}

static dt_config changed_by(const dt_proposal *p, const dt_config *config) {
    dt_config changed = *config; /* borrows the strings */
    if (p->auto_teams)
        changed.threads_per_micro_batch = DT_NULL_INT;
    changed.recompute = p->recompute;
    changed.shard_optimizer = p->shard_optimizer;
    changed.micro_batch_size = p->micro_batch_size;
    return changed;
}

bool dt_proposals_probe_fits(const dt_world *world, const dt_config *config, const dt_layout *layout,
                             int threads, int64_t here_bytes) {
    /* A micro-batch per team, and as many vectors of gradient again as teams, and one (plan/probe.c). */
    const int64_t asked = config->threads_per_micro_batch;
    const int teams = dt_workers_teams(threads, dt_is_null_int(asked) ? 1 : asked, threads);
    const int64_t batch = world->size * teams * config->micro_batch_size;
    dt_config whole = *config; /* borrows the strings */
    dt_plan_memory memory;
    whole.shard_optimizer = false;
    int64_t bytes;
    return dt_plan_memory_of(layout, &whole, batch, world->size, world->host_ranks, threads, here_bytes,
                             &memory) == DT_OK &&
           !__builtin_mul_overflow((int64_t)world->host_ranks * (teams + 1), layout->elements, &bytes) &&
           !__builtin_mul_overflow(bytes, (int64_t)sizeof(float), &bytes) &&
           !__builtin_add_overflow(bytes, memory.node_bytes, &bytes) && bytes <= here_bytes;
}

/* Measures what the proposal's passes take, and predicts its step. Collective. */
static dt_status time_proposal(const dt_world *world, const dt_proposals_inputs *in, dt_proposal *p) {
    const dt_config changed = changed_by(p, in->config);
    dt_plan_machine machine = *in->machine;
    dt_plan_point point;
    DT_TRY(dt_probe_run(&machine.probe, world, &changed, in->threads, in->threads_per_core));
    DT_TRY(dt_plan_predict(&machine, &changed, changed.batch_size, in->ranks, 1.0, &point));
    p->step_seconds = point.step_seconds;
    p->timed = true;
    return DT_OK;
}

/* Appends a proposal, timed where it fits. Rank 0 decides, since other hosts may count otherwise. */
static dt_status append(const dt_world *world, const dt_proposals_inputs *in, const dt_proposal *proposal,
                        dt_proposal *proposals, int *count) {
    DT_ASSERT(*count < DT_PROPOSALS_MAX);
    dt_proposal *p = &proposals[(*count)++];
    *p = *proposal;
    const dt_config changed = changed_by(p, in->config);
    DT_TRY(dt_agree(world, dt_plan_memory_of(in->layout, &changed, changed.batch_size, in->ranks,
                                             node_ranks(in->machine, in->ranks), in->rank_threads,
                                             in->node_bytes, &p->memory)));
    p->fits = p->memory.node_bytes <= in->node_bytes;
    bool timed = p->fits && dt_proposals_probe_fits(world, &changed, in->layout, in->threads, in->here_bytes);
    DT_TRY(dt_world_broadcast(world, &p->fits, (int64_t)sizeof p->fits));
    DT_TRY(dt_world_broadcast(world, &timed, (int64_t)sizeof timed));
    return timed ? time_proposal(world, in, p) : DT_OK;
}

/* The ways to save memory and keep the bits, but for what the config says already: threads that work
 * together, as auto has them, and the others with that. */
static dt_status append_same_bits(const dt_world *world, const dt_proposals_inputs *in,
                                  dt_proposal *proposals, int *count, bool *fits) {
    const bool recomputes = in->config->recompute == DT_RECOMPUTE_LAYER,
               shards = in->config->shard_optimizer || in->ranks == 1;
    const bool auto_teams = !dt_is_null_int(in->config->threads_per_micro_batch) && in->rank_threads > 1;
    static const bool changes[][2] = {{false, false}, {true, false}, {false, true}, {true, true}};
    for (size_t w = 0; w < sizeof changes / sizeof *changes; w++) {
        const bool recompute = changes[w][0], shard = changes[w][1];
        if ((recompute && recomputes) || (shard && shards) || (!recompute && !shard && !auto_teams))
            continue;
        const dt_proposal p = {.auto_teams = auto_teams,
                               .recompute =
                                   recompute ? DT_RECOMPUTE_LAYER : (dt_recompute)in->config->recompute,
                               .shard_optimizer = shard || in->config->shard_optimizer,
                               .micro_batch_size = in->config->micro_batch_size,
                               .same_bits = true};
        DT_TRY(append(world, in, &p, proposals, count));
        *fits |= proposals[*count - 1].fits;
    }
    return DT_OK;
}

dt_status dt_proposals_find(const dt_world *world, const dt_proposals_inputs *in, dt_proposal *proposals,
                            int *count) {
    bool fits = false;
    *count = 0;
    DT_TRY(append_same_bits(world, in, proposals, count, &fits));
    for (int64_t u = dt_min(in->config->micro_batch_size, in->config->batch_size); !fits && u > 1;) {
        u = (u + 1) / 2;
        const dt_proposal smaller = {.auto_teams = true,
                                     .recompute = DT_RECOMPUTE_LAYER,
                                     .shard_optimizer = in->ranks > 1,
                                     .micro_batch_size = u};
        DT_TRY(append(world, in, &smaller, proposals, count));
        fits = proposals[*count - 1].fits;
    }
    return DT_OK;
}

const char *dt_proposals_name(const dt_proposal *p, const dt_config *config, char text[DT_PROPOSAL_BYTES]) {
    static const char *const names[] = {"threads_per_micro_batch: auto", "recompute: layer",
                                        "shard_optimizer: true"};
    const bool changed[] = {p->auto_teams && !dt_is_null_int(config->threads_per_micro_batch),
                            (int64_t)p->recompute != config->recompute,
                            p->shard_optimizer != config->shard_optimizer};
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < 3; i++)
        if (changed[i])
            used += (size_t)snprintf(text + used, DT_PROPOSAL_BYTES - used, "%s%s", used > 0 ? ", " : "",
                                     names[i]);
    if (p->micro_batch_size != config->micro_batch_size)
        snprintf(text + used, DT_PROPOSAL_BYTES - used, "%smicro_batch_size: %" PRId64, used > 0 ? ", " : "",
                 p->micro_batch_size);
    return text;
}
