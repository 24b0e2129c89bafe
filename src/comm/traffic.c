/* Dry runs of the programs that exchange.c and hierarchy.c write. */
#include "comm/traffic.h"

#include "base/memory.h"
#include "comm/deal.h"
#include "comm/exchange.h"
#include "comm/hierarchy.h"
#include "comm/runner.h"

/* So many ranks are looked at one by one. */
#define RANKS_COUNTED 512

/* Everything that programs of a job are written from. */
typedef struct writer {
    const dt_traffic_job *job;
    dt_reduce_way way;
    int hosts;
    int *starts; /* [hosts + 1] */
    dt_deal deal;
    dt_operand own[DT_TREE_COVER_MAX];
} writer;

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

dt_reduce_way dt_traffic_way(const dt_traffic_job *job) {
    if (job->ranks == 1 || (job->way != DT_REDUCE_HIERARCHICAL && job->way != DT_REDUCE_AUTO))
        return job->way == DT_REDUCE_LIBRARY ? DT_REDUCE_LIBRARY : DT_REDUCE_FLAT;
    const bool layered = job->host_ranks > 1 && job->host_ranks < job->ranks;
    return layered || job->way == DT_REDUCE_HIERARCHICAL ? DT_REDUCE_HIERARCHICAL : DT_REDUCE_FLAT;
}

static dt_status open_writer(writer *w, const dt_traffic_job *job) {
    *w = (writer){.job = job, .way = dt_traffic_way(job)};
    w->hosts = (job->ranks + job->host_ranks - 1) / job->host_ranks;
    w->starts = dt_memory_alloc(w->hosts + 1, sizeof *w->starts, "the hosts of a plan");
    if (w->starts == NULL)
        return DT_FAILED;
    for (int h = 0; h <= w->hosts; h++)
        w->starts[h] = smaller(h * job->host_ranks, job->ranks);
    for (int i = 0; i < DT_TREE_COVER_MAX; i++)
        w->own[i] = (dt_operand){DT_ARRAY_OWN + i, 0};
    return dt_deal_make(&w->deal, job->leaves, job->ranks, 0, NULL, job->ranks);
}

static void close_writer(writer *w) {
    dt_memory_free(w->starts);
    dt_deal_drop(&w->deal);
}

/* What rank `rank` writes programs from, beside the writer. */
static dt_status open_rank(const writer *w, int rank, dt_hierarchy *hierarchy) {
    *hierarchy = (dt_hierarchy){0};
    return w->way == DT_REDUCE_HIERARCHICAL
               ? dt_hierarchy_make(hierarchy, w->job->leaves, w->job->ranks, rank, w->starts, w->hosts)
               : DT_OK;
}

static void write_program(const writer *w, const dt_hierarchy *hierarchy, int rank, int64_t count,
                          dt_program *program) {
    const int host = rank / w->job->host_ranks;
    *program = (dt_program){.host_first = w->starts[host], .host_end = w->starts[host + 1]};
    if (w->way == DT_REDUCE_HIERARCHICAL)
        dt_hierarchy_write(program, hierarchy, count);
    else
        dt_exchange_write(
            program,
            &(dt_exchange){
                .deal = &w->deal, .self = rank, .nodes = w->own, .sum = {DT_ARRAY_SUM, 0}, .count = count});
}

/* The sum of a rank's buckets would be as good as each; hosts' bytes are added up by the caller. */
static dt_traffic traffic_of(const writer *w, const dt_program *program) {
    const dt_program_work *work = &program->work;
    const int64_t bytes = (int64_t)dt_number_bytes(w->job->number);
    return (dt_traffic){
        .messages = work->messages,
        .inside_bytes = bytes * larger(work->sent_floats - work->crossing_sent_floats,
                                       work->received_floats - work->crossing_received_floats),
        .sent_bytes = bytes * work->sent_floats,
        .received_bytes = bytes * work->received_floats,
        .host_sent_bytes = bytes * work->crossing_sent_floats,
        .host_received_bytes = bytes * work->crossing_received_floats,
        .added_floats = work->added_floats,
        .copied_floats = work->copied_floats,
        .packed_floats = w->job->number == DT_NUMBER_FP32 ? 0 : work->sent_floats + work->received_floats};
}

/* Memory that buckets of at most `longest` floats take on a rank, its part of the host's shared memory
 * included. */
static int64_t room_of(const writer *w, const dt_hierarchy *h, int rank, int64_t longest, int64_t buckets) {
    dt_program program;
    write_program(w, h, rank, longest, &program);
    const int64_t places = buckets < DT_RUNNER_PLACES ? buckets : DT_RUNNER_PLACES;
    const int64_t shared = w->way == DT_REDUCE_HIERARCHICAL
                               ? (dt_deal_nodes(&h->inside, h->local) + (h->local == 0)) * longest
                               : 0;
    const int64_t room = w->way == DT_REDUCE_LIBRARY && w->job->ranks > 1 ? longest : program.room_floats;
    const int64_t packed = w->job->number == DT_NUMBER_FP32 ? 0 : program.travelling_most;
    return places *
           ((room + shared) * (int64_t)sizeof(float) + packed * (int64_t)dt_number_bytes(w->job->number));
}

