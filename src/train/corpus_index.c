/* Each phase ends with an agreement, so that no rank gathers from one that has failed. */
#include "train/corpus_index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/available.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mismatch.h"
#include "config/list.h"
#include "data/corpus_files.h"
#include "step/workers.h"
#include "train/token_cache.h"
#include "train/token_temporary.h"
#include "train/vocabulary.h"

/* The files as one block of names, each ended by a 0 byte, and back. */
static dt_status join_names(char **paths, size_t count, char **names, size_t *length) {
    FILE *memory = open_memstream(names, length);
    if (memory == NULL)
        return dt_fail("out of memory for the names of the corpus");
    for (size_t i = 0; i < count; i++)
        (void)fwrite(paths[i], 1, strlen(paths[i]) + 1, memory);
    return fclose(memory) == 0 ? DT_OK : dt_fail("out of memory for the names of the corpus");
}

static dt_status split_names(const char *names, size_t length, const char ***paths, int64_t *count) {
    *count = 0;
    for (size_t i = 0; i < length; i++)
        *count += names[i] == 0;
    *paths = dt_memory_alloc(*count, sizeof **paths, "the names of the corpus");
    if (*paths == NULL)
        return DT_FAILED;
    const char *name = names;
    for (int64_t i = 0; i < *count; i++, name += strlen(name) + 1)
        (*paths)[i] = name;
    return DT_OK;
}

/* The files that `data` means, as a block of names. */
static dt_status find_files(const char *data, char **names, size_t *length) {
    char **texts, **paths = NULL;
    int64_t count;
    size_t found = 0;
    DT_TRY(dt_list_read(data, &texts, &count));
    dt_status status = dt_corpus_files_find((const char *const *)texts, count, &paths, &found);
    if (status == DT_OK)
        status = join_names(paths, found, names, length);
    if (status == DT_OK && data == NULL)
        dt_log_line("data: %s (chosen, since no --data was given)", paths[0]);
    dt_file_free_names(paths, found);
    dt_list_free(texts);
    return status;
}

static dt_status open_files(dt_corpus *corpus, const dt_corpus_index_inputs *inputs, const char *names,
                            size_t length) {
    static const int widths[] = {[DT_DATA_AUTO] = 0, [DT_DATA_UINT16] = 2, [DT_DATA_UINT32] = 4};
    dt_corpus_inputs files = {.tokenizer = inputs->tokenizer,
                              .V = inputs->V,
                              .join = inputs->config->join_documents,
                              .raw_bytes = widths[inputs->config->data_format]};
    const char **paths;
    DT_TRY(dt_workers_count(&files.threads));
    DT_TRY(split_names(names, length, &paths, &files.count));
    files.paths = paths;
    const dt_status status = dt_corpus_open(corpus, &files);
    dt_memory_free(paths);
    corpus->stop_requested = inputs->stop_requested;
    return status;
}

/* All ranks' rows, that of rank r being slice (r + shift) modulo their number. They come in the order of
 * ranks, so they are turned to begin with the first block's. */
static dt_status gather(dt_corpus *corpus, const dt_world *world, int shift) {
    const int64_t blocks = corpus->blocks;
    int64_t *counts = dt_memory_alloc(world->size, sizeof *counts, "the ranks' numbers of blocks");
    dt_corpus_block *rows = dt_memory_alloc(blocks, sizeof *rows, "the index of the corpus");
    dt_status status = dt_agree(world, counts && rows ? DT_OK : DT_FAILED);
    int64_t first, end, turn = 0;
    for (int r = 0; status == DT_OK && r < world->size; r++) {
        dt_corpus_slice(blocks, (r + shift) % world->size, world->size, &first, &end);
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

/* What can be read only once must be kept. */
static dt_status refuse_streamed(const dt_corpus *corpus) {
    return dt_usage(
        "cannot use %s: it can be read only once and from its start, so its tokens must be kept in a "
        "folder that all ranks see; name one by token_cache, tokenize it first (dtrain tokenize), or "
        "write its text to a file",
        corpus->path);
}

/*
 * Hosts may see different files under one name. Sizes and a sample of blocks tell apart what are different
 * texts; files that differ in few bytes between the samples are noticed where blocks are read (index_blocks).
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

/* From the token cache, where there is one for it, or from a file of its own. */
static dt_status use_kept(dt_corpus *corpus, const dt_world *world, const dt_corpus_index_inputs *inputs,
                          bool *used) {
    const dt_config *config = inputs->config;
    char *folder;
    *used = false;
    DT_TRY(dt_agree(world, dt_token_cache_folder(config, corpus, &folder)));
    dt_status status = DT_OK;
    if (folder)
        status = inputs->visits ? dt_token_cache_find(world, corpus, folder, used)
                                : dt_token_cache_use(world, corpus, folder, config->tokenizer, used);
    free(folder);
    if (status != DT_OK || *used || !corpus->is_streamed)
        return status;
    if (!inputs->visits)
        return dt_agree(world, refuse_streamed(corpus));
    status = dt_token_temporary_use(world, corpus);
    *used = status == DT_OK;
    return status;
}

dt_status dt_corpus_index_look(dt_corpus *corpus, const dt_world *world,
                               const dt_corpus_index_inputs *inputs) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(inputs->data),
                  DT_SAME_INT(inputs->tokenizer ? inputs->tokenizer->hash : 0), DT_SAME_INT(inputs->V),
                  DT_SAME_TEXT(inputs->config->token_cache));
    char *names = NULL;
    size_t length = 0;
    *corpus = (dt_corpus){0};
    DT_TRY(dt_agree(world, world->rank == 0 ? find_files(inputs->data, &names, &length) : DT_OK));
    DT_TRY(dt_world_broadcast_block(world, &names, &length));
    const dt_status status = dt_agree(world, open_files(corpus, inputs, names, length));
    free(names);
    DT_TRY(status);
    return check_same(corpus, world);
}

