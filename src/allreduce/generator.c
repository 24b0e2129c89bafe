/* Which algorithm a job takes, and who writes its schedules. */
#include "allreduce/generator.h"

#include <stdbool.h>

#include "allreduce/flat.h"
#include "base/assert.h"

/* ---- the algorithms ---- */

static void write_flat(const dt_generator *g, int64_t count, dt_schedule *schedule) {
    dt_flat_write(schedule, &(dt_flat){.partition = &g->partition,
                                       .self = g->rank,
                                       .nodes = g->own,
                                       .sum = {DT_ARRAY_SUM, 0},
                                       .count = count,
                                       .form = g->job.form});
}

static void write_hierarchical(const dt_generator *g, int64_t count, dt_schedule *schedule) {
    dt_hierarchical_write(schedule, &g->hierarchical, g->job.form, count);
}

/* The rank's own nodes in one, in any order, and then the library's sum: whole also where a part of it would
 * do, since only the library's own allreduce adds as its allreduce does. Nothing is added in an allgather. */
static void write_library(const dt_generator *g, int64_t count, dt_schedule *schedule) {
    const dt_operand workspace = {DT_ARRAY_WORKSPACE, 0};
    if (g->job.form == DT_FORM_ALLGATHER) {
        write_flat(g, count, schedule);
        return;
    }
    dt_schedule_copy(schedule, workspace, g->own[0], count);
    for (int64_t i = 1; i < dt_partition_nodes(&g->partition, g->rank); i++)
        dt_schedule_add(schedule, workspace, workspace, g->own[i], count);
    dt_schedule_library(schedule, (dt_operand){DT_ARRAY_SUM, 0}, workspace, count);
}

static void (*const writers[])(const dt_generator *, int64_t, dt_schedule *) = {
    [DT_ALGORITHM_FLAT] = write_flat,
    [DT_ALGORITHM_HIERARCHICAL] = write_hierarchical,
    [DT_ALGORITHM_LIBRARY] = write_library,
};

dt_status dt_generator_choose(const dt_generator_job *job, dt_algorithm *algorithm) {
    DT_ASSERT(job->size > 0 && job->hosts >= 0 && job->hosts <= job->size);
    *algorithm = job->algorithm;
    if (job->algorithm != DT_ALGORITHM_AUTO && job->algorithm != DT_ALGORITHM_HIERARCHICAL)
        return DT_OK;
    const bool layered = 1 < job->hosts && job->hosts < job->size;
    if (job->size == 1 || (job->algorithm == DT_ALGORITHM_AUTO && !layered)) {
        *algorithm = DT_ALGORITHM_FLAT;
        return DT_OK;
    }
    if (job->hosts == 0)
        return dt_usage("allreduce: hierarchical needs the ranks of each host to follow each other, and here "
                        "they are dealt out in turns; launch with mpirun --map-by slot or srun "
                        "--distribution=block, or use allreduce: flat");
    *algorithm = DT_ALGORITHM_HIERARCHICAL;
    return DT_OK;
}

/* ---- one rank after another ---- */

dt_status dt_generator_set_rank(dt_generator *g, int rank) {
    DT_ASSERT(rank >= 0 && rank < g->job.size);
    const dt_generator_job *job = &g->job;
    g->rank = g->host_first = rank;
    g->host_end = rank + 1;
    for (int h = 0; h < job->hosts; h++)
        if (job->starts[h] <= rank && rank < job->starts[h + 1]) {
            g->host_first = job->starts[h];
            g->host_end = job->starts[h + 1];
        }
    dt_hierarchical_free(&g->hierarchical);
    return job->algorithm == DT_ALGORITHM_HIERARCHICAL
               ? dt_hierarchical_create(&g->hierarchical, job->micro_batches, job->size, rank, job->starts,
                                        job->hosts)
               : DT_OK;
}

