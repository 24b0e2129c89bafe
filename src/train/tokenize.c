/* Rounds of blocks of files, and streams by rank 0 alone. */
#include "train/tokenize.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/meter.h"
#include "base/minmax.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "data/recognise.h"
#include "data/unpack.h"
#include "tokenizer/tokens.h"

/* What ranks tell of a block of a text. */
typedef struct block_row {
    uint64_t hash;
    dt_token_count count; /* with the token that joins the text to the next one */
} block_row;

/* The work, with what has been found so far; all of it but `total`, `hashes` and the rows in `writer` is the
 * same on every rank. */
typedef struct tokenizing {
    const dt_world *world;
    const dt_corpus *corpus;
    dt_token_writer *writer;
    dt_text_blocks blocks;
    const dt_source *open; /* the file that the window is over, or NULL */
    dt_text_window window;
    XXH3_state_t *state; /* of the text under way */
    uint64_t *hashes;    /* [sources] */
    dt_token_count total;
    int64_t content_bytes;
    bool marked;
    int64_t blocks_max; /* that a rank takes in a round */
    int64_t *counts;    /* [size] */
    block_row *row;     /* [size x blocks_max] */
    dt_token_row *written;
    int64_t written_capacity;
} tokenizing;

static void close_window(tokenizing *t) {
    if (t->open)
        dt_text_window_close(&t->window);
    t->open = NULL;
}

static void end(tokenizing *t) {
    close_window(t);
    dt_text_blocks_free(&t->blocks);
    XXH3_freeState(t->state);
    dt_memory_free(t->hashes);
    dt_memory_free(t->counts);
    dt_memory_free(t->row);
    free(t->written);
}

static dt_status start(tokenizing *t) {
    const dt_world *world = t->world;
    int max;
    dt_status status =
        dt_text_blocks_create(&t->blocks, t->corpus->tokenizer, t->corpus->threads, world->size, true);
    t->state = XXH3_createState();
    t->hashes = dt_memory_alloc(t->corpus->sources, sizeof *t->hashes, "the texts' hashes");
    t->counts = dt_memory_alloc(world->size, sizeof *t->counts, "the ranks' numbers of blocks");
    if (status == DT_OK && t->state == NULL)
        status = dt_fail("out of memory for the hash of %s", t->corpus->path);
    if (status == DT_OK && (t->hashes == NULL || t->counts == NULL))
        status = DT_FAILED;
    DT_TRY(dt_agree(world, status));
    DT_TRY(dt_agree_min(world, (int)t->blocks.max, &max));
    t->blocks_max = max;
    t->row = dt_memory_alloc(world->size * t->blocks_max, sizeof *t->row, "a round of blocks");
    return dt_agree(world, t->row ? DT_OK : DT_FAILED);
}

/* Space for the rows of what is written in a round. */
static dt_status reserve_written(tokenizing *t, int64_t rows) {
    if (rows == 0 || rows <= t->written_capacity)
        return DT_OK;
    dt_token_row *longer = realloc(t->written, (size_t)rows * sizeof *longer);
    if (longer == NULL)
        return dt_fail("out of memory for the table of %s", t->writer->temporary);
    t->written = longer;
    t->written_capacity = rows;
    return DT_OK;
}

/* The token that joins the text to the next one, behind its last block. */
static void join(const tokenizing *t, const dt_source *source, dt_text_block *block, block_row *row) {
    const int32_t joint = (int32_t)t->corpus->joint;
    const int width = t->corpus->token_bytes;
    if (!dt_corpus_is_joined(t->corpus, source))
        return;
    dt_tokens_narrow(block->tokens + row->count.tokens * width, &joint, width, 1);
    row->count.tokens++;
}

/* Writes the blocks at hand, whose rows are row[0 .. count), from byte `offset` on, and makes their rows in
 * `written`. */
