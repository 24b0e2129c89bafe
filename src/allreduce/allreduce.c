/*
 * Where the sum's arrays stand, and when buckets start. What a rank does for a bucket is written by
 * generator.c and carried out by executor.c.
 */
#include "allreduce/allreduce.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "allreduce/executor.h"
#include "allreduce/generator.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "comm/agree.h"
#include "comm/contract.h"

/* Two ranks send halves: with these a message has a count that is an int. */
#define BUCKET_FLOATS_MAX (2 * (int64_t)(INT_MAX - DT_MEMORY_ALIGN_FLOATS))

struct dt_allreduce {
    int rank, size;
    dt_allreduce_options options;
    int64_t buckets, longest; /* the longest bucket's floats */
    int64_t *bounds;          /* [buckets + 1] */
    dt_hosts hosts;
    dt_generator generator;
    dt_host_memory memory;
    dt_executor executor;
    int64_t started;   /* buckets started since creation */
    int64_t completed; /* and how many of these are complete, from the first */
    dt_pieces pieces;
};

/* ---- creating ---- */

static dt_status check_bounds(int64_t elements, const int64_t *bounds, int64_t buckets) {
    if (bounds[0] != 0 || bounds[buckets] != elements)
        return dt_fail("buckets must hold the whole vector: expected bounds from 0 to %" PRId64
                       ", found %" PRId64 " to %" PRId64,
                       elements, bounds[0], bounds[buckets]);
    for (int64_t b = 0; b < buckets; b++) {
        const int64_t length = bounds[b + 1] - bounds[b];
        if (length < 0 || length % DT_MEMORY_ALIGN_FLOATS != 0)
            return dt_fail("bound %" PRId64 " of the buckets is %" PRId64
                           ": expected a multiple of %d, at least %" PRId64,
                           b + 1, bounds[b + 1], DT_MEMORY_ALIGN_FLOATS, bounds[b]);
        if (length > BUCKET_FLOATS_MAX)
            return dt_fail("bucket %" PRId64 " has %" PRId64 " floats: expected at most %" PRId64
                           "; use smaller buckets",
                           b, length, BUCKET_FLOATS_MAX);
    }
    return DT_OK;
}

/* Where ranks have parts of their own. */
static dt_status check_form(dt_form form, const int64_t *bounds, int64_t buckets) {
    for (int64_t b = 0; form != DT_FORM_ALLREDUCE && b + 1 < buckets; b++)
        if (bounds[b + 1] - bounds[b] != bounds[1] || bounds[1] % DT_FORM_CHUNK_FLOATS != 0)
            return dt_fail("bucket %" PRId64 " has %" PRId64 " floats, the first has %" PRId64
                           ": expected all but the last to have as many, a multiple of %d",
                           b, bounds[b + 1] - bounds[b], bounds[1], DT_FORM_CHUNK_FLOATS);
    return DT_OK;
}

static dt_status copy_bounds(dt_allreduce *a, const int64_t *bounds) {
    a->bounds = dt_memory_alloc(a->buckets + 1, sizeof *bounds, "the buckets of the allreduce");
    if (a->bounds == NULL)
        return DT_FAILED;
    memcpy(a->bounds, bounds, (size_t)(a->buckets + 1) * sizeof *bounds);
    for (int64_t b = 0; b < a->buckets; b++)
        a->longest = bounds[b + 1] - bounds[b] > a->longest ? bounds[b + 1] - bounds[b] : a->longest;
    return DT_OK;
}

static bool is_hierarchical(const dt_allreduce *a) {
    return a->generator.job.algorithm == DT_ALGORITHM_HIERARCHICAL;
}

static dt_status create_memory(dt_allreduce *a) {
    const int slots = dt_generator_slots(a->buckets);
    const int64_t floats = slots * dt_generator_shared_floats(&a->generator, a->hosts.local, a->longest);
    return dt_host_memory_create(&a->memory, &a->hosts, floats, slots);
}

/* Decides for an algorithm and prepares it. Where memory cannot be shared, auto does without. */
static dt_status create_generator(dt_allreduce *a, const dt_world *world, int64_t micro_batches) {
    const bool automatic = a->options.algorithm == DT_ALGORITHM_AUTO;
    dt_generator_job job = {.size = a->size,
                            .micro_batches = micro_batches,
                            .algorithm = a->options.algorithm,
                            .form = a->options.form};
    if (a->size > 1 && (automatic || job.algorithm == DT_ALGORITHM_HIERARCHICAL)) {
        DT_TRY(dt_agree(world, dt_hosts_find(&a->hosts, world, a->options.host_ranks)));
        job.hosts = a->hosts.consecutive ? a->hosts.count : 0;
        job.starts = a->hosts.starts;
    }
    DT_TRY(dt_agree(world, dt_generator_create(&a->generator, &job, a->rank)));
    if (!is_hierarchical(a))
        return DT_OK;
    const dt_status status = dt_agree(world, create_memory(a));
    if (status == DT_OK || !automatic)
        return status;
    dt_log_warn("allreduce: auto takes flat here: %s", dt_error());
    dt_host_memory_free(&a->memory); /* where hosts differ, this one may have been able to */
    dt_generator_free(&a->generator);
    job.algorithm = DT_ALGORITHM_FLAT;
    return dt_agree(world, dt_generator_create(&a->generator, &job, a->rank));
}