dt_status dt_generator_create(dt_generator *g, const dt_generator_job *job, int rank) {
    *g = (dt_generator){.job = *job};
    for (int i = 0; i < DT_TREE_COVER_MAX; i++)
        g->own[i] = (dt_operand){DT_ARRAY_OWN + i, 0};
    DT_TRY(dt_tree_expect_ranks(job->size, job->micro_batches));
    DT_TRY(dt_generator_choose(job, &g->job.algorithm));
    DT_TRY(dt_partition_create(&g->partition, job->micro_batches, job->size, 0, NULL, job->size));
    return dt_generator_set_rank(g, rank);
}

void dt_generator_free(dt_generator *g) {
    dt_hierarchical_free(&g->hierarchical);
    dt_partition_free(&g->partition);
}

void dt_generator_write(const dt_generator *g, int64_t count, dt_schedule *schedule) {
    DT_ASSERT(count >= 0 && count % DT_MEMORY_ALIGN_FLOATS == 0);
    schedule->host_first = g->host_first;
    schedule->host_end = g->host_end;
    dt_schedule_clear(schedule);
    if (g->job.size > 1)
        writers[g->job.algorithm](g, count, schedule);
}

dt_slice dt_generator_piece(const dt_generator *g, int64_t count) {
    const dt_form form = g->job.form;
    if (g->job.size == 1 || form == DT_FORM_ALLREDUCE)
        return (dt_slice){0, count};
    if (g->job.algorithm == DT_ALGORITHM_HIERARCHICAL)
        return dt_hierarchical_piece(&g->hierarchical, form, count);
    return dt_flat_piece(
        &(dt_flat){.partition = &g->partition, .self = g->rank, .count = count, .form = form});
}

/* ---- what schedules take ---- */

void dt_generator_raise_needs(const dt_generator *g, int64_t count, dt_schedule_needs *needs) {
    dt_schedule dry_run = {0};
    dt_generator_write(g, count, &dry_run);
    dt_schedule_raise_needs(needs, &dry_run);
}

int dt_generator_slots(int64_t buckets) {
    DT_ASSERT(buckets >= 0);
    return buckets < DT_SLOTS_MAX ? (int)buckets : DT_SLOTS_MAX;
}

int64_t dt_generator_arrays(const dt_generator *g) {
    const bool shared = g->job.algorithm == DT_ALGORITHM_HIERARCHICAL;
    return DT_ARRAY_SHARED + (shared ? dt_partition_all_nodes(&g->hierarchical.inside) : 0);
}

int64_t dt_generator_shared_nodes(const dt_generator *g, int local) {
    DT_ASSERT(local >= 0);
    return g->job.algorithm == DT_ALGORITHM_HIERARCHICAL && g->job.form != DT_FORM_ALLGATHER
               ? dt_partition_nodes(&g->hierarchical.inside, local)
               : 0;
}

int64_t dt_generator_shared_floats(const dt_generator *g, int local, int64_t longest) {
    DT_ASSERT(local >= 0 && longest >= 0);
    if (g->job.algorithm != DT_ALGORITHM_HIERARCHICAL)
        return 0;
    const bool holds_results = local == 0 && g->job.form != DT_FORM_REDUCE_SCATTER;
    return (dt_generator_shared_nodes(g, local) + holds_results) * longest;
}

int64_t dt_generator_bytes(const dt_generator *g, const dt_schedule_needs *needs, int64_t longest, int slots,
                           dt_dtype dtype) {
    DT_ASSERT(slots >= 0 && slots <= DT_SLOTS_MAX);
    const int64_t shared = dt_generator_shared_floats(g, g->rank - g->host_first, longest);
    const int64_t packed = dtype == DT_DTYPE_FP32 ? 0 : needs->travelling_floats;
    return slots * ((needs->workspace_floats + shared) * (int64_t)sizeof(float) +
                    packed * (int64_t)dt_dtype_bytes(dtype));
}
