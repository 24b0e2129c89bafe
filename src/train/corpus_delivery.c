/* In round i each rank passes on the i-th block that it holds: all go through their slices side by side. */
#include "train/corpus_delivery.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "comm/agree.h"
#include "comm/contract.h"

/* A block without a cut may be a text as a whole; so much of it travels at once. */
#define PIECE_BYTES ((int64_t)1 << 20)

/* Blocks [first, end). */
typedef struct block_range {
    int64_t first, end;
} block_range;

/* What all know of a rank. */
typedef struct rank_blocks {
    block_range has, wants[DT_CORPUS_DELIVERY_SPANS];
} rank_blocks;

/* What this rank holds of its slice, up to the first block for which there was no space. */
static block_range held(const dt_world *world, const dt_corpus *corpus) {
    block_range slice;
    dt_corpus_slice(corpus->blocks, world->rank, world->size, &slice.first, &slice.end);
    block_range has = {slice.first, slice.first};
    while (has.end < slice.end && dt_corpus_holds(corpus, has.end))
        has.end++;
    return has;
}

static bool wants(const rank_blocks *rank, int64_t block) {
    for (int s = 0; s < DT_CORPUS_DELIVERY_SPANS; s++)
        if (block >= rank->wants[s].first && block < rank->wants[s].end)
            return true;
    return false;
}

/* What rank `from` holds of a block, to rank `to`, whose memory may have no space for it; then it is read
 * from the file. */
static dt_status pass_on(const dt_world *world, dt_corpus *corpus, int from, int to, int64_t block,
                         uint8_t *spare) {
    const int64_t bytes = corpus->block[block].count.tokens * corpus->token_bytes;
    uint8_t *target = NULL;
    if (bytes == 0)
        return DT_OK;
    if (world->rank == to)
        target = dt_held_blocks_reserve(&corpus->held, block, bytes);
    for (int64_t at = 0; at < bytes; at += PIECE_BYTES) {
        const int64_t piece = dt_min(PIECE_BYTES, bytes - at);
        if (world->rank == from)
            DT_TRY(dt_world_send(world, to, (const uint8_t *)corpus->held.block[block].bytes + at, piece));
        else
            DT_TRY(dt_world_receive(world, from, target ? target + at : spare, piece));
    }
    return DT_OK;
}

/* One block, from the rank that has it to all who want it. */
static dt_status pass_round(const dt_world *world, dt_corpus *corpus, const rank_blocks *all, int from,
                            int64_t block, uint8_t *spare) {
    for (int to = 0; to < world->size; to++)
        if (to != from && (world->rank == from || world->rank == to) && wants(&all[to], block))
            DT_TRY(pass_on(world, corpus, from, to, block, spare));
    if (world->rank == from && !wants(&all[from], block))
        dt_held_blocks_drop(&corpus->held, block);
    return DT_OK;
}

/* All take the messages in one order, so that none waits for one that waits for it. */
static dt_status pass_all(const dt_world *world, dt_corpus *corpus, const rank_blocks *all, uint8_t *spare) {
    int64_t rounds = 0;
    for (int r = 0; r < world->size; r++)
        rounds = dt_max(rounds, all[r].has.end - all[r].has.first);
    for (int64_t i = 0; i < rounds; i++)
        for (int r = 0; r < world->size; r++)
            if (all[r].has.first + i < all[r].has.end)
                DT_TRY(pass_round(world, corpus, all, r, all[r].has.first + i, spare));
    return DT_OK;
}

dt_status dt_corpus_delivery_run(const dt_world *world, dt_corpus *corpus,
                                 const dt_token_span span[DT_CORPUS_DELIVERY_SPANS]) {
    DT_COLLECTIVE(world, DT_SAME_INT(corpus->blocks), DT_SAME_INT(corpus->total.tokens),
                  DT_SAME_INT(corpus->held.block != NULL));
    if (corpus->held.block == NULL)
        return DT_OK;
    rank_blocks *all = dt_memory_alloc(world->size, sizeof *all, "what ranks hold of the text");
    uint8_t *spare = dt_memory_alloc(PIECE_BYTES, 1, "a piece of the text");
    dt_status status = dt_agree(world, all && spare ? DT_OK : DT_FAILED);
    if (status == DT_OK) {
        all[world->rank].has = held(world, corpus);
        for (int s = 0; s < DT_CORPUS_DELIVERY_SPANS; s++) {
            block_range *mine = &all[world->rank].wants[s];
            dt_corpus_blocks_of(corpus, span[s].first, span[s].end, &mine->first, &mine->end);
        }
        status = dt_world_gather_same(world, all, (int64_t)sizeof *all);
    }
    if (status == DT_OK)
        status = pass_all(world, corpus, all, spare);
    dt_memory_free(all);
    dt_memory_free(spare);
    return status;
}