/* Where the host's shared arrays stand, slot by slot. */
static void find_shared(dt_allreduce *a) {
    const dt_partition *inside = &a->generator.hierarchical.inside;
    for (int s = 0; s < a->executor.slots; s++) {
        float **array = a->executor.slot[s].array;
        for (int r = 0; r < a->hosts.ranks; r++) {
            float *section =
                a->memory.section[r] + s * dt_generator_shared_floats(&a->generator, r, a->longest);
            const int64_t nodes = dt_generator_shared_nodes(&a->generator, r);
            for (int64_t i = 0; i < nodes; i++)
                array[DT_ARRAY_SHARED + inside->node_starts[r] + i] = section + i * a->longest;
            if (r == 0 && a->options.form != DT_FORM_REDUCE_SCATTER)
                array[DT_ARRAY_RESULT] = section + nodes * a->longest;
        }
    }
}

static dt_status create_executor(dt_allreduce *a, const dt_world *world) {
    dt_schedule_needs needs = {0};
    for (int64_t b = 0, before = -1; b < a->buckets; b++) {
        const int64_t count = a->bounds[b + 1] - a->bounds[b];
        if (count != before)
            dt_generator_raise_needs(&a->generator, count, &needs);
        before = count;
    }
    a->executor.dtype = a->options.dtype;
    a->executor.memory = &a->memory;
    DT_TRY(dt_executor_create(&a->executor, world, dt_generator_slots(a->buckets), &needs,
                              dt_generator_arrays(&a->generator)));
    if (is_hierarchical(a))
        find_shared(a);
    return DT_OK;
}

static dt_status create_pieces(dt_allreduce *a) {
    const dt_generator_job *job = &a->generator.job;
    const dt_pieces_job planned = {job->size, job->hosts, job->starts, job->micro_batches, job->algorithm};
    if (a->options.form == DT_FORM_ALLREDUCE)
        return DT_OK;
    const int64_t chunks = (a->bounds[1] + DT_FORM_CHUNK_FLOATS - 1) / DT_FORM_CHUNK_FLOATS;
    return dt_pieces_create(&a->pieces, &planned, a->bounds[a->buckets], chunks * DT_FORM_CHUNK_FLOATS);
}

static dt_status create(dt_allreduce *a, const dt_world *world, int64_t micro_batches) {
    DT_TRY(create_generator(a, world, micro_batches));
    DT_TRY(dt_agree(world, create_pieces(a)));
    return a->size > 1 ? dt_agree(world, create_executor(a, world)) : DT_OK;
}

dt_status dt_allreduce_create(dt_allreduce **allreduce, const dt_world *world, int64_t micro_batches,
                              int64_t elements, const int64_t *bounds, int64_t buckets,
                              const dt_allreduce_options *options) {
    DT_COLLECTIVE(world, DT_SAME_INT(micro_batches), DT_SAME_INT(elements), DT_SAME_INT(buckets),
                  DT_SAME_BYTES(bounds, (buckets + 1) * (int64_t)sizeof *bounds),
                  DT_SAME_INT(options->algorithm), DT_SAME_INT(options->dtype),
                  DT_SAME_INT(options->host_ranks), DT_SAME_INT(options->form));
    *allreduce = NULL;
    DT_TRY(dt_tree_expect_ranks(world->size, micro_batches));
    DT_TRY(check_bounds(elements, bounds, buckets));
    DT_TRY(check_form(options->form, bounds, buckets));
    dt_allreduce *a = dt_memory_alloc(1, sizeof *a, "the allreduce");
    dt_status status = a ? DT_OK : DT_FAILED;
    if (status == DT_OK) {
        *a =
            (dt_allreduce){.rank = world->rank, .size = world->size, .buckets = buckets, .options = *options};
        a->hosts.comm = MPI_COMM_NULL;
        status = copy_bounds(a, bounds);
    }
    status = dt_agree(world, status);
    if (status == DT_OK)
        status = create(a, world, micro_batches);
    if (status != DT_OK) {
        dt_allreduce_free(a);
        return status;
    }
    *allreduce = a;
    return DT_OK;
}

