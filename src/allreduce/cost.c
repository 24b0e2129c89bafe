/* Dry runs of the schedules that generator.c writes, and the times that a model makes of what they count. */
#include "allreduce/cost.h"

#include "allreduce/buckets.h"
#include "allreduce/generator.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/narrow.h"

/* So many ranks are looked at one by one. */
#define RANKS_COUNTED 512

/* ---- counting ---- */

/* A job's generators and what they read. Memory and messages are two: the library's own are not known, so its
 * messages are those of a flat allreduce. */
typedef struct dry_run {
    const dt_cost_job *job;
    int hosts, *starts; /* [hosts + 1] */
    dt_generator memory, messages;
} dry_run;

static dt_generator_job generator_job(const dt_cost_job *job, int hosts, const int *starts) {
    return (dt_generator_job){.size = job->ranks,
                              .hosts = hosts,
                              .starts = starts,
                              .micro_batches = job->micro_batches,
                              .algorithm = job->algorithm,
                              .form = job->form};
}

static int count_hosts(const dt_cost_job *job) {
    DT_ASSERT(job->ranks > 0 && job->host_ranks > 0);
    return (job->ranks + job->host_ranks - 1) / job->host_ranks;
}

dt_algorithm dt_cost_algorithm(const dt_cost_job *job) {
    const dt_generator_job asked = generator_job(job, count_hosts(job), NULL);
    dt_algorithm algorithm = job->algorithm;
    (void)dt_generator_choose(&asked, &algorithm); /* the hosts are known, so it cannot fail */
    return algorithm;
}

static dt_status create_dry_run(dry_run *d, const dt_cost_job *job, int rank) {
    *d = (dry_run){.job = job, .hosts = count_hosts(job)};
    d->starts = dt_memory_alloc(d->hosts + 1, sizeof *d->starts, "the hosts of a job");
    if (d->starts == NULL)
        return DT_FAILED;
    for (int h = 0; h <= d->hosts; h++)
        d->starts[h] = dt_narrow(dt_min(h * job->host_ranks, job->ranks));
    dt_generator_job planned = generator_job(job, d->hosts, d->starts);
    DT_TRY(dt_generator_create(&d->memory, &planned, rank));
    if (planned.algorithm == DT_ALGORITHM_LIBRARY)
        planned.algorithm = DT_ALGORITHM_FLAT;
    return dt_generator_create(&d->messages, &planned, rank);
}

static void free_dry_run(dry_run *d) {
    dt_generator_free(&d->memory);
    dt_generator_free(&d->messages);
    dt_memory_free(d->starts);
}

static dt_status set_rank(dry_run *d, int rank) {
    DT_TRY(dt_generator_set_rank(&d->memory, rank));
    return dt_generator_set_rank(&d->messages, rank);
}

/* A rank's work for a bucket; its crossing bytes stand as its host's, which the caller adds up. */
static dt_cost_traffic traffic_of(const dry_run *d, int64_t count) {
    dt_schedule schedule = {0};
    dt_generator_write(&d->messages, count, &schedule);
    const dt_schedule_work *work = &schedule.work;
    const int64_t bytes = (int64_t)dt_dtype_bytes(d->job->dtype);
    return (dt_cost_traffic){
        .messages = work->messages,
        .inside_bytes = bytes * dt_max(work->sent_floats - work->crossing_sent_floats,
                                       work->received_floats - work->crossing_received_floats),
        .sent_bytes = bytes * work->sent_floats,
        .received_bytes = bytes * work->received_floats,
        .host_sent_bytes = bytes * work->crossing_sent_floats,
        .host_received_bytes = bytes * work->crossing_received_floats,
        .added_floats = work->added_floats,
        .copied_floats = work->copied_floats,
        .packed_floats = d->job->dtype == DT_DTYPE_FP32 ? 0 : work->sent_floats + work->received_floats};
}