/* What ranks hold of the text, and then what they take of it in its place, may each have a third of what the
 * host can give. */
static int64_t holding_limit(const dt_world *world) {
    return dt_available_bytes("") / 3 / world->host_ranks;
}

/* What tells a file from its copies, on whatever host: its number on its disk, and when it was written. */
static dt_status name_files(const dt_corpus *corpus, uint64_t *name) {
    *name = 0;
    for (int64_t i = 0; i < corpus->sources; i++) {
        struct stat info;
        if (corpus->source[i].streamed)
            continue;
        if (stat(corpus->source[i].path, &info) != 0)
            return dt_fail("cannot look at %s: %s", corpus->source[i].path, strerror(errno));
        const uint64_t row[] = {*name, (uint64_t)info.st_ino, (uint64_t)info.st_mtim.tv_sec,
                                (uint64_t)info.st_mtim.tv_nsec};
        *name = XXH3_64bits(row, sizeof row);
    }
    return DT_OK;
}

/*
 * Each rank its slice, and all of them holding what they read where `holds`: of one file, which all see, so
 * it is read once. Of files that only have one name, as copies on the disks of hosts, a rank takes the slice
 * of the rank half the job further, which is on another host where ranks fill hosts in order. Each rank later
 * reads its streams, which lie about where its own slice is, and every block that it reads must be what
 * another rank has indexed: so two hosts have seen what is trained on.
 */
static dt_status index_blocks(dt_corpus *corpus, const dt_world *world, bool holds) {
    uint64_t name;
    bool is_one;
    DT_TRY(dt_agree(world, name_files(corpus, &name)));
    DT_TRY(dt_agree_same(world, name, &is_one));
    const int shift = is_one ? 0 : world->size / 2;
    if (is_one && holds)
        DT_TRY(dt_agree(world, dt_corpus_hold(corpus, holding_limit(world))));
    DT_TRY(dt_agree(world, dt_corpus_index(corpus, (world->rank + shift) % world->size, world->size)));
    return gather(corpus, world, shift);
}

dt_status dt_corpus_index_collect(dt_tokenizer *tokenizer, dt_corpus *corpus, const dt_world *world) {
    DT_COLLECTIVE_CALL(world);
    if (tokenizer->V > 0 || !corpus->is_text)
        return DT_OK;
    DT_TRY(index_blocks(corpus, world, false));
    DT_TRY(dt_vocabulary_read_streams(tokenizer, corpus, world));
    return dt_vocabulary_settle(tokenizer, corpus, world);
}

dt_status dt_corpus_index_open(dt_corpus *corpus, const dt_world *world,
                               const dt_corpus_index_inputs *inputs) {
    bool used;
    DT_TRY(dt_corpus_index_look(corpus, world, inputs));
    if (inputs->collects && corpus->is_streamed)
        DT_TRY(dt_corpus_index_collect(inputs->collects, corpus, world));
    DT_TRY(use_kept(corpus, world, inputs, &used));
    corpus->observer = inputs->observer;
    if (used) /* its rows are complete, but its tokens have not been read */
        return corpus->observer.see ? dt_agree(world, dt_corpus_index(corpus, world->rank, world->size))
                                    : DT_OK;
    DT_TRY(index_blocks(corpus, world, inputs->holds));
    if (inputs->collects)
        DT_TRY(dt_vocabulary_settle(inputs->collects, corpus, world));
    return dt_agree(world, dt_corpus_finish(corpus));
}

dt_status dt_corpus_index_open_alone(dt_corpus *corpus, const dt_corpus_index_inputs *inputs) {
    char *names = NULL;
    size_t length = 0;
    *corpus = (dt_corpus){0};
    dt_status status = find_files(inputs->data, &names, &length);
    if (status == DT_OK)
        status = open_files(corpus, inputs, names, length);
    free(names);
    DT_TRY(status);
    if (corpus->is_streamed)
        return dt_usage("cannot use %s: expected files of tokens, found a text that is packed or comes from "
                        "standard input; tokenize it first (dtrain tokenize)",
                        corpus->path);
    DT_TRY(dt_corpus_index(corpus, 0, 1));
    return dt_corpus_finish(corpus);
}

dt_corpus_identity dt_corpus_index_identity(const dt_corpus *corpus) {
    return (dt_corpus_identity){corpus->file_bytes, corpus->total.tokens, corpus->hash};
}