/* Adds one rank to the busiest, and its crossing bytes to its host's. */
static dt_status count_rank(const writer *w, int rank, const int64_t *bounds, int64_t buckets,
                            dt_traffic *busiest, dt_traffic *host, int64_t *room_bytes) {
    dt_hierarchy hierarchy;
    dt_program program;
    dt_traffic here = {0};
    int64_t longest = 0;
    const dt_status status = open_rank(w, rank, &hierarchy);
    for (int64_t b = 0, before = -1; status == DT_OK && b < buckets; b++) {
        const int64_t count = bounds[b + 1] - bounds[b];
        if (count != before) {
            write_program(w, &hierarchy, rank, count, &program);
            here = traffic_of(w, &program);
            before = count;
        }
        longest = larger(longest, count);
        busiest[b].messages = larger(busiest[b].messages, here.messages);
        busiest[b].sent_bytes = larger(busiest[b].sent_bytes, here.sent_bytes);
        busiest[b].received_bytes = larger(busiest[b].received_bytes, here.received_bytes);
        busiest[b].inside_bytes = larger(busiest[b].inside_bytes, here.inside_bytes);
        busiest[b].added_floats = larger(busiest[b].added_floats, here.added_floats);
        busiest[b].copied_floats = larger(busiest[b].copied_floats, here.copied_floats);
        busiest[b].packed_floats = larger(busiest[b].packed_floats, here.packed_floats);
        host[b].host_sent_bytes += here.host_sent_bytes;
        host[b].host_received_bytes += here.host_received_bytes;
    }
    if (status == DT_OK && room_bytes)
        *room_bytes = larger(*room_bytes, room_of(w, &hierarchy, rank, longest, buckets));
    dt_hierarchy_drop(&hierarchy);
    return status;
}

static dt_status count_host(const writer *w, int host, const int64_t *bounds, int64_t buckets,
                            dt_traffic *busiest, dt_traffic *sum, int64_t *room_bytes) {
    for (int64_t b = 0; b < buckets; b++)
        sum[b] = (dt_traffic){0};
    for (int r = w->starts[host]; r < w->starts[host + 1]; r++)
        DT_TRY(count_rank(w, r, bounds, buckets, busiest, sum, room_bytes));
    for (int64_t b = 0; b < buckets; b++) {
        busiest[b].host_sent_bytes = larger(busiest[b].host_sent_bytes, sum[b].host_sent_bytes);
        busiest[b].host_received_bytes = larger(busiest[b].host_received_bytes, sum[b].host_received_bytes);
    }
    return DT_OK;
}

dt_status dt_traffic_busiest(const dt_traffic_job *job, const int64_t *bounds, int64_t buckets,
                             dt_traffic *busiest, int64_t *room_bytes) {
    writer w;
    dt_traffic *sum = dt_memory_alloc(buckets, sizeof *sum, "the traffic of a host");
    dt_status status = open_writer(&w, job);
    if (sum == NULL)
        status = DT_FAILED;
    for (int64_t b = 0; b < buckets; b++)
        busiest[b] = (dt_traffic){0};
    if (room_bytes)
        *room_bytes = 0;
    const int wanted = RANKS_COUNTED / job->host_ranks > 1 ? RANKS_COUNTED / job->host_ranks : 1;
    const int stride = (w.hosts + wanted - 1) / wanted;
    for (int h = 0; status == DT_OK && h < w.hosts; h += stride)
        status = count_host(&w, h, bounds, buckets, busiest, sum, room_bytes);
    close_writer(&w);
    dt_memory_free(sum);
    return status;
}

/* Both, for one rank of a job. */
static dt_status open_rank_alone(writer *w, const dt_traffic_job *job, int rank, dt_hierarchy *hierarchy) {
    *hierarchy = (dt_hierarchy){0};
    DT_TRY(open_writer(w, job));
    return open_rank(w, rank, hierarchy);
}

dt_status dt_traffic_room_bytes(const dt_traffic_job *job, int rank, int64_t longest, int64_t buckets,
                                int64_t *bytes) {
    writer w;
    dt_hierarchy hierarchy;
    const dt_status status = open_rank_alone(&w, job, rank, &hierarchy);
    if (status == DT_OK)
        *bytes = room_of(&w, &hierarchy, rank, longest, buckets);
    dt_hierarchy_drop(&hierarchy);
    close_writer(&w);
    return status;
}

dt_status dt_traffic_of_rank(const dt_traffic_job *job, int rank, const int64_t *bounds, int64_t buckets,
                             dt_traffic *total) {
    writer w;
    dt_hierarchy hierarchy;
    dt_program program;
    *total = (dt_traffic){0};
    dt_status status = open_rank_alone(&w, job, rank, &hierarchy);
    for (int64_t b = 0; status == DT_OK && b < buckets; b++) {
        write_program(&w, &hierarchy, rank, bounds[b + 1] - bounds[b], &program);
        const dt_traffic here = traffic_of(&w, &program);
        total->messages += here.messages;
        total->sent_bytes += here.sent_bytes;
        total->received_bytes += here.received_bytes;
        total->inside_bytes += here.inside_bytes;
        total->added_floats += here.added_floats;
        total->copied_floats += here.copied_floats;
        total->packed_floats += here.packed_floats;
    }
    dt_hierarchy_drop(&hierarchy);
    close_writer(&w);
    return status;
}
