/* Rows are gathered first, since where a rank's blocks lie in the file depends on all before them. */
#include "train/tokenize_round.h"

#include <stdlib.h>

#include "comm/agree.h"
#include "comm/contract.h"
#include "tokenizer/tokens.h"

/* Space for the rows of what is written in a round. */
static dt_status reserve_written(dt_tokenize_work *t, int64_t rows) {
    if (rows == 0 || rows <= t->written_capacity)
        return DT_OK;
    dt_token_row *longer = realloc(t->written, (size_t)rows * sizeof *longer);
    if (longer == NULL)
        return dt_fail("out of memory for the table of %s", t->writer->temporary);
    t->written = longer;
    t->written_capacity = rows;
    return DT_OK;
}

void dt_tokenize_round_join(const dt_tokenize_work *t, const dt_source *source, dt_text_block *block,
                            dt_tokenize_row *row) {
    const int32_t joint = (int32_t)t->corpus->joint;
    const int width = t->corpus->token_bytes;
    if (!dt_corpus_is_joined(t->corpus, source))
        return;
    dt_tokens_narrow(block->tokens + row->count.tokens * width, &joint, width, 1);
    row->count.tokens++;
}

/* Writes the blocks at hand, whose rows are row[0 .. count), from byte `offset` on, and makes their rows in
 * `written`. */
static dt_status put(const dt_tokenize_work *t, const dt_tokenize_row *row, int64_t count, int64_t offset,
                     dt_token_row *written) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t tokens = row[i].count.tokens;
        DT_TRY(dt_token_writer_put(t->writer, offset, t->blocks.block[i].tokens, tokens, written));
        offset += dt_token_writer_bytes(tokens, t->corpus->token_bytes);
        written += dt_token_writer_rows(tokens);
    }
    return DT_OK;
}

void dt_tokenize_round_add(dt_token_count *total, const dt_token_count *count) {
    total->tokens += count->tokens;
    total->unknown += count->unknown;
    total->invalid += count->invalid;
    total->zero += count->zero;
}

static int64_t rows_of(const dt_tokenize_row *row, int64_t count) {
    int64_t rows = 0;
    for (int64_t i = 0; i < count; i++)
        rows += dt_token_writer_rows(row[i].count.tokens);
    return rows;
}

dt_status dt_tokenize_round_write(dt_tokenize_work *t, int64_t count, int64_t own_first, int64_t own_count) {
    const dt_world *world = t->world;
    DT_COLLECTIVE(world, DT_SAME_INT(count), DT_SAME_INT(t->writer->offset));
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
