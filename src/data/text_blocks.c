/* Cuts are looked for one behind another, so that a long stretch without one is searched once; then each
 * thread takes the next block that is left. */
#include "data/text_blocks.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "tokenizer/encoder.h"

/* Some blocks take longer than others: with several for each thread, those who wait for one another do so for
 * less time; ranks wait for each other's messages besides. */
static int64_t blocks_per_run(int threads, int ranks) {
    const int64_t per_thread = ranks > 1 ? 8 : threads > 1 ? 4 : 1;
    return threads * per_thread;
}

dt_status dt_text_blocks_create(dt_text_blocks *blocks, const dt_tokenizer *tokenizer, int threads, int ranks,
                                bool keep) {
    DT_ASSERT(threads > 0 && ranks > 0);
    *blocks = (dt_text_blocks){.tokenizer = tokenizer,
                               .keep = keep,
                               .threads = threads,
                               .max = blocks_per_run(threads, ranks),
                               .next_index = -1};
    blocks->block = dt_memory_alloc(blocks->max, sizeof *blocks->block, "blocks of text");
    blocks->encoder = dt_memory_alloc(threads, sizeof *blocks->encoder, "the threads' encoders");
    blocks->starts = dt_memory_alloc(blocks->max + 1, sizeof *blocks->starts, "blocks of text");
    if (blocks->block == NULL || blocks->encoder == NULL || blocks->starts == NULL)
        return DT_FAILED;
    for (int t = 0; t < threads; t++)
        DT_TRY(dt_encoder_create(&blocks->encoder[t], tokenizer));
    return DT_OK;
}

void dt_text_blocks_free(dt_text_blocks *blocks) {
    for (int64_t i = 0; blocks->block && i < blocks->max; i++)
        free(blocks->block[i].tokens);
    for (int t = 0; blocks->encoder && t < blocks->threads; t++)
        dt_encoder_free(&blocks->encoder[t]);
    dt_memory_free(blocks->block);
    dt_memory_free(blocks->encoder);
    dt_memory_free(blocks->starts);
    *blocks = (dt_text_blocks){0};
}

void dt_text_blocks_restart(dt_text_blocks *blocks) {
    blocks->next_index = -1;
}

/* Where blocks start and the last one ends, starts[count + 1], by the tokenizer's cuts. */
static dt_status find_cuts(dt_text_blocks *blocks, dt_text_window *window, int64_t first, int64_t *starts,
                           int64_t count) {
    int64_t start = blocks->next_start;
    if (blocks->next_index != first)
        DT_TRY(dt_text_window_cut(window, first * DT_TEXT_BLOCK_BYTES, &start));
    for (int64_t i = 0; i < count; i++) {
        const int64_t end = dt_min((first + i + 1) * DT_TEXT_BLOCK_BYTES, window->text_bytes);
        starts[i] = start;
        if (start < end)
            DT_TRY(dt_text_window_cut(window, end, &start));
    }
    starts[count] = start;
    blocks->next_index = first + count;
    blocks->next_start = start;
    return DT_OK;
}

/* What has gone wrong first in the text, told by a thread to the one that goes on. */
typedef struct failure {
    int64_t index;
    dt_status status;
    char sentence[DT_ERROR_BYTES];
} failure;

static void note_failure(failure *failed, int64_t index, dt_status status) {
#pragma omp critical(dt_text_blocks_failure)
    if (failed->status == DT_OK || index < failed->index) {
        failed->index = index;
        failed->status = status;
        snprintf(failed->sentence, sizeof failed->sentence, "%s", dt_error());
    }
}

static dt_status reserve(dt_text_block *block, int64_t bytes, const char *path) {
    if (bytes <= block->capacity)
        return DT_OK;
    free(block->tokens);
    block->tokens = malloc((size_t)bytes);
    block->capacity = block->tokens ? bytes : 0;
    return block->tokens ? DT_OK : dt_fail("out of memory for the tokens of %s", path);
}