static void raise_traffic(dt_cost_traffic *max, const dt_cost_traffic *one) {
    max->messages = dt_max(max->messages, one->messages);
    max->sent_bytes = dt_max(max->sent_bytes, one->sent_bytes);
    max->received_bytes = dt_max(max->received_bytes, one->received_bytes);
    max->inside_bytes = dt_max(max->inside_bytes, one->inside_bytes);
    max->host_sent_bytes = dt_max(max->host_sent_bytes, one->host_sent_bytes);
    max->host_received_bytes = dt_max(max->host_received_bytes, one->host_received_bytes);
    max->added_floats = dt_max(max->added_floats, one->added_floats);
    max->copied_floats = dt_max(max->copied_floats, one->copied_floats);
    max->packed_floats = dt_max(max->packed_floats, one->packed_floats);
}

/* Adds one rank to the busiest, and its crossing bytes to its host's. */
static dt_status count_rank(dry_run *d, int rank, const int64_t *bounds, int64_t buckets,
                            dt_cost_traffic *busiest, dt_cost_traffic *host, int64_t *workspace_bytes) {
    dt_schedule_needs needs = {0};
    dt_cost_traffic here = {0};
    int64_t longest = 0;
    DT_TRY(set_rank(d, rank));
    for (int64_t b = 0, before = -1; b < buckets; b++) {
        const int64_t count = bounds[b + 1] - bounds[b];
        if (count != before) {
            here = traffic_of(d, count);
            dt_generator_raise_needs(&d->memory, count, &needs);
        }
        before = count;
        longest = dt_max(longest, count);
        host[b].host_sent_bytes += here.host_sent_bytes;
        host[b].host_received_bytes += here.host_received_bytes;
        const dt_cost_traffic without_host = {.messages = here.messages,
                                              .sent_bytes = here.sent_bytes,
                                              .received_bytes = here.received_bytes,
                                              .inside_bytes = here.inside_bytes,
                                              .added_floats = here.added_floats,
                                              .copied_floats = here.copied_floats,
                                              .packed_floats = here.packed_floats};
        raise_traffic(&busiest[b], &without_host);
    }
    *workspace_bytes =
        dt_max(*workspace_bytes,
               dt_generator_bytes(&d->memory, &needs, longest, dt_generator_slots(buckets), d->job->dtype));
    return DT_OK;
}

static dt_status count_host(dry_run *d, int host, const int64_t *bounds, int64_t buckets,
                            dt_cost_traffic *busiest, dt_cost_traffic *sum, int64_t *workspace_bytes) {
    for (int64_t b = 0; b < buckets; b++)
        sum[b] = (dt_cost_traffic){0};
    for (int r = d->starts[host]; r < d->starts[host + 1]; r++)
        DT_TRY(count_rank(d, r, bounds, buckets, busiest, sum, workspace_bytes));
    for (int64_t b = 0; b < buckets; b++)
        raise_traffic(&busiest[b], &sum[b]);
    return DT_OK;
}

dt_status dt_cost_busiest(const dt_cost_job *job, const int64_t *bounds, int64_t buckets,
                          dt_cost_traffic *busiest, int64_t *workspace_bytes) {
    DT_ASSERT(job->ranks <= job->micro_batches && buckets >= 0);
    dry_run d = {0};
    int64_t bytes = 0;
    dt_cost_traffic *sum = dt_memory_alloc(buckets, sizeof *sum, "the traffic of a host");
    dt_status status = sum ? create_dry_run(&d, job, 0) : DT_FAILED;
    for (int64_t b = 0; b < buckets; b++)
        busiest[b] = (dt_cost_traffic){0};
    const int wanted = RANKS_COUNTED / job->host_ranks > 1 ? RANKS_COUNTED / job->host_ranks : 1;
    const int stride = (d.hosts + wanted - 1) / wanted;
    for (int h = 0; status == DT_OK && h < d.hosts; h += stride)
        status = count_host(&d, h, bounds, buckets, busiest, sum, &bytes);
    if (workspace_bytes)
        *workspace_bytes = bytes;
    free_dry_run(&d);
    dt_memory_free(sum);
    return status;
}

dt_status dt_cost_workspace_bytes(const dt_cost_job *job, int rank, int64_t longest, int64_t last,
                                  int64_t buckets, int64_t *bytes) {
    DT_ASSERT(rank >= 0 && rank < job->ranks && last <= longest && buckets >= 0);
    dry_run d;
    dt_schedule_needs needs = {0};
    const dt_status status = create_dry_run(&d, job, rank);
    if (status == DT_OK) {
        dt_generator_raise_needs(&d.memory, longest, &needs);
        dt_generator_raise_needs(&d.memory, last, &needs);
        *bytes = dt_generator_bytes(&d.memory, &needs, longest, dt_generator_slots(buckets), job->dtype);
    }
    free_dry_run(&d);
    return status;
}

