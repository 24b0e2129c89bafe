/**
 * Files of text or of tokens, perhaps larger than memory, as one sequence of tokens of which any range can be
 * read.
 *
 * This room turns text into batches. Files and a tokenizer enter; tokens, and for each step and slot the
 * window that it takes (batch.h), leave. It knows of ranks as two integers.
 *
 * Each file is cut into blocks, of a text as text_blocks.h says, of a file of tokens as that has them
 * (token_file.h). Ranks index the blocks of all files together: each reads its slice of them once and counts
 * their tokens; the rows are gathered (by the caller, since data/ knows nothing of comm/) and summed up to
 * say where each block's first token stands. Then any range of tokens is read from the blocks that hold it.
 *
 *     DT_TRY(dt_corpus_open(&corpus, &inputs));
 *     DT_TRY(dt_corpus_index(&corpus, rank, size));
 *     ... gather corpus.block, run r being dt_corpus_slice(blocks, r, size) ...
 *     DT_TRY(dt_corpus_finish(&corpus));
 *     DT_TRY(dt_corpus_read(&corpus, first, end, tokens));
 *
 * Behind each text that another one follows stands the tokenizer's end-of-text token, where it has one and
 * texts are to be joined by it. Files of tokens follow one another as they are.
 *
 * A text that is packed, or comes from standard input, can be read only once and from its start. Such a
 * corpus has no blocks: it is tokenized into a file, from which it is read then (dt_corpus_open_kept).
 */
#ifndef DT_DATA_CORPUS_H
#define DT_DATA_CORPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/held_blocks.h"
#include "data/text_blocks.h"
#include "data/token_file.h"
#include "tokenizer/kind.h"

#define DT_CORPUS_SAMPLE 16

/** One block's row in the index. */
typedef struct dt_corpus_block {
    int64_t start; /**< of a text: where its tokens begin in the file, in bytes */
    dt_token_count count;
    uint64_t hash; /**< XXH3, 64 bits, of the block's bytes; 0 in a file of tokens that has checksums */
} dt_corpus_block;

/** One file. */
typedef struct dt_source {
    char *path;
    int64_t file_bytes;
    bool streamed; /**< it can be read only once */
    int64_t copy_first,
        copy_bytes;       /**< where its text stands in the corpus's file of copies, or of 0 bytes */
    bool marked;          /**< a text that begins with a byte order mark */
    dt_token_file tokens; /**< of a file of tokens; else its format is DT_TOKEN_FORMAT_NONE */
    int64_t first_block, blocks;
    uint64_t hash; /**< of its content, made by dt_corpus_finish */
} dt_source;

/** What a corpus is made from; all of it stays the caller's, and the tokenizer must outlive the corpus. */
typedef struct dt_corpus_inputs {
    const char *const *paths; /**< [count] */
    int64_t count;
    const dt_tokenizer *tokenizer; /**< NULL: none, for files of tokens without one */
    int64_t V;                     /**< every token must be below it */
    bool join;                     /**< texts by the tokenizer's end-of-text token */
    int threads;                   /**< that tokenize texts; 0 is 1 */
    int raw_bytes;                 /**< 2 or 4: a file without a magic number is tokens so wide; 0: a text */
} dt_corpus_inputs;

/** Where the tokens of blocks go besides: tokens[count], corpus->token_bytes of a text and the file's own
 * width, `token_bytes`, of a file of tokens. */
typedef struct dt_corpus_observer {
    dt_status (*see)(void *context, const void *tokens, int token_bytes, int64_t count); /**< or NULL */
    void *context;
} dt_corpus_observer;

typedef struct dt_corpus {
    char *path;      /**< how it is told of: the file, or the first one and how many more */
    char *temporary; /**< a folder that holds the first source's file and goes with the corpus; NULL: none */
    const dt_tokenizer *tokenizer;
    int64_t V;
    int threads;       /**< that tokenize texts */
    int token_bytes;   /**< of a token, as dt_corpus_read gives it */
    int64_t joint;     /**< the token between two texts, or -1 */
    dt_source *source; /**< [sources] */
    int64_t sources;
    bool is_text;                 /**< all are texts; otherwise all are files of tokens */
    bool is_streamed;             /**< at least one can be read only once */
    bool has_copies;              /**< what such texts say has been put aside, to be read again: */
    int copies;                   /**< in this file without a name, one behind another */
    int64_t file_bytes;           /**< of all files; of a file of tokens that says it, of the text's */
    bool (*stop_requested)(void); /**< set by the caller, or NULL: asked before blocks are read */
    dt_corpus_observer observer;  /**< set by the caller: sees the tokens of each block that is indexed */
    bool marked;                  /**< a text begins with a byte order mark */
    int64_t blocks;
    dt_corpus_block *block; /**< [blocks], in the order of the files */
    int64_t *first_token;   /**< [blocks + 1], made by dt_corpus_finish */
    dt_held_blocks held;    /**< of texts: blocks in memory (dt_corpus_hold) */
    dt_token_count total;   /**< made by dt_corpus_finish */
    uint64_t hash;          /**< the identity of the content, made by dt_corpus_finish */
} dt_corpus;

