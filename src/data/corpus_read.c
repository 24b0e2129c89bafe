/* Blocks of texts and of files of tokens, indexed and read in runs. */
#include "data/corpus.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/meter.h"
#include "base/minmax.h"
#include "base/progress.h"
#include "tokenizer/tokens.h"

/* The file whose blocks are read, and what it takes to read them. */
typedef struct block_reader {
    const dt_corpus *corpus;
    const dt_source *source; /* that is open, or NULL */
    /* of texts */
    dt_text_window window;
    dt_text_blocks blocks;
    int64_t *starts; /* [blocks.max + 1] */
    /* of files of tokens */
    int descriptor;
    uint8_t *tokens; /* [capacity] */
    int64_t capacity;
} block_reader;

static void close_source(block_reader *reader) {
    if (reader->source && reader->corpus->is_text)
        dt_text_window_close(&reader->window);
    else if (reader->source)
        close(reader->descriptor);
    reader->source = NULL;
}

static void reader_close(block_reader *reader) {
    close_source(reader);
    dt_text_blocks_free(&reader->blocks);
    dt_memory_free(reader->starts);
    dt_memory_free(reader->tokens);
}

/* To be closed after failure too. */
static dt_status reader_open(block_reader *reader, const dt_corpus *corpus, bool keep) {
    *reader = (block_reader){.corpus = corpus};
    if (!corpus->is_text)
        return DT_OK;
    DT_TRY(dt_text_blocks_create(&reader->blocks, corpus->tokenizer, corpus->threads, 1, keep));
    reader->starts = dt_memory_alloc(reader->blocks.max + 1, sizeof(int64_t), "the blocks' cuts");
    return reader->starts ? DT_OK : DT_FAILED;
}

static dt_status open_tokens(block_reader *reader, const dt_source *source) {
    int64_t found_bytes;
    DT_TRY(dt_file_open(source->path, &reader->descriptor, &found_bytes));
    if (found_bytes == source->file_bytes)
        return DT_OK;
    close(reader->descriptor);
    return dt_fail("%s changed while in use: expected %" PRId64 " bytes, as at the start, found %" PRId64
                   "; start again and leave the file alone",
                   source->path, source->file_bytes, found_bytes);
}

/* Has the file open whose block `index` is; `*local` is which block of it. */
static dt_status reader_turn(block_reader *reader, int64_t index, int64_t *local) {
    const dt_source *source = dt_corpus_source(reader->corpus, index);
    *local = index - source->first_block;
    if (source == reader->source)
        return DT_OK;
    close_source(reader);
    dt_text_blocks_restart(&reader->blocks);
    DT_TRY(reader->corpus->is_text ? dt_text_window_open(&reader->window, source->path, source->file_bytes,
                                                         reader->corpus->tokenizer)
                                   : open_tokens(reader, source));
    reader->source = source;
    return DT_OK;
}

/* How many blocks from `index` on, but none from `end` on, are read in one run: all of one file. */
static int64_t run_length(const block_reader *reader, int64_t index, int64_t end) {
    const dt_source *source = dt_corpus_source(reader->corpus, index);
    const int64_t left = dt_min(end, source->first_block + source->blocks) - index;
    return reader->corpus->is_text ? dt_min(left, reader->blocks.max) : dt_min(left, 1);
}

/* A block of a file of tokens into reader->tokens. */
static dt_status load_tokens(block_reader *reader, int64_t index) {
    int64_t local;
    DT_TRY(reader_turn(reader, index, &local));
    const dt_token_file *file = &reader->source->tokens;
    const int64_t needed = dt_token_file_block_tokens(file, local) * file->about.token_bytes;
    if (needed > reader->capacity) {
        dt_memory_free(reader->tokens);
        reader->capacity = 0;
        reader->tokens = dt_memory_alloc(needed, 1, "a block of tokens");
        if (reader->tokens == NULL)
            return DT_FAILED;
        reader->capacity = needed;
    }
    dt_progress_mark();
    return dt_token_file_read(file, reader->descriptor, local, reader->corpus->V, reader->tokens);
}

/* Shows tokens to who observes the corpus. */
static dt_status show(const dt_corpus *corpus, const void *tokens, int token_bytes, int64_t count) {
    const dt_corpus_observer *observer = &corpus->observer;
    return observer->see ? observer->see(observer->context, tokens, token_bytes, count) : DT_OK;
}