static dt_status put(const tokenizing *t, const block_row *row, int64_t count, int64_t offset,
                     dt_token_row *written) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t tokens = row[i].count.tokens;
        DT_TRY(dt_token_writer_put(t->writer, offset, t->blocks.block[i].tokens, tokens, written));
        offset += dt_token_writer_bytes(tokens, t->corpus->token_bytes);
        written += dt_token_writer_rows(tokens);
    }
    return DT_OK;
}

static void add_count(dt_token_count *total, const dt_token_count *count) {
    total->tokens += count->tokens;
    total->unknown += count->unknown;
    total->invalid += count->invalid;
    total->zero += count->zero;
}

static int64_t rows_of(const block_row *row, int64_t count) {
    int64_t rows = 0;
    for (int64_t i = 0; i < count; i++)
        rows += dt_token_writer_rows(row[i].count.tokens);
    return rows;
}

/* Has the window over the file. */
static dt_status turn(tokenizing *t, const dt_source *source) {
    if (t->open == source)
        return DT_OK;
    close_window(t);
    dt_text_blocks_restart(&t->blocks);
    DT_TRY(dt_text_window_open(&t->window, source->path, source->file_bytes, t->corpus->tokenizer));
    t->open = source;
    return DT_OK;
}

/* The rank's blocks [first, stop) of the corpus, which may be of several texts, with their rows in `row`. */
static dt_status encode_blocks(tokenizing *t, int64_t first, int64_t stop, block_row *row) {
    DT_TRY(dt_corpus_check_request(t->corpus));
    t->blocks.count = 0;
    for (int64_t index = first; index < stop;) {
        const dt_source *source = dt_corpus_source(t->corpus, index);
        const int64_t end_index = source->first_block + source->blocks, before = t->blocks.count;
        const int64_t count = dt_min(end_index, stop) - index;
        DT_TRY(turn(t, source));
        DT_TRY(dt_text_blocks_append(&t->blocks, &t->window, index - source->first_block, count, NULL));
        for (int64_t i = before; i < t->blocks.count; i++)
            row[i] = (block_row){t->blocks.block[i].hash, t->blocks.block[i].count};
        index += count;
        if (index == end_index)
            join(t, source, &t->blocks.block[t->blocks.count - 1], &row[t->blocks.count - 1]);
    }
    return DT_OK;
}

/* Takes note of the corpus's blocks from `first` on, as all ranks do alike. */
static void note_blocks(tokenizing *t, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const dt_source *source = dt_corpus_source(t->corpus, first + i);
        if (first + i == source->first_block)
            (void)XXH3_64bits_reset(t->state);
        (void)XXH3_64bits_update(t->state, &t->row[i].hash, sizeof t->row[i].hash);
        if (first + i == source->first_block + source->blocks - 1)
            t->hashes[source - t->corpus->source] = XXH3_64bits_digest(t->state);
        add_count(&t->total, &t->row[i].count);
    }
}

/* What the ranks have made of `count` blocks, run r of which is rank r's, is told to all, and written. */
static dt_status write_round(tokenizing *t, int64_t count, int64_t own_first, int64_t own_count) {
    const dt_world *world = t->world;
    int64_t offset = t->writer->offset, first = 0;
    DT_TRY(dt_world_gather_all(world, t->row, (int64_t)sizeof *t->row, t->counts));
    const int64_t rows = rows_of(t->row, count);
    for (int64_t i = 0; i < own_first; i++)
        offset += dt_token_writer_bytes(t->row[i].count.tokens, t->corpus->token_bytes);
    dt_status status = reserve_written(t, rows);
    if (status == DT_OK)
        status = put(t, t->row + own_first, own_count, offset, t->written + rows_of(t->row, own_first));
    DT_TRY(dt_agree(world, status));
    for (int r = 0; r < world->size; r++) {
        const int64_t blocks = t->counts[r];
        t->counts[r] = rows_of(t->row + first, blocks);
        first += blocks;
    }
    DT_TRY(dt_world_gather_all(world, t->written, (int64_t)sizeof *t->written, t->counts));
    return dt_agree(world, dt_token_writer_add(t->writer, t->written, rows));
}

