/* Each phase ends with an agreement, so that no rank gathers from one that has failed. */
#include "train/corpus_index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "comm/agree.h"

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

static dt_status gather(dt_corpus *corpus, const dt_world *world) {
    int64_t *counts = dt_memory_alloc(world->size, sizeof *counts, "the ranks' numbers of blocks");
    dt_status status = dt_agree(world, counts ? DT_OK : DT_FAILED);
    for (int r = 0; status == DT_OK && r < world->size; r++) {
        int64_t first, end;
        dt_corpus_share(corpus->blocks, r, world->size, &first, &end);
        counts[r] = end - first;
    }
    if (status == DT_OK)
        status = dt_world_gather_all(world, corpus->block, (int64_t)sizeof *corpus->block, counts);
    dt_memory_free(counts);
    return status;
}

/* The number of blocks must agree before rows are gathered: hosts may see different files under one name. */
static dt_status check_size(const dt_corpus *corpus, const dt_world *world) {
    int64_t bytes = corpus->file_bytes;
    DT_TRY(dt_world_broadcast(world, &bytes, (int64_t)sizeof bytes));
    dt_status status = DT_OK;
    if (bytes != corpus->file_bytes)
        status = dt_fail("%s has %" PRId64 " bytes on host %s, but %" PRId64
                         " bytes on rank 0's host; give all hosts the same file",
                         corpus->path, corpus->file_bytes, world->host, bytes);
    return dt_agree(world, status);
}

dt_status dt_corpus_index_open(dt_corpus *corpus, const dt_world *world, const char *path) {
    char *chosen;
    dt_status status = choose(world, path, &chosen);
    if (status == DT_OK)
        status = dt_agree(world, dt_corpus_open(corpus, chosen));
    free(chosen);
    DT_TRY(status);
    DT_TRY(check_size(corpus, world));
    DT_TRY(dt_agree(world, dt_corpus_index(corpus, world->rank, world->size)));
    DT_TRY(gather(corpus, world));
    return dt_agree(world, dt_corpus_finish(corpus));
}

dt_corpus_identity dt_corpus_index_identity(const dt_corpus *corpus) {
    return (dt_corpus_identity){corpus->file_bytes, corpus->total.tokens, corpus->hash};
}