/* Whether a bucket is, which memory must outlive. */
static bool is_under_way(const dt_allreduce *a) {
    bool busy = false;
    for (int s = 0; s < a->executor.slots; s++)
        busy = busy || a->executor.slot[s].busy;
    return busy;
}

void dt_allreduce_free(dt_allreduce *a) {
    if (a == NULL)
        return;
    DT_ASSERT(!is_under_way(a));
    dt_executor_free(&a->executor);
    dt_host_memory_free(&a->memory);
    dt_generator_free(&a->generator);
    dt_pieces_free(&a->pieces);
    dt_hosts_free(&a->hosts);
    dt_memory_free(a->bounds);
    dt_memory_free(a);
}

dt_algorithm dt_allreduce_algorithm(const dt_allreduce *a) {
    return a->generator.job.algorithm;
}

const dt_pieces *dt_allreduce_pieces(const dt_allreduce *a) {
    return &a->pieces;
}

const dt_tree_node *dt_allreduce_cover(const dt_allreduce *a, int *count) {
    const dt_partition *partition = &a->generator.partition;
    *count = (int)dt_partition_nodes(partition, a->rank);
    return partition->nodes + partition->node_starts[a->rank];
}

/* ---- summing ---- */

/* On one rank the cover is the root, which is rounded like any other node. */
static void sum_alone(const dt_allreduce *a, int64_t bucket, float *const *nodes, float *sum) {
    const int64_t first = a->bounds[bucket], count = a->bounds[bucket + 1] - first;
    if (a->options.form == DT_FORM_ALLGATHER)
        return;
    if (sum != nodes[0])
        memcpy(sum + first, nodes[0] + first, (size_t)count * sizeof *sum);
    dt_dtype_round(a->options.dtype, sum + first, count);
}

/* Where the next bucket goes: the same slot on every rank, since all start the same buckets in order. */
static int next_slot(const dt_allreduce *a) {
    return (int)(a->started % a->executor.slots);
}

dt_status dt_allreduce_start(dt_allreduce *a, int64_t bucket, float *const *nodes, float *sum) {
    DT_ASSERT(bucket >= 0 && bucket < a->buckets);
    DT_ASSERT((nodes == NULL) == (a->options.form == DT_FORM_ALLGATHER));
    const int64_t first = a->bounds[bucket], count = a->bounds[bucket + 1] - first;
    if (a->size == 1) {
        a->completed = ++a->started;
        sum_alone(a, bucket, nodes, sum);
        return DT_OK;
    }
    const int index = next_slot(a);
    dt_slot *slot = &a->executor.slot[index];
    bool busy;
    DT_TRY(dt_executor_poll(&a->executor, &busy));
    while (slot->busy) {
        DT_TRY(dt_executor_wait(&a->executor));
        DT_TRY(dt_executor_poll(&a->executor, &busy));
    }
    a->started++;
    slot->array[DT_ARRAY_SUM] = sum + first;
    for (int64_t i = 0; nodes && i < dt_partition_nodes(&a->generator.partition, a->rank); i++)
        slot->array[DT_ARRAY_OWN + i] = nodes[i] + first;
    dt_generator_write(&a->generator, count, &slot->schedule);
    return dt_executor_start(&a->executor, index);
}

/* Notes which buckets are complete: where one has taken another's slot, the other was. */
static void note_completed(dt_allreduce *a) {
    while (a->completed < a->started && (a->started - a->completed > a->executor.slots ||
                                         !a->executor.slot[a->completed % a->executor.slots].busy))
        a->completed++;
}

int64_t dt_allreduce_completed(const dt_allreduce *a) {
    return a->completed;
}

dt_status dt_allreduce_wait(dt_allreduce *a) {
    return is_under_way(a) ? dt_executor_wait(&a->executor) : DT_OK;
}

dt_status dt_allreduce_poll(dt_allreduce *a, bool *ready) {
    bool busy;
    const dt_status status = dt_executor_poll(&a->executor, &busy);
    note_completed(a);
    *ready = a->size == 1 || !a->executor.slot[next_slot(a)].busy;
    return status;
}

dt_status dt_allreduce_finish(dt_allreduce *a) {
    bool busy;
    DT_TRY(dt_executor_poll(&a->executor, &busy));
    while (busy) {
        DT_TRY(dt_executor_wait(&a->executor));
        DT_TRY(dt_executor_poll(&a->executor, &busy));
    }
    note_completed(a);
    return DT_OK;
}

int64_t dt_allreduce_take_sent_bytes(dt_allreduce *a) {
    const int64_t bytes = a->executor.sent_bytes;
    a->executor.sent_bytes = 0;
    return bytes;
}