/* Its row; a file that has checksums needs not be read for it. */
static dt_status index_tokens(block_reader *reader, int64_t index, dt_corpus_block *row) {
    int64_t local;
    DT_TRY(reader_turn(reader, index, &local));
    const dt_token_file *file = &reader->source->tokens;
    const bool is_own = file->format == DT_TOKEN_FORMAT_OWN;
    const int64_t count = dt_token_file_block_tokens(file, local);
    *row = (dt_corpus_block){.count.tokens = count};
    if (is_own && reader->corpus->observer.see == NULL)
        return DT_OK;
    DT_TRY(load_tokens(reader, index));
    if (!is_own)
        row->hash = XXH3_64bits(reader->tokens, (size_t)(count * file->about.token_bytes));
    return show(reader->corpus, reader->tokens, file->about.token_bytes, count);
}

/* Holds a block that is at hand: its tokens or, where the tokenizer has none yet, its text. */
static bool hold(const block_reader *reader, dt_corpus *corpus, int64_t index, const dt_text_block *block) {
    const dt_text_window *window = &reader->window;
    return corpus->held.as_text
               ? dt_held_blocks_put(&corpus->held, index, window->bytes + (block->start - window->from),
                                    block->stop - block->start)
               : dt_held_blocks_put(&corpus->held, index, block->tokens,
                                    block->count.tokens * corpus->token_bytes);
}

/* Holds blocks up to the first one for which there is no room: `*holds` says whether to go on. */
static dt_status index_text(block_reader *reader, dt_corpus *corpus, int64_t index, int64_t count,
                            bool *holds) {
    int64_t local;
    DT_TRY(reader_turn(reader, index, &local));
    DT_TRY(dt_text_blocks_run(&reader->blocks, &reader->window, local, count, NULL));
    DT_ASSERT(reader->blocks.count == count);
    for (int64_t i = 0; i < count; i++) {
        const dt_text_block *block = &reader->blocks.block[i];
        corpus->block[index + i] = (dt_corpus_block){block->start, block->count, block->hash};
        *holds = *holds && hold(reader, corpus, index + i, block);
        DT_TRY(show(corpus, block->tokens, corpus->token_bytes, block->count.tokens));
    }
    return DT_OK;
}

/* The hash of its row: a block's own bytes, which need no tokens made of them. */
static dt_status hash_text(block_reader *reader, int64_t index, dt_corpus_block *row) {
    int64_t local;
    DT_TRY(reader_turn(reader, index, &local));
    const dt_text_window *window = &reader->window;
    const int64_t first = local * DT_TEXT_BLOCK_BYTES,
                  end = dt_min(first + DT_TEXT_BLOCK_BYTES, window->text_bytes);
    DT_TRY(dt_text_window_move(&reader->window, first, end));
    row->hash = XXH3_64bits(window->bytes + (first - window->from), (size_t)(end - first));
    dt_progress_mark();
    return DT_OK;
}

dt_status dt_corpus_sample(const dt_corpus *corpus, uint64_t *hash) {
    const int64_t count = dt_min(corpus->blocks, DT_CORPUS_SAMPLE);
    uint64_t hashes[DT_CORPUS_SAMPLE];
    block_reader reader;
    dt_status status = reader_open(&reader, corpus, false);
    for (int64_t i = 0; i < count && status == DT_OK; i++) {
        const int64_t index = count > 1 ? i * (corpus->blocks - 1) / (count - 1) : 0;
        dt_corpus_block row = {0};
        status = corpus->is_text ? hash_text(&reader, index, &row) : index_tokens(&reader, index, &row);
        hashes[i] = row.hash;
    }
    reader_close(&reader);
    *hash = status == DT_OK ? XXH3_64bits(hashes, (size_t)count * sizeof *hashes) : 0;
    for (int64_t s = 0; s < corpus->sources; s++)
        *hash ^= corpus->source[s].tokens.about.content_hash;
    return status;
}

dt_status dt_corpus_hold(dt_corpus *corpus, int64_t limit_bytes) {
    if (!corpus->is_text)
        return DT_OK;
    corpus->held.as_text = corpus->tokenizer->V == 0; /* it collects its characters first */
    return dt_held_blocks_create(&corpus->held, corpus->blocks, limit_bytes);
}

bool dt_corpus_holds(const dt_corpus *corpus, int64_t index) {
    return corpus->held.block && (corpus->held.block[index].bytes || corpus->block[index].count.tokens == 0);
}