/* The blocks [begin, stop) of the corpus. */
static dt_status tokenize_blocks(tokenizing *t, int64_t begin, int64_t stop) {
    const dt_world *world = t->world;
    const int64_t round = world->size * t->blocks_max;
    dt_meter meter;
    dt_meter_start(&meter, "tokenizing", t->corpus->path, (stop - begin) * DT_TEXT_BLOCK_BYTES, NULL);
    for (int64_t done = begin; done < stop; done += round) {
        const int64_t count = dt_min(round, stop - done);
        int64_t first = 0, end_index = 0;
        for (int r = 0; r < world->size; r++) {
            dt_corpus_slice(count, r, world->size, &first, &end_index);
            t->counts[r] = end_index - first;
        }
        dt_corpus_slice(count, world->rank, world->size, &first, &end_index);
        DT_TRY(dt_agree(world, encode_blocks(t, done + first, done + end_index, t->row + first)));
        DT_TRY(write_round(t, count, first, end_index - first));
        note_blocks(t, done, count);
        dt_meter_move(&meter, (done + count - begin) * DT_TEXT_BLOCK_BYTES);
    }
    close_window(t);
    return DT_OK;
}

/* What stands at the start of a stream must be a text, as that of a file must. */
static dt_status recognise(tokenizing *t, const char *name, const dt_text_window *window) {
    const int64_t length = dt_min(window->to, DT_RECOGNISE_BYTES);
    if (length == 0)
        return dt_usage("cannot use %s: expected a text, found nothing in it", name);
    if (dt_token_file_recognise(window->bytes, length) != DT_TOKEN_FORMAT_NONE)
        return dt_usage(
            "cannot use %s: expected a text, found tokens, which are read only from a file that is not "
            "packed; write them to one and name that",
            name);
    t->marked |= dt_recognise_mark(window->bytes, length);
    return dt_recognise_text(name, window->bytes, length);
}

static dt_status write_stream(tokenizing *t, const dt_source *source, const dt_text_window *window,
                              int64_t first) {
    const int64_t count = t->blocks.count;
    for (int64_t i = 0; i < count; i++) {
        t->row[i] = (block_row){t->blocks.block[i].hash, t->blocks.block[i].count};
        if ((first + i + 1) * DT_TEXT_BLOCK_BYTES >= window->text_bytes)
            join(t, source, &t->blocks.block[i], &t->row[i]);
        (void)XXH3_64bits_update(t->state, &t->row[i].hash, sizeof t->row[i].hash);
        add_count(&t->total, &t->row[i].count);
    }
    const int64_t rows = rows_of(t->row, count);
    DT_TRY(reserve_written(t, rows));
    DT_TRY(put(t, t->row, count, t->writer->offset, t->written));
    return dt_token_writer_add(t->writer, t->written, rows);
}

/* Rank 0 alone. */
static dt_status read_stream(tokenizing *t, const dt_source *source, const char *name, dt_unpack *unpack,
                             dt_text_window *window) {
    dt_meter meter;
    dt_meter_start(&meter, "tokenizing", name, source->file_bytes, NULL);
    for (int64_t first = 0; first == 0 || t->blocks.count > 0; first += t->blocks.count) {
        DT_TRY(dt_text_blocks_run(&t->blocks, window, first, t->blocks_max, NULL));
        if (first == 0)
            DT_TRY(recognise(t, name, window));
        DT_TRY(write_stream(t, source, window, first));
        dt_meter_move(&meter, dt_unpack_input_bytes(unpack));
    }
    t->content_bytes += window->text_bytes;
    return DT_OK;
}

