/* The sizes that others allocate by, put side by side, and held against base/available.h. */
#include "train/need.h"

#include <limits.h>

#include "allreduce/buckets.h"
#include "allreduce/cost.h"
#include "base/assert.h"
#include "base/available.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "base/units.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "model/activations.h"
#include "model/decode.h"
#include "model/scratch.h"
#include "model/weights.h"
#include "step/overlap.h"
#include "step/step.h"
#include "step/workers.h"
#include "train/own_moments.h"
#include "train/products.h"
#include "train/settings.h"

/* `count` times `bytes`, or INT64_MAX. */
static int64_t times(int64_t count, int64_t bytes) {
    int64_t product;
    return __builtin_mul_overflow(count, bytes, &product) ? INT64_MAX : product;
}

static int64_t plus(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* Whether the ranks share the optimizer out. */
static bool is_sharded(const dt_need_job *job) {
    return job->config->shard_optimizer && job->size > 1;
}

int64_t dt_need_program_bytes(void) {
    static int64_t bytes = 0;
    if (bytes == 0)
        bytes = dt_memory_resident_bytes();
    return bytes;
}

int dt_need_teams(const dt_need_job *job) {
    const dt_config *c = job->config;
    int64_t first, end;
    dt_tree_run(dt_step_micro_batches(c->batch_size, c->micro_batch_size), job->rank, job->size, &first,
                &end);
    return dt_workers_teams(job->threads, job->team_threads, end - first);
}

/* The vectors of gradient, and what the allreduce has on its way. */
static dt_status count_gradients(const dt_need_job *job, dt_need *need) {
    const dt_config *c = job->config;
    const dt_allreduce_options options = dt_settings_allreduce(c);
    dt_cost_job cost = {.ranks = job->size,
                        .host_ranks = job->host_ranks,
                        .micro_batches = dt_step_micro_batches(c->batch_size, c->micro_batch_size),
                        .algorithm = options.algorithm,
                        .dtype = options.dtype,
                        .form = is_sharded(job) ? DT_FORM_REDUCE_SCATTER : DT_FORM_ALLREDUCE};
    int64_t buffers, gather;
    need->bytes[DT_NEED_GRADIENTS] = need->bytes[DT_NEED_ALLREDUCE] = INT64_MAX;
    DT_TRY(dt_step_gradient_buffers(cost.micro_batches, job->rank, job->size, dt_need_teams(job), &buffers));
    need->bytes[DT_NEED_GRADIENTS] =
        times(buffers, dt_memory_block_bytes(job->layout->elements, sizeof(float)));
    DT_TRY(dt_overlap_workspace_bytes(&cost, job->rank, job->layout->elements, c->bucket_bytes,
                                      &need->bytes[DT_NEED_ALLREDUCE]));
    if (!is_sharded(job))
        return DT_OK;
    cost.form = DT_FORM_ALLGATHER;
    cost.dtype = DT_DTYPE_FP32;
    DT_TRY(dt_overlap_workspace_bytes(&cost, job->rank, job->layout->elements, c->bucket_bytes, &gather));
    need->bytes[DT_NEED_ALLREDUCE] = plus(need->bytes[DT_NEED_ALLREDUCE], gather);
    return DT_OK;
}

/* The tokens, and the batch as the model takes it beside them. */
static int64_t corpus_bytes(const dt_need_job *job) {
    const dt_config *c = job->config;
    int64_t first, end;
    dt_step_slots(c->batch_size, c->micro_batch_size, job->rank, job->size, &first, &end);
    return plus(job->corpus_bytes, times(times(end - first, c->max_seq_len + 1), sizeof(int32_t)));
}

/* How many of the first `elements` of a vector have their moments on this rank. */
static dt_status count_own(const dt_need_job *job, int64_t elements, int64_t *own) {
    const dt_config *c = job->config;
    const dt_cost_job cost = {.ranks = job->size,
                              .host_ranks = job->host_ranks,
                              .micro_batches = dt_step_micro_batches(c->batch_size, c->micro_batch_size),
                              .algorithm = dt_settings_allreduce(c).algorithm};
    *own = elements;
    return is_sharded(job)
               ? dt_cost_own_floats(&cost, job->rank, elements,
                                    dt_buckets_floats(c->bucket_bytes, DT_FORM_ALLGATHER, job->size), own)
               : DT_OK;
}

/* The two vectors of moments, and the copies to save from: rank 0's of the weights, and each rank's of its
 * own moments, of which rank 0 has all unless they are shared out. There it also has a span of them, and
 * another rank's slice of it, which is as large as its own. */
static dt_status count_moments(const dt_need_job *job, dt_need *need) {
    const int64_t elements = job->layout->elements, span = dt_min(elements, DT_OWN_MOMENTS_SPAN_FLOATS);
    int64_t own, slice;
    need->bytes[DT_NEED_MOMENTS] = need->bytes[DT_NEED_SAVER] = INT64_MAX;
    DT_TRY(count_own(job, elements, &own));
    DT_TRY(count_own(job, span, &slice));
    need->bytes[DT_NEED_MOMENTS] = times(2, dt_memory_block_bytes(own, sizeof(float)));
    need->bytes[DT_NEED_SAVER] = 0;
    if (!job->saves || (job->rank > 0 && !is_sharded(job)))
        return DT_OK;
    need->bytes[DT_NEED_SAVER] = need->bytes[DT_NEED_MOMENTS];
    if (job->rank == 0)
        need->bytes[DT_NEED_SAVER] = plus(need->bytes[DT_NEED_SAVER], need->bytes[DT_NEED_WEIGHTS]);
    if (job->rank == 0 && is_sharded(job))
        need->bytes[DT_NEED_SAVER] = plus(need->bytes[DT_NEED_SAVER], times(span + slice, sizeof(float)));
    return DT_OK;
}

/* Rank 0's keys and values of a sample. */
static int64_t sampler_bytes(const dt_need_job *job, const dt_kernels *kernels) {
    return job->saves && job->rank == 0 && !dt_is_null_int(job->config->sampling_cadence)
               ? dt_memory_block_bytes(dt_decode_bytes(kernels, &job->layout->shape, 1), 1)
               : 0;
}

static int64_t packed_bytes(const dt_kernels *kernels, const dt_shape *shape) {
    const int64_t bytes = dt_weights_panel_bytes(kernels, shape);
    return bytes > 0 ? dt_memory_block_bytes(bytes, 1) : 0;
}

dt_status dt_need_of(const dt_need_job *job, dt_need *need) {
    DT_ASSERT(job->rank >= 0 && job->rank < job->size && job->threads > 0 && job->corpus_bytes >= 0);
    DT_ASSERT(job->team_threads > 0);
    const dt_config *c = job->config;
    const dt_shape *shape = &job->layout->shape;
    const dt_kernels *kernels = dt_products_kernels(c);
    const int64_t activations =
        dt_activations_floats(kernels, shape, c->micro_batch_size, (dt_recompute)c->recompute);
    const int64_t scratch = dt_scratch_floats(kernels, shape, c->micro_batch_size);
    *need = (dt_need){{[DT_NEED_WEIGHTS] = dt_memory_block_bytes(job->layout->elements, sizeof(float)),
                       [DT_NEED_PACKED] = packed_bytes(kernels, shape),
                       [DT_NEED_ACTIVATIONS] =
                           plus(times(dt_need_teams(job), dt_memory_block_bytes(activations, sizeof(float))),
                                times(job->threads, dt_memory_block_bytes(scratch, sizeof(float)))),
                       [DT_NEED_SAMPLER] = sampler_bytes(job, kernels),
                       [DT_NEED_CORPUS] = corpus_bytes(job),
                       [DT_NEED_PROGRAM] = job->program_bytes},
                      .held_bytes = job->held_bytes};
    DT_TRY(count_moments(job, need));
    return count_gradients(job, need);
}

const char *dt_need_name(dt_need_kind kind) {
    static const char *const names[DT_NEED_KINDS] = {[DT_NEED_WEIGHTS] = "weights",
                                                     [DT_NEED_PACKED] = "packed",
                                                     [DT_NEED_GRADIENTS] = "gradients",
                                                     [DT_NEED_MOMENTS] = "moments",
                                                     [DT_NEED_ACTIVATIONS] = "activations",
                                                     [DT_NEED_ALLREDUCE] = "allreduce",
                                                     [DT_NEED_SAVER] = "saver",
                                                     [DT_NEED_SAMPLER] = "sampler",
                                                     [DT_NEED_CORPUS] = "corpus",
                                                     [DT_NEED_PROGRAM] = "program"};
    return names[kind];
}

int64_t dt_need_total(const dt_need *need) {
    int64_t total = 0;
    for (int k = 0; k < DT_NEED_KINDS; k++)
        total = plus(total, need->bytes[k]);
    return total;
}

/* The heap's small blocks, stacks and what the kernel keeps for a process; and a page of the kernel's tables
 * of pages tells where 512 are. */
#define SMALL_BYTES     ((int64_t)4 << 20)
#define PAGES_PER_TABLE 512

int64_t dt_need_capacity(const dt_need *need) {
    const int64_t total = dt_need_total(need);
    return plus(total, SMALL_BYTES + total / PAGES_PER_TABLE);
}

/* Also the sum over a host's ranks must fit 63 bits: no host has as much as one of these. */
#define LARGEST_BYTES ((int64_t)1 << 52)

static const char *megabytes(int64_t bytes, char text[32]) {
    if (bytes < LARGEST_BYTES)
        snprintf(text, 32, "%.1f", (double)bytes / 1e6);
    else
        snprintf(text, 32, "beyond any");
    return text;
}

static void tell_row(const char *name, int64_t rank, int64_t host) {
    char own[32], all[32];
    dt_log_note("  %-12s %12s %12s", name, megabytes(rank, own), megabytes(host, all));
}

/* What rank 0 and its host's ranks would take. Collective. */
static dt_status tell(const dt_world *world, const dt_need *need) {
    dt_need host;
    for (int k = 0; k < DT_NEED_KINDS; k++) {
        host.bytes[k] = dt_min(need->bytes[k], LARGEST_BYTES);
        DT_TRY(dt_world_host_sum(world, &host.bytes[k]));
    }
    if (world->rank != 0)
        return DT_OK;
    dt_log_note("memory in MB of rank 0, and of the %d rank%s of its host %s:", world->host_ranks,
                dt_plural_s(world->host_ranks), world->host);
    for (int k = 0; k < DT_NEED_PROGRAM; k++) /* which is here already */
        tell_row(dt_need_name((dt_need_kind)k), need->bytes[k], host.bytes[k]);
    tell_row("together", dt_need_total(need), dt_need_total(&host));
    return DT_OK;
}

/* What the ranks of a host need, and what it can give them, with what they give back before. */
typedef struct host_capacity {
    int64_t own, needed, available;
} host_capacity;

/* Of this rank's host, and whether the ranks of every host find what they need. Collective. */
static dt_status look(const dt_world *world, const dt_need *need, host_capacity *capacity, bool *everywhere) {
    int64_t held = need->held_bytes;
    int lacking;
    capacity->own = capacity->needed = dt_min(dt_need_capacity(need), LARGEST_BYTES);
    DT_TRY(dt_world_host_sum(world, &capacity->needed));
    DT_TRY(dt_world_host_sum(world, &held));
    capacity->available = plus(dt_available_bytes(""), held);
    DT_TRY(dt_agree_min(world, capacity->needed > capacity->available, &lacking));
    *everywhere = lacking == 0;
    return DT_OK;
}

/* Whether no team is spread over NUMA nodes, or none of that size can help it. */
static bool keeps_nodes_apart(const dt_need_job *job) {
    return job->node_threads == 0 || job->team_threads > job->node_threads ||
           !dt_workers_straddle(job->threads, dt_need_teams(job), job->node_threads);
}

dt_status dt_need_choose_teams(const dt_world *world, dt_need_job *job, dt_need *need) {
    DT_COLLECTIVE(world, DT_SAME_INT(job->config->threads_per_micro_batch));
    const bool chosen = !dt_is_null_int(job->config->threads_per_micro_batch);
    bool enough = chosen;
    host_capacity capacity;
    int fewer; /* below the largest number: the most threads of any rank are so many fewer */
    DT_TRY(dt_agree_min(world, INT_MAX - job->threads, &fewer));
    job->team_threads = chosen ? job->config->threads_per_micro_batch : 1;
    (void)dt_need_of(job, need); /* a rank that cannot count fits nowhere */
    if (!enough)
        DT_TRY(look(world, need, &capacity, &enough));
    while (!enough && job->team_threads < INT_MAX - fewer) {
        int astray;
        job->team_threads++;
        (void)dt_need_of(job, need);
        DT_TRY(dt_agree_min(world, !keeps_nodes_apart(job), &astray));
        if (astray == 0 || job->team_threads == INT_MAX - fewer)
            DT_TRY(look(world, need, &capacity, &enough));
    }
    return DT_OK;
}

/* What takes less memory and keeps the bits, the cheapest first. */
static const struct cure {
    const char *name;
    bool recompute, shard;
} cures[] = {{"threads_per_micro_batch: auto", false, false},
             {"recompute: layer", true, false},
             {"shard_optimizer: true", false, true},
             {"recompute: layer and shard_optimizer: true", true, true}};
#define CURES (sizeof cures / sizeof *cures)

/* The first that fits everywhere, with teams as memory asks for, or NULL. Collective. */
static dt_status find_cure(const dt_world *world, const dt_need_job *job, const struct cure **found) {
    const dt_config *c = job->config;
    *found = NULL;
    for (size_t i = 0; i < CURES && *found == NULL; i++) {
        dt_config changed = *c; /* borrows the strings */
        dt_need_job another = *job;
        dt_need need;
        host_capacity capacity;
        bool enough;
        if ((cures[i].recompute && c->recompute == DT_RECOMPUTE_LAYER) ||
            (cures[i].shard && (c->shard_optimizer || job->size == 1)) ||
            (i == 0 && dt_is_null_int(c->threads_per_micro_batch)))
            continue;
        changed.recompute = cures[i].recompute ? DT_RECOMPUTE_LAYER : c->recompute;
        changed.shard_optimizer = cures[i].shard || c->shard_optimizer;
        changed.threads_per_micro_batch = DT_NULL_INT;
        another.config = &changed;
        DT_TRY(dt_need_choose_teams(world, &another, &need));
        DT_TRY(look(world, &need, &capacity, &enough));
        if (enough)
            *found = &cures[i];
    }
    return DT_OK;
}

/* For the ranks of a host that lacks memory. */
static dt_status refuse(const dt_world *world, const host_capacity *capacity, const struct cure *cure,
                        bool teams_too) {
    char advice[256];
    if (cure)
        snprintf(advice, sizeof advice, "with %s%s it fits, and the bits are the same", cure->name,
                 teams_too ? " and threads_per_micro_batch: auto" : "");
    else
        snprintf(advice, sizeof advice,
                 "neither recompute: layer nor shard_optimizer: true is enough; use a smaller model, "
                 "micro_batch_size or bucket_bytes, or fewer ranks per host");
    return dt_usage("not enough memory on host %s: expected %s%s available for %d rank%s, of which rank %d "
                    "takes %s, found %s%s; %s; dtrain plan tells more",
                    world->host, capacity->own < LARGEST_BYTES ? "at least " : "more than ",
                    dt_units_bytes((double)capacity->needed).text, world->host_ranks,
                    dt_plural_s(world->host_ranks), world->rank, dt_units_bytes((double)capacity->own).text,
                    dt_units_bytes((double)capacity->available).text,
                    dt_available_is_limited("")
                        ? ", which the memory limit of its control group leaves (a container's, or a job's)"
                        : "",
                    advice);
}

dt_status dt_need_check(const dt_world *world, const dt_need_job *job, const dt_need *need) {
    DT_COLLECTIVE_CALL(world);
    const struct cure *cure;
    host_capacity capacity;
    bool enough;
    DT_TRY(look(world, need, &capacity, &enough));
    if (enough)
        return DT_OK;
    DT_TRY(find_cure(world, job, &cure));
    const bool teams_too = cure != &cures[0] && !dt_is_null_int(job->config->threads_per_micro_batch);
    const dt_status status = dt_agree(
        world, capacity.needed > capacity.available ? refuse(world, &capacity, cure, teams_too) : DT_OK);
    DT_TRY(tell(world, need));
    return status;
}
