/* Every rank holds the bytes of a round, so that blocks are cut and joined as those of a file are. */
#include "train/tokenize_stream.h"

#include <string.h>

#include "base/meter.h"
#include "base/minmax.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "data/recognise.h"
#include "data/unpack.h"

/* Blocks of a stream that all ranks hold for a round, or as many as one rank takes. */
#define STREAM_BLOCKS 64

/* What stands at the start of a stream must be a text, as that of a file must. */
static dt_status recognise(dt_tokenize_work *t, const char *name, const dt_text_window *window) {
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

/* What rank 0 has read of a stream for a round, and tells the others. */
typedef struct stream_round {
    int64_t first, count;         /* blocks */
    int64_t from, to, text_bytes; /* as its window has them */
} stream_round;

/* The blocks of a round that rank `r` takes: all of a text that cannot be cut are rank 0's. */
static void slice_round(const dt_tokenize_work *t, int64_t count, int r, int64_t *first, int64_t *end_index) {
    if (t->corpus->tokenizer->can_cut)
        dt_corpus_slice(count, r, t->world->size, first, end_index);
    else {
        *first = r == 0 ? 0 : count;
        *end_index = count;
    }
}

/* Rank 0 alone. */
static dt_status read_round(dt_tokenize_work *t, dt_text_window *window, stream_round *round) {
    const bool can_cut = t->corpus->tokenizer->can_cut;
    const int64_t all = dt_min(t->world->size * t->blocks_max, dt_max(t->blocks_max, STREAM_BLOCKS));
    DT_TRY(dt_text_blocks_look(&t->blocks, window, round->first, can_cut ? all : t->blocks_max, t->starts,
                               &round->count));
    if (round->first == 0)
        DT_TRY(recognise(t, window->path, window));
    round->from = window->from;
    round->to = window->to;
    round->text_bytes = window->text_bytes;
    return DT_OK;
}

/* Every rank has the window that rank 0 has. */
static dt_status hand_out(dt_tokenize_work *t, dt_text_window *window, stream_round *round) {
    const dt_world *world = t->world;
    DT_TRY(dt_world_broadcast(world, round, (int64_t)sizeof *round));
    DT_TRY(dt_world_broadcast(world, t->starts, (round->count + 1) * (int64_t)sizeof *t->starts));
    if (world->size == 1 || round->count == 0 || !t->corpus->tokenizer->can_cut)
        return DT_OK;
    DT_TRY(dt_agree(world, world->rank > 0
                               ? dt_text_window_take(window, round->from, round->to, round->text_bytes)
                               : DT_OK));
    return dt_world_broadcast(world, window->bytes, round->to - round->from);
}

static dt_status encode_round(dt_tokenize_work *t, const dt_source *source, dt_text_window *window,
                              const stream_round *round, int64_t first, int64_t end_index) {
    t->blocks.count = 0;
    if (first < end_index)
        DT_TRY(dt_text_blocks_append(&t->blocks, window, round->first + first, end_index - first,
                                     t->starts + first));
    for (int64_t i = 0; i < t->blocks.count; i++) {
        dt_tokenize_row *row = &t->row[first + i];
        *row = (dt_tokenize_row){t->blocks.block[i].hash, t->blocks.block[i].count};
        if ((round->first + first + i + 1) * DT_TEXT_BLOCK_BYTES >= round->text_bytes)
            dt_tokenize_round_join(t, source, &t->blocks.block[i], row);
    }
    return DT_OK;
}

/* The blocks of a round, by all ranks together. */
static dt_status tokenize_round(dt_tokenize_work *t, const dt_source *source, dt_text_window *window,
                                const stream_round *round) {
    int64_t first, end_index;
    for (int r = 0; r < t->world->size; r++) {
        slice_round(t, round->count, r, &first, &end_index);
        t->counts[r] = end_index - first;
    }
    slice_round(t, round->count, t->world->rank, &first, &end_index);
    DT_TRY(dt_agree(t->world, encode_round(t, source, window, round, first, end_index)));
    DT_TRY(dt_tokenize_round_write(t, round->count, first, end_index - first));
    for (int64_t i = 0; i < round->count; i++) {
        (void)XXH3_64bits_update(t->state, &t->row[i].hash, sizeof t->row[i].hash);
        dt_tokenize_round_add(&t->total, &t->row[i].count);
    }
    return DT_OK;
}

/* Round by round: rank 0 reads, through `unpack`, and all tokenize. */
static dt_status read_stream(dt_tokenize_work *t, const dt_source *source, dt_unpack *unpack,
                             dt_text_window *window) {
    stream_round round = {.first = 0};
    dt_meter meter;
    dt_meter_start(&meter, "tokenizing", window->path,
                   source->copy_bytes > 0 ? source->copy_bytes : source->file_bytes, NULL);
    do {
        round.first += round.count;
        DT_TRY(dt_agree(t->world, t->world->rank == 0 ? read_round(t, window, &round) : DT_OK));
        DT_TRY(hand_out(t, window, &round));
        if (round.count > 0)
            DT_TRY(tokenize_round(t, source, window, &round));
        if (unpack)
            dt_meter_move(&meter, dt_unpack_input_bytes(unpack));
    } while (round.count > 0);
    t->content_bytes += round.text_bytes;
    return DT_OK;
}

/* What was put aside when characters were collected (train/vocabulary.h) is read from there. */
static dt_status open_stream(const dt_corpus *corpus, const dt_source *source, dt_unpack **unpack) {
    return source->copy_bytes > 0
               ? dt_unpack_open_copy(unpack, source->path, corpus->stop_requested, corpus->copies,
                                     source->copy_first, source->copy_bytes)
               : dt_unpack_open(unpack, source->path, corpus->stop_requested);
}

dt_status dt_tokenize_stream_take(dt_tokenize_work *t, const dt_source *source) {
    DT_COLLECTIVE(t->world, DT_SAME_INT(source - t->corpus->source));
    const bool standard = strcmp(source->path, DT_UNPACK_STANDARD_INPUT) == 0;
    dt_text_window window;
    dt_unpack *unpack = NULL;
    dt_text_blocks_restart(&t->blocks);
    (void)XXH3_64bits_reset(t->state);
    DT_TRY(dt_agree(t->world, t->world->rank == 0 ? open_stream(t->corpus, source, &unpack) : DT_OK));
    dt_text_window_stream(&window, standard ? "standard input" : source->path, unpack, t->corpus->tokenizer);
    const dt_status status = read_stream(t, source, unpack, &window);
    dt_text_window_close(&window);
    dt_unpack_close(unpack);
    t->hashes[source - t->corpus->source] = XXH3_64bits_digest(t->state);
    return status;
}