static dt_status open_stream(tokenizing *t, const dt_source *source) {
    const bool standard = strcmp(source->path, DT_UNPACK_STANDARD_INPUT) == 0;
    const char *name = standard ? "standard input" : source->path;
    dt_text_window window;
    dt_unpack *unpack;
    DT_TRY(dt_unpack_open(&unpack, source->path, t->corpus->stop_requested));
    dt_text_window_stream(&window, name, unpack, t->corpus->tokenizer);
    const dt_status status = read_stream(t, source, name, unpack, &window);
    dt_text_window_close(&window);
    dt_unpack_close(unpack);
    return status;
}

static dt_status tokenize_stream(tokenizing *t, const dt_source *source) {
    dt_text_blocks_restart(&t->blocks);
    (void)XXH3_64bits_reset(t->state);
    DT_TRY(dt_agree(t->world, t->world->rank == 0 ? open_stream(t, source) : DT_OK));
    t->hashes[source - t->corpus->source] = XXH3_64bits_digest(t->state);
    /* The others write what comes behind it. */
    return dt_world_broadcast(t->world, &t->writer->offset, (int64_t)sizeof t->writer->offset);
}

/* Streams one by one, and the files between them together. */
static dt_status tokenize_all(tokenizing *t) {
    const dt_corpus *corpus = t->corpus;
    DT_TRY(start(t));
    for (int64_t s = 0; s < corpus->sources;) {
        const int64_t first_block = corpus->source[s].first_block;
        if (corpus->source[s].streamed) {
            DT_TRY(tokenize_stream(t, &corpus->source[s++]));
            continue;
        }
        for (; s < corpus->sources && !corpus->source[s].streamed; s++) {
            t->marked |= corpus->source[s].marked;
            t->content_bytes += corpus->source[s].file_bytes;
        }
        DT_TRY(tokenize_blocks(t, first_block,
                               corpus->source[s - 1].first_block + corpus->source[s - 1].blocks));
    }
    return dt_agree(t->world, dt_token_writer_sync(t->writer));
}

/* What rank 0 knows of it all. */
static void describe(const tokenizing *t) {
    const dt_tokenizer *tokenizer = t->corpus->tokenizer;
    t->writer->about = (dt_token_about){
        .token_bytes = t->corpus->token_bytes,
        .V = tokenizer->V,
        .end_of_text = tokenizer->end_of_text,
        .count = t->total,
        .content_bytes = t->content_bytes,
        .content_hash = dt_corpus_join_hashes(t->hashes, t->corpus->sources, t->corpus->joint >= 0),
        .marked = t->marked,
        .tokenizer_hash = tokenizer->hash};
}

/* Rank 0 begins the file, and the others join it. */
static dt_status open_writer(const dt_world *world, const char *path, int token_bytes,
                             dt_token_writer *writer) {
    char *temporary = NULL;
    size_t length = 0;
    DT_TRY(dt_agree(world, world->rank == 0 ? dt_token_writer_begin(writer, path, token_bytes) : DT_OK));
    if (world->rank == 0) {
        temporary = writer->temporary;
        length = strlen(temporary);
    }
    DT_TRY(dt_world_broadcast_block(world, &temporary, &length));
    if (world->rank == 0)
        return dt_agree(world, DT_OK);
    const dt_status status = dt_agree(world, dt_token_writer_join(writer, temporary, token_bytes));
    free(temporary);
    return status;
}

dt_status dt_tokenize_run(const dt_world *world, const dt_corpus *corpus, const char *path,
                          dt_token_writer *writer) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(path), DT_SAME_INT(corpus->sources), DT_SAME_INT(corpus->joint));
    DT_ASSERT(corpus->is_text);
    tokenizing t = {.world = world, .corpus = corpus, .writer = writer};
    *writer = (dt_token_writer){0};
    dt_status status = open_writer(world, path, corpus->token_bytes, writer);
    if (status == DT_OK)
        status = tokenize_all(&t);
    if (status == DT_OK && world->rank == 0)
        describe(&t);
    end(&t);
    if (status != DT_OK || world->rank != 0)
        dt_token_writer_abandon(writer);
    return status;
}
