/**
 * A text file, perhaps larger than memory, as a sequence of tokens of which any range can be read.
 *
 * This room turns text into batches. A file and a tokenizer enter; tokens, and for each step and slot the
 * window that it takes (batch.h), leave. It knows of ranks as two integers.
 *
 * The file is cut into blocks of DT_CORPUS_BLOCK_BYTES. A block owns the tokens from the first cut of the
 * tokenizer at or behind its start to that at or behind its end (dt_tokenizer_cut): with a stretch of text
 * that has none, more than its own bytes, and the blocks behind it nothing. Ranks index the file together:
 * each reads its slice of the blocks once and counts their tokens; the rows are gathered (by the caller,
 * since data/ knows nothing of comm/) and summed up to say where each block's first token stands. Then any
 * range of tokens is read from the blocks that hold it.
 *
 *     DT_TRY(dt_corpus_open(&corpus, path, &tokenizer));
 *     DT_TRY(dt_corpus_index(&corpus, rank, size));
 *     ... gather corpus.block, run r being dt_corpus_slice(blocks, r, size) ...
 *     DT_TRY(dt_corpus_finish(&corpus));
 *     DT_TRY(dt_corpus_read(&corpus, first, end, tokens));
 */
#ifndef DT_DATA_CORPUS_H
#define DT_DATA_CORPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tokenizer/kind.h"

#define DT_CORPUS_BLOCK_BYTES ((int64_t)1 << 20)
#define DT_CORPUS_SAMPLE      16

/** One block's row in the index. */
typedef struct dt_corpus_block {
    int64_t start; /**< where its tokens begin in the file, in bytes; they end where the next one's begin */
    dt_token_count count;
    uint64_t hash; /**< XXH3, 64 bits, of the block's bytes */
} dt_corpus_block;

typedef struct dt_corpus {
    char *path;
    const dt_tokenizer *tokenizer;
    int64_t file_bytes;
    bool (*stop_requested)(void); /**< set by the caller, or NULL: asked before each block is read */
    bool marked;                  /**< begins with a byte order mark, which is one <UNK> */
    int64_t blocks;
    dt_corpus_block *block; /**< [blocks], in the order of the file */
    int64_t *first_token;   /**< [blocks + 1], made by dt_corpus_finish */
    dt_token_count total;   /**< made by dt_corpus_finish */
    uint64_t hash;          /**< XXH3 of all blocks' hashes: the identity of the content */
} dt_corpus;

/**
 * The path of the corpus when the option `data` is null, as a new string the caller frees:
 * data/uni-alg-int.txt, else the first *.txt in data/ by name. Fails, saying what was looked for and how to
 * name a file, when there is none. Local.
 */
dt_status dt_corpus_find(char **path);

/**
 * Looks at the file and makes room for its index. Fails when it cannot be read, is empty or begins as no text
 * does (data/recognise.h), and then holds nothing. The tokenizer must outlive the corpus, which the caller
 * closes. Local.
 */
dt_status dt_corpus_open(dt_corpus *corpus, const char *path, const dt_tokenizer *tokenizer);

/**
 * A hash of some blocks of the file: the first, the last and others evenly between, DT_CORPUS_SAMPLE in all,
 * or of all where it has no more. Ranks that are to use one file compare it. Local.
 */
dt_status dt_corpus_sample(const dt_corpus *corpus, uint64_t *hash);

/** The blocks [*first, *end) that rank `rank` of `size` indexes. Local. */
void dt_corpus_slice(int64_t blocks, int rank, int size, int64_t *first, int64_t *end);

/**
 * Reads and counts this rank's slice of the blocks into their rows, and shows how far it is where that takes
 * long. Fails when the file is no longer as long as it was, with DT_STOPPED on request. Local.
 */
dt_status dt_corpus_index(dt_corpus *corpus, int rank, int size);

/** Sums up the gathered rows. Local. */
dt_status dt_corpus_finish(dt_corpus *corpus);

/** Warns (base/log.h) of what a model cannot learn of the text: a byte order mark, NUL bytes, more than 1 %
 * of characters that are unknown. Local. */
void dt_corpus_warn(const dt_corpus *corpus);

/**
 * Reads the tokens [first, end), tokenizer->token_bytes each, into `tokens`. Fails when the range is not
 * within the total, and when a block's bytes are not those that were indexed; progress and requests as in
 * dt_corpus_index. Local.
 */
dt_status dt_corpus_read(const dt_corpus *corpus, int64_t first, int64_t end, void *tokens);

/** Frees what `corpus` holds; one that is all zero is fine. Local. */
void dt_corpus_close(dt_corpus *corpus);

#endif