void dt_corpus_drop_outside(dt_corpus *corpus, int64_t first, int64_t end) {
    for (int64_t i = 0; i < corpus->held.count; i++)
        if (corpus->first_token[i] >= end || corpus->first_token[i + 1] <= first)
            dt_held_blocks_drop(&corpus->held, i);
}

dt_status dt_corpus_index(dt_corpus *corpus, int rank, int size) {
    block_reader reader;
    int64_t first, end;
    dt_corpus_slice(corpus->blocks, rank, size, &first, &end);
    bool holds = corpus->held.block != NULL;
    DT_TRY(dt_corpus_check_request(corpus)); /* also where this rank's slice is empty */
    dt_status status = reader_open(&reader, corpus, (holds && !corpus->held.as_text) || corpus->observer.see);
    dt_meter meter;
    dt_meter_start(&meter, "indexing", corpus->path, (end - first) * DT_TEXT_BLOCK_BYTES, NULL);
    for (int64_t index = first, count; index < end && status == DT_OK; index += count) {
        count = run_length(&reader, index, end);
        status = dt_corpus_check_request(corpus);
        if (status == DT_OK)
            status = corpus->is_text ? index_text(&reader, corpus, index, count, &holds)
                                     : index_tokens(&reader, index, &corpus->block[index]);
        dt_meter_move(&meter, (index + count - first) * DT_TEXT_BLOCK_BYTES);
    }
    reader_close(&reader);
    return status;
}

dt_status dt_corpus_check(const dt_corpus *corpus, int rank, int size) {
    block_reader reader;
    int64_t first, end;
    DT_ASSERT(!corpus->is_text);
    dt_corpus_slice(corpus->blocks, rank, size, &first, &end);
    dt_status status = reader_open(&reader, corpus, false);
    for (int64_t index = first; index < end && status == DT_OK; index++) {
        status = dt_corpus_check_request(corpus);
        if (status == DT_OK)
            status = load_tokens(&reader, index);
    }
    reader_close(&reader);
    return status;
}

