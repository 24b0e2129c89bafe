/* Each phase ends with an agreement, so that no rank gathers from one that has failed. */
#include "train/corpus_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mismatch.h"

/* Rank 0's choice of a file, told to all. */
static dt_status choose(const dt_world *world, const char *given, char **path) {
    dt_status status = DT_OK;
    size_t length = 0;
    *path = NULL;
    if (world->rank == 0) {
        if (given)
            *path = strdup(given);
        else
            status = dt_corpus_find(path);
        if (status == DT_OK && *path == NULL)
            status = dt_fail("out of memory for the name of the corpus");
    }
    DT_TRY(dt_agree(world, status));
    if (world->rank == 0) {
        length = strlen(*path);
        if (given == NULL)
            dt_log_line("data: %s (chosen, since no --data was given)", *path);
    }
    return dt_world_broadcast_block(world, path, &length);
}

/*
 * Whose slice of the blocks a rank indexes: that of the rank half the job further, which is on another host
 * where ranks fill hosts in order. Each rank later reads its streams, which lie about where its own slice is,
 * and every block that it reads must be what another rank has indexed: so two hosts have seen what is trained
 * on.
 */
static int64_t half(const dt_world *world) {
    return world->size / 2;
}

/* All ranks' rows. They come in the order of ranks, so they are turned to begin with the first block's. */
static dt_status gather(dt_corpus *corpus, const dt_world *world) {
    const int64_t blocks = corpus->blocks;
    int64_t *counts = dt_memory_alloc(world->size, sizeof *counts, "the ranks' numbers of blocks");
    dt_corpus_block *rows = dt_memory_alloc(blocks, sizeof *rows, "the index of the corpus");
    dt_status status = dt_agree(world, counts && rows ? DT_OK : DT_FAILED);
    int64_t first, end, turn = 0;
    for (int r = 0; status == DT_OK && r < world->size; r++) {
        dt_corpus_slice(blocks, (int)((r + half(world)) % world->size), world->size, &first, &end);
        counts[r] = end - first;
        if (r == 0)
            turn = first;
    }
    if (status == DT_OK) {
        memcpy(rows, corpus->block + turn, (size_t)(blocks - turn) * sizeof *rows);
        memcpy(rows + (blocks - turn), corpus->block, (size_t)turn * sizeof *rows);
        status = dt_world_gather_all(world, rows, (int64_t)sizeof *rows, counts);
    }
    if (status == DT_OK) {
        memcpy(corpus->block + turn, rows, (size_t)(blocks - turn) * sizeof *rows);
        memcpy(corpus->block, rows + (blocks - turn), (size_t)turn * sizeof *rows);
    }
    dt_memory_free(counts);
    dt_memory_free(rows);
    return status;
}

/*
 * Hosts may see different files under one name. Sizes and a sample of blocks tell apart what are different
 * texts; files that differ in few bytes between the samples are noticed where streams are read (see half).
 */
static dt_status check_same(const dt_corpus *corpus, const dt_world *world) {
    char mine[DT_MISMATCH_TEXT_BYTES], found[DT_MISMATCH_BYTES];
    uint64_t hash = 0;
    if (world->size == 1)
        return DT_OK;
    DT_TRY(dt_agree(world, dt_corpus_sample(corpus, &hash)));
    snprintf(mine, sizeof mine, "%" PRId64 " bytes with content hash %016" PRIx64, corpus->file_bytes, hash);
    DT_TRY(dt_mismatch_find(world, mine, found));
    return dt_agree(world, *found
                               ? dt_fail("expected one text under the name %s on all hosts, found that %s; "
                                         "give all hosts the same file",
                                         corpus->path, found)
                               : DT_OK);
}

dt_status dt_corpus_index_open(dt_corpus *corpus, const dt_world *world, const char *path,
                               const dt_tokenizer *tokenizer, bool (*stop_requested)(void)) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(path), DT_SAME_INT(tokenizer->hash));
    char *chosen;
    dt_status status = choose(world, path, &chosen);
    if (status == DT_OK)
        status = dt_agree(world, dt_corpus_open(corpus, chosen, tokenizer));
    free(chosen);
    DT_TRY(status);
    corpus->stop_requested = stop_requested;
    DT_TRY(check_same(corpus, world));
    const int slice = (int)((world->rank + half(world)) % world->size);
    DT_TRY(dt_agree(world, dt_corpus_index(corpus, slice, world->size)));
    DT_TRY(gather(corpus, world));
    return dt_agree(world, dt_corpus_finish(corpus));
}

dt_corpus_identity dt_corpus_index_identity(const dt_corpus *corpus) {
    return (dt_corpus_identity){corpus->file_bytes, corpus->total.tokens, corpus->hash};
}
