/* Blocks of all files in one row. */
#include "data/file_hash.h"

#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/meter.h"
#include "base/minmax.h"
#include "base/progress.h"

dt_status dt_file_hash_create(dt_file_hash *hash, const dt_corpus *corpus) {
    *hash = (dt_file_hash){.corpus = corpus};
    hash->first_block = dt_memory_alloc(corpus->sources + 1, sizeof *hash->first_block, "the files' blocks");
    if (hash->first_block == NULL)
        return DT_FAILED;
    for (int64_t s = 0; s < corpus->sources; s++) {
        hash->first_block[s] = hash->blocks;
        hash->blocks += (corpus->source[s].file_bytes + DT_TEXT_BLOCK_BYTES - 1) / DT_TEXT_BLOCK_BYTES;
    }
    hash->first_block[corpus->sources] = hash->blocks;
    hash->block = dt_memory_alloc(hash->blocks, sizeof *hash->block, "the hashes of the files' blocks");
    return hash->block ? DT_OK : DT_FAILED;
}

/* Blocks [first, stop) of the file, into their places. */
static dt_status hash_source(dt_file_hash *hash, int64_t s, int64_t first, int64_t stop, uint8_t *bytes,
                             dt_meter *meter, int64_t *done) {
    const dt_source *source = &hash->corpus->source[s];
    int descriptor;
    int64_t file_bytes;
    DT_TRY(dt_file_open(source->path, &descriptor, &file_bytes));
    dt_status status =
        file_bytes == source->file_bytes
            ? DT_OK
            : dt_fail("%s changed while in use; start again and leave the file alone", source->path);
    for (int64_t i = first; i < stop && status == DT_OK; i++) {
        const int64_t offset = (i - hash->first_block[s]) * DT_TEXT_BLOCK_BYTES,
                      length = dt_min(DT_TEXT_BLOCK_BYTES, file_bytes - offset);
        status = dt_corpus_check_request(hash->corpus);
        if (status == DT_OK)
            status = dt_file_read_at(descriptor, source->path, bytes, (size_t)length, offset);
        if (status == DT_OK)
            hash->block[i] = XXH3_64bits(bytes, (size_t)length);
        dt_progress_mark();
        dt_meter_move(meter, ++*done * DT_TEXT_BLOCK_BYTES);
    }
    close(descriptor);
    return status;
}

dt_status dt_file_hash_slice(dt_file_hash *hash, int rank, int size) {
    int64_t first, stop, done = 0;
    dt_meter meter;
    dt_corpus_slice(hash->blocks, rank, size, &first, &stop);
    uint8_t *bytes = dt_memory_alloc(DT_TEXT_BLOCK_BYTES, 1, "a block of a file");
    dt_status status = bytes ? DT_OK : DT_FAILED;
    dt_meter_start(&meter, "hashing", hash->corpus->path, (stop - first) * DT_TEXT_BLOCK_BYTES, NULL);
    for (int64_t s = 0; s < hash->corpus->sources && status == DT_OK; s++) {
        const int64_t from = dt_max(first, hash->first_block[s]), to = dt_min(stop, hash->first_block[s + 1]);
        if (from < to)
            status = hash_source(hash, s, from, to, bytes, &meter, &done);
    }
    dt_memory_free(bytes);
    return status;
}

dt_status dt_file_hash_finish(const dt_file_hash *hash, uint64_t *value) {
    const dt_corpus *corpus = hash->corpus;
    uint64_t *hashes = dt_memory_alloc(corpus->sources, sizeof *hashes, "the files' hashes");
    if (hashes == NULL)
        return DT_FAILED;
    for (int64_t s = 0; s < corpus->sources; s++)
        hashes[s] =
            XXH3_64bits(hash->block + hash->first_block[s],
                        (size_t)(hash->first_block[s + 1] - hash->first_block[s]) * sizeof *hash->block);
    *value = dt_corpus_join_hashes(hashes, corpus->sources, corpus->joint >= 0);
    dt_memory_free(hashes);
    return DT_OK;
}

void dt_file_hash_free(dt_file_hash *hash) {
    dt_memory_free(hash->first_block);
    dt_memory_free(hash->block);
    *hash = (dt_file_hash){0};
}
