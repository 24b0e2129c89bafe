/* Covers and additions of all members, worked out once. Which messages follow from them is flat.c's. */
#include "allreduce/partition.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"

/* Where a partition's members stand among the ranks. */
typedef struct seating {
    int64_t micro_batches;
    int size, first_rank;
    const int *starts;
} seating;

static int cover_of(const seating *at, int member, dt_tree_node cover[DT_TREE_COVER_MAX]) {
    const int first_rank = at->first_rank + (at->starts ? at->starts[member] : member);
    const int end_rank = at->first_rank + (at->starts ? at->starts[member + 1] : member + 1);
    int64_t first, end, unused;
    dt_tree_run(at->micro_batches, first_rank, at->size, &first, &unused);
    dt_tree_run(at->micro_batches, end_rank - 1, at->size, &unused, &end);
    return dt_tree_cover(at->micro_batches, first, end, cover);
}

dt_status dt_partition_create(dt_partition *partition, int64_t micro_batches, int size, int first_rank,
                              const int *starts, int members) {
    DT_ASSERT(members > 0 && first_rank >= 0 && size <= micro_batches);
    DT_ASSERT(first_rank + (starts ? starts[members] : members) <= size);
    const char *what = "the partition of the allreduce";
    const seating at = {micro_batches, size, first_rank, starts};
    dt_tree_node cover[DT_TREE_COVER_MAX];
    *partition = (dt_partition){.members = members};
    partition->node_starts = dt_memory_alloc(members + 1, sizeof *partition->node_starts, what);
    if (partition->node_starts == NULL)
        return DT_FAILED;
    for (int m = 0; m < members; m++)
        partition->node_starts[m + 1] = partition->node_starts[m] + cover_of(&at, m, cover);

    const int64_t count = dt_partition_all_nodes(partition);
    partition->nodes = dt_memory_alloc(count, sizeof *partition->nodes, what);
    partition->adds = dt_memory_alloc(count, sizeof *partition->adds, what);
    if (partition->nodes == NULL || partition->adds == NULL)
        return DT_FAILED;
    for (int m = 0; m < members; m++) {
        const int covered = cover_of(&at, m, cover);
        memcpy(partition->nodes + partition->node_starts[m], cover, (size_t)covered * sizeof *cover);
    }
    partition->add_count = dt_tree_adds(micro_batches, partition->nodes, count, partition->adds);
    return DT_OK;
}

void dt_partition_free(dt_partition *partition) {
    dt_memory_free(partition->node_starts);
    dt_memory_free(partition->nodes);
    dt_memory_free(partition->adds);
    *partition = (dt_partition){0};
}

int64_t dt_partition_nodes(const dt_partition *partition, int member) {
    DT_ASSERT(member >= 0 && member < partition->members);
    return partition->node_starts[member + 1] - partition->node_starts[member];
}

int64_t dt_partition_all_nodes(const dt_partition *partition) {
    return partition->node_starts[partition->members];
}

bool dt_partition_is_perfect(const dt_partition *partition) {
    const int members = partition->members;
    const dt_tree_node *node = partition->nodes;
    bool perfect = (members & (members - 1)) == 0 && dt_partition_all_nodes(partition) == members;
    for (int m = 0; perfect && m < members; m++)
        perfect = node[m].end - node[m].first == node[0].end - node[0].first;
    return perfect;
}

dt_slice dt_partition_slice(int64_t count, int64_t unit, int index, int slices) {
    DT_ASSERT(count >= 0 && count % DT_MEMORY_ALIGN_FLOATS == 0 && index >= 0 && index < slices);
    DT_ASSERT(unit > 0 && unit % DT_MEMORY_ALIGN_FLOATS == 0);
    int64_t first, end;
    dt_tree_run((count + unit - 1) / unit, index, slices, &first, &end);
    first = dt_min(first * unit, count);
    return (dt_slice){.first = first, .count = dt_min(end * unit, count) - first};
}
