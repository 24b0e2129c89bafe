/* Each block has pages of its own, which go back to the system as soon as it is dropped. */
#include "data/held_blocks.h"

#include <omp.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/progress.h"
#include "tokenizer/encoder.h"

dt_status dt_held_blocks_create(dt_held_blocks *held, int64_t count, int64_t limit) {
    DT_ASSERT(held->block == NULL && limit >= 0);
    held->block = dt_memory_alloc(count, sizeof *held->block, "the list of blocks in memory");
    held->count = count;
    held->limit = limit;
    return held->block ? DT_OK : DT_FAILED;
}

void dt_held_blocks_free(dt_held_blocks *held) {
    for (int64_t i = 0; held->block && i < held->count; i++)
        dt_held_blocks_drop(held, i);
    dt_memory_free(held->block);
    *held = (dt_held_blocks){0};
}

void *dt_held_blocks_reserve(dt_held_blocks *held, int64_t index, int64_t length) {
    DT_ASSERT(index >= 0 && index < held->count && length > 0 && held->block[index].bytes == NULL);
    if (length > held->limit - held->bytes)
        return NULL;
    void *space = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED)
        return NULL;
    held->block[index] = (dt_held_block){space, length};
    held->bytes += length;
    return space;
}

bool dt_held_blocks_put(dt_held_blocks *held, int64_t index, const void *bytes, int64_t length) {
    void *space = length > 0 ? dt_held_blocks_reserve(held, index, length) : NULL;
    if (space)
        memcpy(space, bytes, (size_t)length);
    return space || length == 0;
}

void dt_held_blocks_drop(dt_held_blocks *held, int64_t index) {
    dt_held_block *block = &held->block[index];
    if (block->bytes == NULL)
        return;
    (void)munmap(block->bytes, (size_t)block->length);
    held->bytes -= block->length;
    *block = (dt_held_block){0};
}

/* In the place of a block's text its tokens, or nothing. */
static void encode(dt_held_blocks *held, int64_t index, dt_encoder *encoder) {
    const dt_held_block *block = &held->block[index];
    const dt_text text = {block->bytes, block->length, true, true}; /* it begins and ends at a cut */
    dt_token_count count = {0};
    const dt_status status = dt_encoder_encode(encoder, &text, 0, text.length, true, &count);
#pragma omp critical(dt_held_blocks_encode)
    {
        dt_held_blocks_drop(held, index);
        if (status == DT_OK)
            (void)dt_held_blocks_put(held, index, encoder->tokens,
                                     encoder->count * encoder->tokenizer->token_bytes);
    }
    dt_progress_mark();
}

dt_status dt_held_blocks_encode(dt_held_blocks *held, const dt_tokenizer *tokenizer, int threads) {
    dt_encoder *encoder = dt_memory_alloc(threads, sizeof *encoder, "the threads' encoders");
    dt_status status = encoder ? DT_OK : DT_FAILED;
    for (int t = 0; status == DT_OK && t < threads; t++)
        status = dt_encoder_create(&encoder[t], tokenizer);
    if (status == DT_OK) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int64_t i = 0; i < held->count; i++)
            if (held->block[i].bytes)
                encode(held, i, &encoder[omp_get_thread_num()]);
        held->as_text = false;
    }
    for (int t = 0; encoder && t < threads; t++)
        dt_encoder_free(&encoder[t]);
    dt_memory_free(encoder);
    return status;
}