/**
 * Looks at the files and makes room for their index. Fails when one cannot be read, is empty, begins as no
 * text does (data/recognise.h) or is of another tokenizer, when texts and files of tokens are mixed, and
 * where there is no tokenizer for a text; then it holds nothing. The caller closes it. Local.
 */
dt_status dt_corpus_open(dt_corpus *corpus, const dt_corpus_inputs *inputs);

/**
 * Opens `path`, a file of the tokens of `corpus`'s texts, as a corpus of that content and name into `made`,
 * which needs no index. After a failure it holds nothing. Local.
 */
dt_status dt_corpus_open_kept(dt_corpus *made, const dt_corpus *corpus, const char *path);

/** From now on `corpus` is `made`, which holds nothing any more. Local. */
void dt_corpus_replace(dt_corpus *corpus, dt_corpus *made);

/**
 * A hash of some blocks: the first, the last and others evenly between, DT_CORPUS_SAMPLE in all, or of all
 * where there are no more. Ranks that are to use the same files compare it. Local.
 */
dt_status dt_corpus_sample(const dt_corpus *corpus, uint64_t *hash);

/** The blocks [*first, *end) that rank `rank` of `size` indexes. Local. */
void dt_corpus_slice(int64_t blocks, int rank, int size, int64_t *first, int64_t *end);

/** The file whose block `index` is. Local. */
const dt_source *dt_corpus_source(const dt_corpus *corpus, int64_t index);

/** Whether the token corpus->joint stands behind the file. Local. */
bool dt_corpus_is_joined(const dt_corpus *corpus, const dt_source *source);

/**
 * Reads and counts this rank's slice of the blocks into their rows, holds what dt_corpus_hold allows, has
 * corpus->observer see their tokens, and shows how far it is where that takes long. Fails when a file is no
 * longer as long as it was, with DT_STOPPED on request. Local.
 */
dt_status dt_corpus_index(dt_corpus *corpus, int rank, int size);

/** From now on dt_corpus_index holds the blocks of a text that it reads, up to `limit_bytes` together. Fails
 * when out of memory. Local. */
dt_status dt_corpus_hold(dt_corpus *corpus, int64_t limit_bytes);

/** Whether block `index` is held, or has no token. Local. */
bool dt_corpus_holds(const dt_corpus *corpus, int64_t index);

/** Drops what is held, but for blocks that have a token of [first, end). Local. */
void dt_corpus_drop_outside(dt_corpus *corpus, int64_t first, int64_t end);

/** Reads this rank's slice of the blocks of files of tokens, and fails as dt_corpus_read does where one is
 * damaged, with DT_STOPPED on request. Local. */
dt_status dt_corpus_check(const dt_corpus *corpus, int rank, int size);

/** Sums up the gathered rows. What is held becomes tokens. Local. */
dt_status dt_corpus_finish(dt_corpus *corpus);

/** The identity of a content of several files from theirs, hashes[count]: that of a single one is its own.
 * Local. */
uint64_t dt_corpus_join_hashes(const uint64_t *hashes, int64_t count, bool joined);

/** Warns (base/log.h) of what a model cannot learn of the text: a byte order mark, NUL bytes, more than 1 %
 * of characters that are unknown. Local. */
void dt_corpus_warn(const dt_corpus *corpus);

/** The blocks [*first_block, *end_block) that hold the tokens [first, end); none where there are none.
 * Local. */
void dt_corpus_blocks_of(const dt_corpus *corpus, int64_t first, int64_t end, int64_t *first_block,
                         int64_t *end_block);

/**
 * Reads the tokens [first, end), corpus->token_bytes each, into `tokens`: those of blocks that are held from
 * memory, others from the files. Fails when the range is not within
 * the total, and when a block's bytes are not those that were indexed, or do not have the checksum of their
 * file; progress and requests as in dt_corpus_index. Local.
 */
dt_status dt_corpus_read(const dt_corpus *corpus, int64_t first, int64_t end, void *tokens);

/**
 * As dt_corpus_read, by the last one who wants these tokens: a block that is held, and all of whose tokens
 * are among them, is given back as soon as they are placed. So a text that is held is not in memory twice.
 * Local.
 */
dt_status dt_corpus_take(dt_corpus *corpus, int64_t first, int64_t end, void *tokens);

/** DT_STOPPED, with a sentence, where a stop was requested. Local. */
dt_status dt_corpus_check_request(const dt_corpus *corpus);

/** Frees what `corpus` holds, and removes its temporary folder; one that is all zero is fine. Local. */
void dt_corpus_close(dt_corpus *corpus);

#endif