/* The block that holds token `token`: the last one whose first token is not behind it. */
static int64_t block_of(const dt_corpus *corpus, int64_t token) {
    int64_t low = 0, high = corpus->blocks - 1;
    while (low < high) {
        int64_t middle = high - (high - low) / 2;
        if (corpus->first_token[middle] <= token)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* What is read: tokens [first, end), where `first` is token 0 of `tokens`. */
typedef struct token_range {
    int64_t first, end;
    uint8_t *tokens;
} token_range;

/* Tokens of another width, where files of tokens have several. */
static void copy_tokens(uint8_t *to, int to_bytes, const uint8_t *from, int from_bytes, int64_t count) {
    if (to_bytes == from_bytes) {
        memcpy(to, from, (size_t)(count * from_bytes));
        return;
    }
    for (int64_t t = 0; t < count; t++) {
        int32_t id;
        dt_tokens_widen(&id, from + t * from_bytes, from_bytes, 1);
        dt_tokens_narrow(to + t * to_bytes, &id, to_bytes, 1);
    }
}

/* Copies those tokens of block `index`, which are at hand, that lie in the range, and what joins its file to
 * the next. */
static void copy_block(const dt_corpus *corpus, int64_t index, const token_range *range,
                       const uint8_t *tokens, int token_bytes) {
    const int width = corpus->token_bytes;
    const int64_t block_first = corpus->first_token[index],
                  own = block_first + corpus->block[index].count.tokens;
    const int64_t from = dt_max(range->first, block_first), to = dt_min(range->end, own);
    if (from < to)
        copy_tokens(range->tokens + (from - range->first) * width, width,
                    tokens + (from - block_first) * token_bytes, token_bytes, to - from);
    if (own < corpus->first_token[index + 1] && own >= range->first && own < range->end) {
        const int32_t joint = (int32_t)corpus->joint;
        dt_tokens_narrow(range->tokens + (own - range->first) * width, &joint, width, 1);
    }
}

static dt_status refuse_changed(const dt_source *source, int64_t offset) {
    return dt_fail("%s changed while in use: the block at byte %" PRId64
                   " is not the one that was indexed, perhaps on another host; give all hosts the same "
                   "file, leave it alone and start again",
                   source->path, offset);
}

static dt_status read_text(block_reader *reader, int64_t index, int64_t count, const token_range *range) {
    const dt_corpus *corpus = reader->corpus;
    int64_t local;
    DT_TRY(reader_turn(reader, index, &local));
    const dt_source *source = reader->source;
    for (int64_t i = 0; i <= count; i++)
        reader->starts[i] = local + i < source->blocks ? corpus->block[index + i].start : source->file_bytes;
    DT_TRY(dt_text_blocks_run(&reader->blocks, &reader->window, local, count, reader->starts));
    for (int64_t i = 0; i < count; i++) {
        const dt_text_block *found = &reader->blocks.block[i];
        const dt_corpus_block *expected = &corpus->block[index + i];
        /* The hash is of the block's own bytes; its count depends on those around it too. */
        if (found->hash != expected->hash || found->count.tokens != expected->count.tokens)
            return refuse_changed(source, (local + i) * DT_TEXT_BLOCK_BYTES);
        copy_block(corpus, index + i, range, found->tokens, corpus->token_bytes);
    }
    return DT_OK;
}

static dt_status read_tokens(block_reader *reader, int64_t index, const token_range *range) {
    DT_TRY(load_tokens(reader, index));
    const dt_corpus_block *expected = &reader->corpus->block[index];
    const dt_token_file *file = &reader->source->tokens;
    const int width = file->about.token_bytes;
    if (file->format != DT_TOKEN_FORMAT_OWN &&
        XXH3_64bits(reader->tokens, (size_t)(expected->count.tokens * width)) != expected->hash)
        return refuse_changed(reader->source, (index - reader->source->first_block) * DT_TOKEN_BLOCK_BYTES);
    copy_block(reader->corpus, index, range, reader->tokens, width);
    return DT_OK;
}

void dt_corpus_blocks_of(const dt_corpus *corpus, int64_t first, int64_t end, int64_t *first_block,
                         int64_t *end_block) {
    *first_block = first < end ? block_of(corpus, first) : 0;
    *end_block = first < end ? block_of(corpus, end - 1) + 1 : 0;
}

/* Reads blocks [start, end) of files, none of which is held. */
static dt_status read_blocks(const dt_corpus *corpus, int64_t start, int64_t end, const token_range *range) {
    block_reader reader;
    dt_status status = reader_open(&reader, corpus, true);
    dt_meter meter;
    dt_meter_start(&meter, "reading", corpus->path, (end - start) * DT_TEXT_BLOCK_BYTES, NULL);
    for (int64_t i = start, count; status == DT_OK && i < end; i += count) {
        count = run_length(&reader, i, end);
        status = dt_corpus_check_request(corpus);
        if (status == DT_OK)
            status = corpus->is_text ? read_text(&reader, i, count, range) : read_tokens(&reader, i, range);
        dt_meter_move(&meter, (i + count - start) * DT_TEXT_BLOCK_BYTES);
    }
    reader_close(&reader);
    return status;
}

/* Where `held` is not NULL, blocks in it go as they are read, once all of their tokens are. */
static dt_status read_range(const dt_corpus *corpus, const token_range *range, dt_held_blocks *held) {
    int64_t i, stop;
    if (range->first < 0 || range->first > range->end || range->end > corpus->total.tokens)
        return dt_fail("cannot read tokens [%" PRId64 ", %" PRId64
                       ") of %s: expected a range within its %" PRId64 " tokens",
                       range->first, range->end, corpus->path, corpus->total.tokens);
    dt_corpus_blocks_of(corpus, range->first, range->end, &i, &stop);
    while (i < stop) {
        for (; i < stop && dt_corpus_holds(corpus, i); i++) {
            copy_block(corpus, i, range, corpus->held.block[i].bytes, corpus->token_bytes);
            if (held && range->first <= corpus->first_token[i] && corpus->first_token[i + 1] <= range->end)
                dt_held_blocks_drop(held, i);
        }
        const int64_t unheld = i;
        while (i < stop && !dt_corpus_holds(corpus, i))
            i++;
        if (i > unheld)
            DT_TRY(read_blocks(corpus, unheld, i, range));
    }
    return DT_OK;
}

dt_status dt_corpus_read(const dt_corpus *corpus, int64_t first, int64_t end, void *tokens) {
    return read_range(corpus, &(token_range){first, end, tokens}, NULL);
}

dt_status dt_corpus_take(dt_corpus *corpus, int64_t first, int64_t end, void *tokens) {
    return read_range(corpus, &(token_range){first, end, tokens}, corpus->held.block ? &corpus->held : NULL);
}