static dt_status encode(const dt_text_blocks *blocks, const dt_text_window *window, dt_encoder *encoder,
                        dt_text_block *block) {
    const dt_text text = dt_text_window_text(window);
    block->count = (dt_token_count){0};
    if (block->start == block->stop)
        return blocks->keep ? reserve(block, blocks->tokenizer->token_bytes, window->path) : DT_OK;
    const dt_status status = dt_encoder_encode(encoder, &text, block->start - window->from,
                                               block->stop - window->from, blocks->keep, &block->count);
    if (status != DT_OK) {
        dt_status_record("%s; found in %s, bytes %" PRId64 " to %" PRId64, dt_error(), window->path,
                         block->start, block->stop);
        return status;
    }
    const int64_t width = blocks->tokenizer->token_bytes, bytes = encoder->count * width;
    if (!blocks->keep)
        return DT_OK;
    DT_TRY(reserve(block, bytes + width, window->path));
    memcpy(block->tokens, encoder->tokens, (size_t)bytes);
    return DT_OK;
}

static dt_status encode_all(const dt_text_blocks *blocks, const dt_text_window *window, int64_t first,
                            dt_text_block *block, int64_t count) {
    failure failed = {.status = DT_OK};
#pragma omp parallel for schedule(dynamic, 1) num_threads(blocks->threads) if (count > 1)
    for (int64_t i = 0; i < count; i++) {
        const int64_t own = (first + i) * DT_TEXT_BLOCK_BYTES,
                      end = dt_min(own + DT_TEXT_BLOCK_BYTES, window->text_bytes);
        block[i].hash = XXH3_64bits(window->bytes + (own - window->from), (size_t)(end - own));
        const dt_status status = encode(blocks, window, &blocks->encoder[omp_get_thread_num()], &block[i]);
        if (status != DT_OK)
            note_failure(&failed, i, status);
    }
    if (failed.status != DT_OK)
        dt_status_record("%s", failed.sentence);
    return failed.status;
}

/* Moves the window over blocks, as many as there are. */
static dt_status move_over(dt_text_window *window, int64_t first, int64_t count, int64_t *found) {
    DT_TRY(dt_text_window_move(window, first * DT_TEXT_BLOCK_BYTES, (first + count) * DT_TEXT_BLOCK_BYTES));
    const int64_t left = window->to - first * DT_TEXT_BLOCK_BYTES; /* some of it may be of the next block */
    *found = left > 0 ? dt_min(count, (left - 1) / DT_TEXT_BLOCK_BYTES + 1) : 0;
    return DT_OK;
}

/* Reads on as far as the tokens of blocks take. A block inside a stretch without a cut has no token, and need
 * not see the stretch's end. */
static dt_status read_ends(const dt_text_blocks *blocks, dt_text_window *window, const int64_t *starts,
                           int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (starts[i] < starts[i + 1])
            DT_TRY(dt_text_window_extend(window, starts[i + 1] + blocks->tokenizer->after));
    return DT_OK;
}

dt_status dt_text_blocks_look(dt_text_blocks *blocks, dt_text_window *window, int64_t first, int64_t count,
                              int64_t *starts, int64_t *found) {
    DT_TRY(move_over(window, first, count, found));
    if (*found == 0)
        return DT_OK;
    DT_TRY(find_cuts(blocks, window, first, starts, *found));
    return read_ends(blocks, window, starts, *found);
}

dt_status dt_text_blocks_append(dt_text_blocks *blocks, dt_text_window *window, int64_t first, int64_t count,
                                const int64_t *starts) {
    DT_ASSERT(count >= 0 && count <= blocks->max - blocks->count);
    dt_text_block *block = blocks->block + blocks->count;
    int64_t found;
    if (starts == NULL) {
        DT_TRY(dt_text_blocks_look(blocks, window, first, count, blocks->starts, &found));
        starts = blocks->starts;
    } else {
        DT_TRY(move_over(window, first, count, &found));
        DT_TRY(read_ends(blocks, window, starts, found));
    }
    for (int64_t i = 0; i < found; i++) {
        block[i].start = starts[i];
        block[i].stop = starts[i + 1];
    }
    blocks->count += found;
    return encode_all(blocks, window, first, block, found);
}

dt_status dt_text_blocks_run(dt_text_blocks *blocks, dt_text_window *window, int64_t first, int64_t count,
                             const int64_t *starts) {
    blocks->count = 0;
    return dt_text_blocks_append(blocks, window, first, count, starts);
}