dt_status dt_cost_own_floats(const dt_cost_job *job, int rank, int64_t elements, int64_t bucket_floats,
                             int64_t *floats) {
    DT_ASSERT(rank >= 0 && rank < job->ranks);
    const int64_t buckets = dt_buckets_count(elements, bucket_floats);
    dt_cost_job halves = *job;
    dry_run d;
    halves.form = DT_FORM_ALLGATHER;
    const dt_status status = create_dry_run(&d, &halves, rank);
    if (status == DT_OK)
        *floats = (buckets - 1) * dt_generator_piece(&d.memory, bucket_floats).count +
                  dt_generator_piece(&d.memory, elements - (buckets - 1) * bucket_floats).count;
    free_dry_run(&d);
    return status;
}

dt_status dt_cost_of_rank(const dt_cost_job *job, int rank, const int64_t *bounds, int64_t buckets,
                          dt_cost_traffic *total) {
    DT_ASSERT(rank >= 0 && rank < job->ranks && buckets >= 0);
    dry_run d;
    *total = (dt_cost_traffic){0};
    const dt_status status = create_dry_run(&d, job, rank);
    for (int64_t b = 0; status == DT_OK && b < buckets; b++) {
        const dt_cost_traffic here = traffic_of(&d, bounds[b + 1] - bounds[b]);
        total->messages += here.messages;
        total->sent_bytes += here.sent_bytes;
        total->received_bytes += here.received_bytes;
        total->inside_bytes += here.inside_bytes;
        total->added_floats += here.added_floats;
        total->copied_floats += here.copied_floats;
        total->packed_floats += here.packed_floats;
    }
    free_dry_run(&d);
    return status;
}

/* ---- times ---- */

/* What a bucket costs on the network, and of a core beside it. */
typedef struct bucket_cost {
    double travel, cpu, core;
} bucket_cost;

static bucket_cost cost_of(const dt_cost_machine *m, const dt_cost_traffic *moved) {
    const int64_t crossing = dt_max(moved->host_sent_bytes, moved->host_received_bytes);
    const int64_t own = dt_max(moved->sent_bytes, moved->received_bytes) - moved->inside_bytes;
    const double latency = crossing > 0 ? m->link.latency_seconds : 0.0;
    const double inside = (double)moved->inside_bytes / m->inside.bandwidth_bytes +
                          (crossing > 0 ? 0.0 : (double)moved->messages * m->inside.latency_seconds);
    const double floats = (double)(moved->added_floats + moved->copied_floats + moved->packed_floats);
    bucket_cost cost = {.travel =
                            (double)moved->messages * latency + (double)crossing / m->link.bandwidth_bytes,
                        .cpu = m->threads_per_core * (double)own * m->link.cpu_seconds_per_byte,
                        .core = m->threads_per_core * (inside + floats * m->add_seconds)};
    /* Where cores are what limits the network, it has no time of its own. */
    cost.cpu = cost.cpu < cost.travel ? cost.cpu : cost.travel;
    return cost;
}

dt_cost_time dt_cost_time_of(const dt_cost_machine *machine, double backward_seconds, const int64_t *bounds,
                             int64_t buckets, const dt_cost_traffic *busiest) {
    DT_ASSERT(backward_seconds >= 0.0 && buckets >= 0 && machine->threads_per_core >= 1.0);
    dt_cost_time time = {0};
    double done = 0.0, core = 0.0;
    for (int64_t b = buckets - 1; b >= 0; b--) {
        const bucket_cost cost = cost_of(machine, &busiest[b]);
        const double ready = backward_seconds * (1.0 - (double)bounds[b] / (double)bounds[buckets]);
        done = (ready > done ? ready : done) + cost.travel - cost.cpu;
        core += cost.cpu + cost.core;
        time.total_seconds += cost.travel + cost.core;
    }
    time.exposed_seconds = done - backward_seconds + core;
    time.seen_seconds = done - backward_seconds + core / machine->threads_per_core;
    return time;
}
