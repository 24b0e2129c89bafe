/**
 * The hash of a corpus's files as they lie on disk, by ranks together: of a plain text the hash of its
 * content, of one that is packed that of the packed bytes.
 *
 *     DT_TRY(dt_file_hash_create(&hash, &corpus));
 *     DT_TRY(dt_file_hash_slice(&hash, rank, size));
 *     ... gather hash.block, run r being dt_corpus_slice(blocks, r, size) ...
 *     DT_TRY(dt_file_hash_finish(&hash, &value));
 *     dt_file_hash_free(&hash);
 *
 * All functions are local.
 */
#ifndef DT_DATA_FILE_HASH_H
#define DT_DATA_FILE_HASH_H

#include <stdint.h>

#include "base/status.h"
#include "data/corpus.h"

typedef struct dt_file_hash {
    const dt_corpus *corpus;
    int64_t blocks;
    int64_t *first_block; /* [sources + 1] */
    uint64_t *block;      /**< [blocks]: of each DT_TEXT_BLOCK_BYTES of the files */
} dt_file_hash;

/** The corpus must outlive it, and have no standard input. The caller frees it, after failure too. */
dt_status dt_file_hash_create(dt_file_hash *hash, const dt_corpus *corpus);

/** Hashes this rank's slice of the blocks. Fails when a file changed, with DT_STOPPED on request. */
dt_status dt_file_hash_slice(dt_file_hash *hash, int rank, int size);

/** The hash of all, as dt_corpus_finish makes that of plain texts. */
dt_status dt_file_hash_finish(const dt_file_hash *hash, uint64_t *value);

/** Frees it; one that is all zero is fine. */
void dt_file_hash_free(dt_file_hash *hash);

#endif
