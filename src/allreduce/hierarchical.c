/* The four stages of the header. What a section's ranks exchange is flat.c's. */
#include "allreduce/hierarchical.h"

#include "allreduce/flat.h"
#include "base/assert.h"
#include "base/memory.h"

static int find_host(int rank, const int *starts, int hosts) {
    int host = 0;
    while (host < hosts - 1 && starts[host + 1] <= rank)
        host++;
    return host;
}

/* The first of the host's nodes in shared memory that is this rank's: DT_ARRAY_SHARED + this. */
static int64_t own_node(const dt_hierarchical *h) {
    return h->inside.node_starts[h->local];
}

/* Where node `node` of the host's ranks stands for this rank: its own need no copy. */
static dt_operand node_operand(const dt_hierarchical *h, int64_t node) {
    const int64_t own = node - own_node(h);
    const bool is_own = 0 <= own && own < dt_partition_nodes(&h->inside, h->local);
    return (dt_operand){is_own ? DT_ARRAY_OWN + (int)own : DT_ARRAY_SHARED + (int)node, 0};
}

/* A node of the cover stands where the first of the ranks' nodes inside it was: dt_tree_adds puts it there.
 */
static void find_nodes(dt_hierarchical *h) {
    const dt_tree_node *cover = h->between.nodes + h->between.node_starts[h->host];
    for (int64_t c = 0, node = 0; c < dt_partition_nodes(&h->between, h->host); c++) {
        while (h->inside.nodes[node].first != cover[c].first)
            node++;
        h->nodes[c] = node_operand(h, node);
    }
}

dt_status dt_hierarchical_create(dt_hierarchical *h, int64_t micro_batches, int size, int rank,
                                 const int *starts, int hosts) {
    DT_ASSERT(hosts > 0 && starts[0] == 0 && starts[hosts] == size && rank >= 0 && rank < size);
    *h = (dt_hierarchical){.hosts = hosts, .host = find_host(rank, starts, hosts), .sections = size};
    h->local = rank - starts[h->host];
    h->ranks = starts[h->host + 1] - starts[h->host];
    h->section_ranks = dt_memory_alloc(hosts, sizeof *h->section_ranks, "the ranks of a section");
    if (h->section_ranks == NULL)
        return DT_FAILED;
    for (int i = 0; i < hosts; i++) {
        const int ranks = starts[i + 1] - starts[i];
        h->sections = ranks < h->sections ? ranks : h->sections;
        h->section_ranks[i] = starts[i] + h->local;
    }
    DT_TRY(dt_partition_create(&h->inside, micro_batches, size, starts[h->host], NULL, h->ranks));
    DT_TRY(dt_partition_create(&h->between, micro_batches, size, 0, starts, hosts));
    find_nodes(h);
    return DT_OK;
}

void dt_hierarchical_free(dt_hierarchical *h) {
    dt_memory_free(h->section_ranks);
    dt_partition_free(&h->inside);
    dt_partition_free(&h->between);
    *h = (dt_hierarchical){0};
}

/* All of this rank's nodes but the section that it adds up itself. */
static void copy_in(dt_schedule *schedule, const dt_hierarchical *h, dt_slice section, int64_t count) {
    const int64_t end = section.first + section.count;
    for (int64_t i = 0; i < dt_partition_nodes(&h->inside, h->local); i++) {
        const dt_operand own = {DT_ARRAY_OWN + (int)i, 0},
                         shared = {DT_ARRAY_SHARED + (int)(own_node(h) + i), 0};
        dt_schedule_copy(schedule, shared, own, section.first);
        dt_schedule_copy(schedule, dt_schedule_at(shared, end), dt_schedule_at(own, end), count - end);
    }
}

/* The host's additions in one section; on a single host the last of them makes the root. */
static void add_section(dt_schedule *schedule, const dt_hierarchical *h, dt_slice section,
                        dt_operand result) {
    for (int64_t i = 0; i < h->inside.add_count; i++) {
        const dt_operand into = dt_schedule_at(node_operand(h, h->inside.adds[i].into), section.first),
                         from = dt_schedule_at(node_operand(h, h->inside.adds[i].from), section.first);
        const bool last = h->hosts == 1 && i == h->inside.add_count - 1;
        dt_schedule_add(schedule, last ? result : into, into, from, section.count);
    }
}

