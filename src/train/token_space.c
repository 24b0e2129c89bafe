/* Samples of the texts, and what statvfs() says. */
#include "train/token_space.h"

#include <stdio.h>
#include <sys/statvfs.h>

#include "base/minmax.h"
#include "base/units.h"
#include "data/text_blocks.h"
#include "data/token_file.h"
#include "data/unpack.h"

/* Beyond the estimate, which is made from samples. */
#define SPACE_FACTOR 1.2

/* How many bytes of tokens a byte of the file makes, by the first block of its text. */
static dt_status estimate_source(const dt_corpus *corpus, dt_text_blocks *blocks, const dt_source *source,
                                 double *ratio) {
    dt_text_window window;
    dt_unpack *unpack = NULL;
    if (source->streamed) {
        DT_TRY(dt_unpack_open(&unpack, source->path, corpus->stop_requested));
        dt_text_window_stream(&window, source->path, unpack, corpus->tokenizer);
    } else
        DT_TRY(dt_text_window_open(&window, source->path, source->file_bytes, corpus->tokenizer));
    dt_text_blocks_restart(blocks);
    const dt_status status = dt_text_blocks_run(blocks, &window, 0, 1, NULL);
    const int64_t read =
        unpack ? dt_unpack_input_bytes(unpack) : dt_min(DT_TEXT_BLOCK_BYTES, source->file_bytes);
    if (status == DT_OK)
        *ratio = (double)(blocks->count > 0 ? blocks->block[0].count.tokens : 0) * corpus->token_bytes /
                 (double)dt_max(read, 1);
    dt_text_window_close(&window);
    dt_unpack_close(unpack);
    return status;
}

/* Texts that are looked at, evenly among all. */
#define ESTIMATED_SOURCES 8

dt_status dt_token_space_estimate(const dt_corpus *corpus, int64_t *bytes) {
    dt_text_blocks blocks;
    const int64_t looked_at = dt_min(corpus->sources, ESTIMATED_SOURCES);
    double sum = 0.0;
    *bytes = 0;
    if (corpus->file_bytes == 0) /* of standard input */
        return DT_OK;
    dt_status status = dt_text_blocks_create(&blocks, corpus->tokenizer, 1, 1, false);
    for (int64_t i = 0; i < looked_at && status == DT_OK; i++) {
        double ratio = 0.0;
        status = estimate_source(corpus, &blocks, &corpus->source[i * corpus->sources / looked_at], &ratio);
        sum += ratio;
    }
    dt_text_blocks_free(&blocks);
    if (status == DT_OK)
        *bytes = DT_TOKEN_HEADER_BYTES + (int64_t)(sum / (double)looked_at * (double)corpus->file_bytes);
    return status;
}

dt_status dt_token_space_check(const dt_corpus *corpus, const char *folder) {
    struct statvfs disk;
    int64_t bytes;
    DT_TRY(dt_token_space_estimate(corpus, &bytes));
    if (statvfs(folder, &disk) != 0)
        return DT_OK; /* writing will tell */
    const double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize,
                 needed = SPACE_FACTOR * (double)bytes;
    if (needed <= free_bytes)
        return DT_OK;
    return dt_fail(
        "expected about %s of free space in %s for the tokens of %s, found %s; make room there, or name another disk",
        dt_units_bytes(needed).text, folder, corpus->path, dt_units_bytes(free_bytes).text);
}
