/* Rounds of blocks of files; streams are another file's matter (tokenize_stream.c). */
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
#include "train/tokenize_round.h"
#include "train/tokenize_stream.h"

static void close_window(dt_tokenize_work *t) {
    if (t->open)
        dt_text_window_close(&t->window);
    t->open = NULL;
}

static void end(dt_tokenize_work *t) {
    close_window(t);
    dt_text_blocks_free(&t->blocks);
    XXH3_freeState(t->state);
    dt_memory_free(t->hashes);
    dt_memory_free(t->counts);
    dt_memory_free(t->row);
    dt_memory_free(t->starts);
    free(t->written);
}

static dt_status start(dt_tokenize_work *t) {
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
    t->starts = dt_memory_alloc(world->size * t->blocks_max + 1, sizeof *t->starts, "a round of blocks");
    return dt_agree(world, t->row && t->starts ? DT_OK : DT_FAILED);
}

/* Has the window over the file. */
static dt_status turn(dt_tokenize_work *t, const dt_source *source) {
    if (t->open == source)
        return DT_OK;
    close_window(t);
    dt_text_blocks_restart(&t->blocks);
    DT_TRY(dt_text_window_open(&t->window, source->path, source->file_bytes, t->corpus->tokenizer));
    t->open = source;
    return DT_OK;
}

/* The rank's blocks [first, stop) of the corpus, which may be of several texts, with their rows in `row`. */
static dt_status encode_blocks(dt_tokenize_work *t, int64_t first, int64_t stop, dt_tokenize_row *row) {
    DT_TRY(dt_corpus_check_request(t->corpus));
    t->blocks.count = 0;
    for (int64_t index = first; index < stop;) {
        const dt_source *source = dt_corpus_source(t->corpus, index);
        const int64_t end_index = source->first_block + source->blocks, before = t->blocks.count;
        const int64_t count = dt_min(end_index, stop) - index;
        DT_TRY(turn(t, source));
        DT_TRY(dt_text_blocks_append(&t->blocks, &t->window, index - source->first_block, count, NULL));
        for (int64_t i = before; i < t->blocks.count; i++)
            row[i] = (dt_tokenize_row){t->blocks.block[i].hash, t->blocks.block[i].count};
        index += count;
        if (index == end_index)
            dt_tokenize_round_join(t, source, &t->blocks.block[t->blocks.count - 1],
                                   &row[t->blocks.count - 1]);
    }
    return DT_OK;
}

/* Takes note of the corpus's blocks from `first` on, as all ranks do alike. */
static void note_blocks(dt_tokenize_work *t, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const dt_source *source = dt_corpus_source(t->corpus, first + i);
        if (first + i == source->first_block)
            (void)XXH3_64bits_reset(t->state);
        (void)XXH3_64bits_update(t->state, &t->row[i].hash, sizeof t->row[i].hash);
        if (first + i == source->first_block + source->blocks - 1)
            t->hashes[source - t->corpus->source] = XXH3_64bits_digest(t->state);
        dt_tokenize_round_add(&t->total, &t->row[i].count);
    }
}

/* The blocks [begin, stop) of the corpus. */
static dt_status tokenize_blocks(dt_tokenize_work *t, int64_t begin, int64_t stop) {
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
        DT_TRY(dt_tokenize_round_write(t, count, first, end_index - first));
        note_blocks(t, done, count);
        dt_meter_move(&meter, (done + count - begin) * DT_TEXT_BLOCK_BYTES);
    }
    close_window(t);
    return DT_OK;
}

/* Streams one by one, and the files between them together. */
static dt_status tokenize_all(dt_tokenize_work *t) {
    const dt_corpus *corpus = t->corpus;
    DT_TRY(start(t));
    for (int64_t s = 0; s < corpus->sources;) {
        const int64_t first_block = corpus->source[s].first_block;
        if (corpus->source[s].streamed) {
            DT_TRY(dt_tokenize_stream_take(t, &corpus->source[s++]));
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
static void describe(const dt_tokenize_work *t) {
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
    dt_tokenize_work t = {.world = world, .corpus = corpus, .writer = writer};
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
