/* Few bytes, once a run. */
#include "train/vocabulary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/temporary.h"
#include "checkpoint/checkpoint.h"
#include "comm/agree.h"
#include "comm/contract.h"
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

/* Puts what `unpack` reads of the source aside, where there is a place for it. */
static void begin_copy(const dt_corpus *corpus, dt_source *source, dt_unpack *unpack) {
    source->copy_first = corpus->has_copies ? lseek(corpus->copies, 0, SEEK_END) : -1;
    if (source->copy_first >= 0)
        dt_unpack_copy_to(unpack, corpus->copies, strcmp(source->path, DT_UNPACK_STANDARD_INPUT) == 0);
}

static void end_copy(const dt_corpus *corpus, dt_source *source, const dt_unpack *unpack) {
    source->copy_bytes = dt_max(dt_unpack_copied(unpack), 0);
    if (dt_unpack_copied(unpack) < 0) /* a part of it, in the way of the next one */
        (void)ftruncate(corpus->copies, source->copy_first);
}

/* Nothing is kept of the tokens: the tokenizer takes note of what it sees. */
static dt_status read_stream(const dt_corpus *corpus, dt_text_blocks *blocks, dt_source *source) {
    const bool standard = strcmp(source->path, DT_UNPACK_STANDARD_INPUT) == 0;
    dt_text_window window;
    dt_unpack *unpack;
    DT_TRY(dt_unpack_open(&unpack, source->path, corpus->stop_requested));
    begin_copy(corpus, source, unpack);
    dt_text_window_stream(&window, standard ? "standard input" : source->path, unpack, corpus->tokenizer);
    dt_text_blocks_restart(blocks);
    dt_status status;
    int64_t first = 0;
    do {
        status = dt_text_blocks_run(blocks, &window, first, blocks->max, NULL);
        first += blocks->count;
    } while (status == DT_OK && blocks->count > 0);
    end_copy(corpus, source, unpack);
    dt_text_window_close(&window);
    dt_unpack_close(unpack);
    return status;
}

/* Standard input must find a place; what is a file is else read again. */
static dt_status open_copies(dt_corpus *corpus) {
    const dt_status status = dt_temporary_open(&corpus->copies);
    corpus->has_copies = status == DT_OK;
    if (status != DT_OK && corpus->file_bytes == 0)
        return dt_fail(
            "%s; what is read twice is put aside in %s, name a larger folder by the variable TMPDIR",
            dt_error(), dt_temporary_root());
    if (status != DT_OK)
        dt_log_note("%s; %s will be unpacked again", dt_error(), corpus->path);
    return DT_OK;
}

static dt_status read_streams(dt_corpus *corpus) {
    dt_text_blocks blocks;
    DT_TRY(open_copies(corpus));
    dt_status status = dt_text_blocks_create(&blocks, corpus->tokenizer, corpus->threads, 1, false);
    for (int64_t s = 0; s < corpus->sources && status == DT_OK; s++)
        if (corpus->source[s].streamed)
            status = read_stream(corpus, &blocks, &corpus->source[s]);
    dt_text_blocks_free(&blocks);
    return status;
}

dt_status dt_vocabulary_read_streams(const dt_tokenizer *tokenizer, dt_corpus *corpus,
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
