/* Few bytes, once a run. */
#include "train/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "data/standard_input.h"
#include "data/text_blocks.h"
#include "data/unpack.h"
#include "tokenizer/chars.h"

dt_status dt_vocabulary_open(dt_tokenizer *tokenizer, const dt_world *world, const char *name,
                             const char *folder) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(name));
    char *json = NULL;
    size_t length = 0;
    dt_status status = DT_OK;
    *tokenizer = (dt_tokenizer){0};
    if (world->rank == 0 && folder)
        status = dt_checkpoint_read_tokenizer(folder, &json, &length);
    else if (world->rank == 0)
        status = dt_tokenizer_read(name, &json, &length);
    status = dt_agree(world, status);
    if (status == DT_OK)
        status = dt_world_broadcast_block(world, &json, &length);
    if (status == DT_OK)
        status = dt_agree(world, dt_tokenizer_create(tokenizer, name, json, length));
    free(json);
    return status;
}

/* Nothing is kept of the tokens: the tokenizer takes note of what it sees. */
static dt_status read_stream(const dt_corpus *corpus, dt_text_blocks *blocks, const char *path,
                             const char *name) {
    dt_text_window window;
    dt_unpack *unpack;
    DT_TRY(dt_unpack_open(&unpack, path, corpus->stop_requested));
    dt_text_window_stream(&window, name, unpack, corpus->tokenizer);
    dt_text_blocks_restart(blocks);
    dt_status status;
    int64_t first = 0;
    do {
        status = dt_text_blocks_run(blocks, &window, first, blocks->max, NULL);
        first += blocks->count;
    } while (status == DT_OK && blocks->count > 0);
    dt_text_window_close(&window);
    dt_unpack_close(unpack);
    return status;
}

static dt_status read_source(const dt_corpus *corpus, dt_text_blocks *blocks, const dt_source *source) {
    if (!source->streamed)
        return DT_OK;
    if (strcmp(source->path, DT_UNPACK_STANDARD_INPUT) != 0)
        return read_stream(corpus, blocks, source->path, source->path);
    DT_TRY(dt_standard_input_keep(corpus->stop_requested));
    DT_TRY(read_stream(corpus, blocks, source->path, "standard input"));
    return dt_standard_input_rewind();
}

static dt_status read_streams(const dt_corpus *corpus) {
    dt_text_blocks blocks;
    dt_status status = dt_text_blocks_create(&blocks, corpus->tokenizer, corpus->threads, 1, false);
    for (int64_t s = 0; s < corpus->sources && status == DT_OK; s++)
        status = read_source(corpus, &blocks, &corpus->source[s]);
    dt_text_blocks_free(&blocks);
    return status;
}

dt_status dt_vocabulary_read_streams(const dt_tokenizer *tokenizer, const dt_corpus *corpus,
                                     const dt_world *world) {
    DT_COLLECTIVE_CALL(world);
    if (!corpus->is_streamed || dt_chars_collected(tokenizer) == NULL)
        return DT_OK;
    return dt_agree(world, world->rank == 0 ? read_streams(corpus) : DT_OK);
}

/* So many words of the set travel at once, that what a rank holds of all others stays small. */
#define SECTION_WORDS 512

/* Adds the other ranks' words [first, first + SECTION_WORDS) of the set to this one's. */
static dt_status add_words(const dt_world *world, uint64_t *set, int64_t first, uint64_t *all) {
    memcpy(all + (int64_t)world->rank * SECTION_WORDS, set + first, SECTION_WORDS * sizeof *set);
    DT_TRY(dt_world_gather_same(world, all, SECTION_WORDS * (int64_t)sizeof *all));
    for (int64_t i = 0; i < (int64_t)world->size * SECTION_WORDS; i++)
        set[first + i % SECTION_WORDS] |= all[i];
    return DT_OK;
}

dt_status dt_vocabulary_settle(dt_tokenizer *tokenizer, dt_corpus *corpus, const dt_world *world) {
    DT_COLLECTIVE_CALL(world);
    _Static_assert(DT_CHARS_WORDS % SECTION_WORDS == 0, "the set is of whole sections");
    uint64_t *set = dt_chars_collected(tokenizer);
    if (set == NULL)
        return DT_OK;
    uint64_t *all = dt_memory_alloc((int64_t)world->size * SECTION_WORDS, sizeof *all,
                                    "the characters that each rank has seen");
    dt_status status = dt_agree(world, all ? DT_OK : DT_FAILED);
    for (int64_t first = 0; status == DT_OK && first < DT_CHARS_WORDS; first += SECTION_WORDS)
        status = add_words(world, set, first, all);
    if (status == DT_OK)
        status = dt_agree(world, dt_chars_settle(tokenizer));
    corpus->token_bytes = tokenizer->token_bytes;
    corpus->V = tokenizer->V;
    dt_memory_free(all);
    return status;
}
