/* Which nodes there are is worked out once; a norm is two sums along the tree, and one gathering between. */
#include "optim/shared_norm.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "comm/contract.h"
#include "optim/clip.h"

/* The chunks [first, end) of a piece: the last one of the vector may be shorter. */
static dt_tree_node chunks_of(dt_slice piece) {
    DT_ASSERT(piece.first % DT_CLIP_CHUNK == 0 || piece.count == 0);
    const int64_t first = piece.first / DT_CLIP_CHUNK;
    return (dt_tree_node){first, first + dt_clip_chunks(piece.count)};
}

/* The cover of rank `rank`'s piece of bucket `bucket`; returns how many nodes it has. */
static int cover_of(const dt_pieces *p, int rank, int64_t bucket, dt_tree_node cover[DT_TREE_COVER_MAX]) {
    const dt_tree_node chunks = chunks_of(dt_pieces_of(p, rank, bucket));
    return chunks.first == chunks.end
               ? 0
               : dt_tree_cover(dt_clip_chunks(p->elements), chunks.first, chunks.end, cover);
}

/* How many nodes each rank has; returns how many they are together. */
static int64_t count_nodes(dt_shared_norm *n) {
    const dt_pieces *p = n->pieces;
    dt_tree_node cover[DT_TREE_COVER_MAX];
    int64_t nodes = 0;
    for (int r = 0; r < p->size; r++) {
        n->counts[r] = 1;
        for (int64_t b = 0; b < p->buckets; b++)
            n->counts[r] += cover_of(p, r, b, cover);
        nodes += n->counts[r] - 1;
    }
    return nodes;
}

/* The ranks in the order of their pieces in a bucket, which is the same in all buckets. */
static void order_ranks(const dt_pieces *p, int *rank) {
    for (int r = 0; r < p->size; r++) {
        int at = r;
        for (; at > 0 && p->full[rank[at - 1]].first > p->full[r].first; at--)
            rank[at] = rank[at - 1];
        rank[at] = r;
    }
}

/* Where all nodes stand, from left to right. `next[r]` is where rank r's next stands among what is told. */
static void list_nodes(dt_shared_norm *n, const int *order, int64_t *next, dt_tree_node *node) {
    const dt_pieces *p = n->pieces;
    dt_tree_node cover[DT_TREE_COVER_MAX];
    int64_t listed = 0;
    for (int64_t b = 0; b < p->buckets; b++)
        for (int i = 0; i < p->size; i++) {
            const int count = cover_of(p, order[i], b, cover);
            for (int c = 0; c < count; c++) {
                node[listed] = cover[c];
                n->position[listed++] = next[order[i]]++;
            }
        }
    DT_ASSERT(listed == n->nodes);
}

static dt_status list(dt_shared_norm *n) {
    const char *what = "the nodes of the gradient's norm";
    const int size = n->pieces->size;
    int *order = dt_memory_alloc(size, sizeof *order, what);
    int64_t *next = dt_memory_alloc(size, sizeof *next, what);
    dt_tree_node *node = dt_memory_alloc(n->nodes, sizeof *node, what);
    const dt_status status = order && next && node ? DT_OK : DT_FAILED;
    if (status == DT_OK) {
        for (int r = 1; r < size; r++)
            next[r] = next[r - 1] + n->counts[r - 1];
        n->own = next[n->world->rank];
        order_ranks(n->pieces, order);
        list_nodes(n, order, next, node);
        n->add_count = dt_tree_adds(dt_clip_chunks(n->pieces->elements), node, n->nodes, n->adds);
        DT_ASSERT(n->add_count == n->nodes - 1);
    }
    dt_memory_free(order);
    dt_memory_free(next);
    dt_memory_free(node);
    return status;
}

dt_status dt_shared_norm_create(dt_shared_norm *n, const dt_world *world, const dt_pieces *pieces) {
    const char *what = "the gradient's norm";
    *n = (dt_shared_norm){.world = world, .pieces = pieces};
    n->counts = dt_memory_alloc(world->size, sizeof *n->counts, what);
    if (n->counts == NULL)
        return DT_FAILED;
    n->nodes = count_nodes(n);
    n->partials = dt_clip_chunks(
        dt_max(pieces->buckets > 1 ? pieces->full[world->rank].count : 0, pieces->last[world->rank].count));
    n->told = dt_memory_alloc(n->nodes + world->size, sizeof *n->told, what);
    n->position = dt_memory_alloc(n->nodes, sizeof *n->position, what);
    n->sum = dt_memory_alloc(n->nodes, sizeof *n->sum, what);
    n->adds = dt_memory_alloc(n->nodes, sizeof *n->adds, what);
    n->partial = dt_memory_alloc(n->partials, sizeof *n->partial, what);
    return n->told && n->position && n->sum && n->adds && n->partial ? list(n) : DT_FAILED;
}

void dt_shared_norm_free(dt_shared_norm *n) {
    dt_memory_free(n->counts);
    dt_memory_free(n->told);
    dt_memory_free(n->position);
    dt_memory_free(n->sum);
    dt_memory_free(n->adds);
    dt_memory_free(n->partial);
    *n = (dt_shared_norm){0};
}

/* The nodes of this rank's piece of one bucket, into `told`; returns how many. */
static int sum_piece(const dt_shared_norm *n, const float *vector, int64_t bucket, double *told,
                     uint64_t *bits) {
    const dt_slice piece = dt_pieces_of(n->pieces, n->world->rank, bucket);
    const dt_tree_node chunks = chunks_of(piece);
    dt_tree_node cover[DT_TREE_COVER_MAX];
    uint64_t all = 0;
#pragma omp parallel for schedule(static) reduction(+ : all)
    for (int64_t c = chunks.first; c < chunks.end; c++) {
        const int64_t first = c * DT_CLIP_CHUNK,
                      count = dt_min(piece.first + piece.count - first, DT_CLIP_CHUNK);
        n->partial[c - chunks.first] = dt_clip_chunk(vector + first, count, c, &all);
    }
    *bits += all;
    const int count = cover_of(n->pieces, n->world->rank, bucket, cover);
    for (int i = 0; i < count; i++)
        told[i] = dt_tree_sum(n->partial + (cover[i].first - chunks.first), cover[i].end - cover[i].first);
    return count;
}

dt_status dt_shared_norm_of(dt_shared_norm *n, const float *vector, double *value, uint64_t *bits) {
    DT_COLLECTIVE(n->world, DT_SAME_INT(n->nodes));
    double *told = n->told + n->own;
    uint64_t own_bits = 0;
    for (int64_t b = 0; b < n->pieces->buckets; b++)
        told += sum_piece(n, vector, b, told, &own_bits);
    memcpy(told, &own_bits, sizeof own_bits);
    DT_TRY(dt_world_gather_all(n->world, n->told, (int64_t)sizeof *n->told, n->counts));
    *bits = 0;
    for (int64_t r = 0, at = 0; r < n->world->size; r++) {
        uint64_t theirs;
        at += n->counts[r];
        memcpy(&theirs, &n->told[at - 1], sizeof theirs);
        *bits += theirs;
    }
    for (int64_t i = 0; i < n->nodes; i++)
        n->sum[i] = n->told[n->position[i]];
    for (int64_t a = 0; a < n->add_count; a++)
        n->sum[n->adds[a].into] += n->sum[n->adds[a].from];
    *value = sqrt(n->sum[0]);
    return DT_OK;
}
