/* train/need.h for each rank of a host, added up. */
#include "plan/memory.h"

#include "base/assert.h"

/* So many ranks of a host are looked at one by one; those after them count as the last of these. */
#define RANKS_COUNTED 64

static int64_t plus(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* With teams of `team_threads`, of the ranks of `memory`. */
static dt_status add_up(const dt_layout *layout, const dt_config *config, int ranks, int threads,
                        int64_t team_threads, dt_plan_memory *memory) {
    int64_t last = 0;
    *memory = (dt_plan_memory){.node_ranks = memory->node_ranks, .team_threads = team_threads};
    for (int r = 0; r < memory->node_ranks; r++) {
        if (r < RANKS_COUNTED) {
            dt_need need;
            DT_TRY(dt_need_of(&(dt_need_job){.layout = layout,
                                             .config = config,
                                             .rank = r,
                                             .size = ranks,
                                             .host_ranks = memory->node_ranks,
                                             .threads = threads,
                                             .team_threads = team_threads,
                                             .program_bytes = dt_need_program_bytes(),
                                             .saves = true},
                              &need));
            last = dt_need_total(&need);
            if (r == 0 || last > dt_need_total(&memory->max))
                memory->max = need;
        }
        memory->node_bytes = plus(memory->node_bytes, last);
    }
    memory->other_bytes = memory->node_ranks > 1 ? last : 0;
    return DT_OK;
}

dt_status dt_plan_memory_of(const dt_layout *layout, const dt_config *config, int64_t batch, int ranks,
                            int node_ranks, int threads, int64_t limit_bytes, dt_plan_memory *memory) {
    DT_ASSERT(batch > 0 && ranks > 0 && node_ranks > 0);
    const int64_t asked = config->threads_per_micro_batch;
    dt_config own = *config; /* borrows the strings */
    own.batch_size = batch;
    memory->node_ranks = node_ranks < ranks ? node_ranks : ranks;
    if (!dt_is_null_int(asked))
        return add_up(layout, &own, ranks, threads, asked, memory);
    int64_t team_threads = 0;
    do
        DT_TRY(add_up(layout, &own, ranks, threads, ++team_threads, memory));
    while (limit_bytes > 0 && memory->node_bytes > limit_bytes && team_threads < threads);
    return DT_OK;
}