/* What the rank does in its section with those of the other hosts, where there are any. */
static dt_flat crossing(const dt_hierarchical *h, dt_form form, dt_slice section) {
    return (dt_flat){.partition = &h->between,
                     .self = h->host,
                     .ranks = h->section_ranks,
                     .count = section.count,
                     .form = form};
}

static void cross(dt_schedule *schedule, const dt_hierarchical *h, dt_form form, dt_slice section,
                  dt_operand result) {
    dt_operand nodes[DT_TREE_COVER_MAX];
    dt_flat f = crossing(h, form, section);
    for (int64_t c = 0; c < dt_partition_nodes(&h->between, h->host); c++)
        nodes[c] = dt_schedule_at(h->nodes[c], section.first);
    f.nodes = nodes;
    f.sum = result;
    dt_flat_write(schedule, &f);
}

/* None where the host has more ranks than there are sections. */
static dt_slice own_section(const dt_hierarchical *h, dt_form form, int64_t count) {
    return h->local < h->sections ? dt_partition_slice(count, dt_form_unit(form), h->local, h->sections)
                                  : (dt_slice){0, 0};
}

dt_slice dt_hierarchical_piece(const dt_hierarchical *h, dt_form form, int64_t count) {
    const dt_slice section = own_section(h, form, count);
    const dt_flat f = crossing(h, form, section);
    const dt_slice piece = h->hosts > 1 ? dt_flat_piece(&f) : (dt_slice){0, section.count};
    return (dt_slice){section.first + piece.first, piece.count};
}

/* The sums of the rank's section, whole or its own part of them. */
static void write_sums(dt_schedule *schedule, const dt_hierarchical *h, dt_form form, int64_t count) {
    const dt_slice section = own_section(h, form, count);
    const dt_operand result = {form == DT_FORM_ALLREDUCE ? DT_ARRAY_RESULT : DT_ARRAY_SUM, section.first};
    copy_in(schedule, h, section, count);
    dt_schedule_host_barrier(schedule);
    if (h->local < h->sections) {
        add_section(schedule, h, section, result);
        if (h->hosts > 1)
            cross(schedule, h, form, section, result);
    }
    /* What others still read must not be written by the next bucket. */
    dt_schedule_host_barrier(schedule);
}

static void write_gather(dt_schedule *schedule, const dt_hierarchical *h, int64_t count) {
    const dt_slice section = own_section(h, DT_FORM_ALLGATHER, count),
                   piece = dt_hierarchical_piece(h, DT_FORM_ALLGATHER, count);
    const dt_operand result = {DT_ARRAY_RESULT, 0}, sum = {DT_ARRAY_SUM, 0};
    const int64_t end = piece.first + piece.count;
    dt_schedule_copy(schedule, dt_schedule_at(result, piece.first), dt_schedule_at(sum, piece.first),
                     piece.count);
    if (h->local < h->sections && h->hosts > 1)
        cross(schedule, h, DT_FORM_ALLGATHER, section, dt_schedule_at(result, section.first));
    dt_schedule_host_barrier(schedule);
    dt_schedule_copy(schedule, sum, result, piece.first);
    dt_schedule_copy(schedule, dt_schedule_at(sum, end), dt_schedule_at(result, end), count - end);
    dt_schedule_host_barrier(schedule);
}

void dt_hierarchical_write(dt_schedule *schedule, const dt_hierarchical *h, dt_form form, int64_t count) {
    DT_ASSERT(count >= 0 && count % DT_MEMORY_ALIGN_FLOATS == 0);
    if (form == DT_FORM_ALLGATHER) {
        write_gather(schedule, h, count);
        return;
    }
    write_sums(schedule, h, form, count);
    if (form == DT_FORM_ALLREDUCE)
        dt_schedule_copy(schedule, (dt_operand){DT_ARRAY_SUM, 0}, (dt_operand){DT_ARRAY_RESULT, 0}, count);
}
