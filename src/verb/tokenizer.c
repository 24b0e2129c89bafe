/* `dtrain tokenizer train TEXT ..`: a byte-level BPE of a text, as a tokenizer.json. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/minmax.h"
#include "base/replace.h"
#include "base/units.h"
#include "comm/agree.h"
#include "data/corpus_files.h"
#include "data/recognise.h"
#include "data/token_file.h"
#include "data/unpack.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/hf_write.h"
#include "tokenizer/line_counter.h"
#include "tokenizer/tokenizer.h"
#include "verb/verb.h"

#define END_OF_TEXT "<|endoftext|>"
#define READ_BYTES  ((int64_t)1 << 20)

/* ---- progress ---- */

/* Whether it is time for another line. */
static bool is_due(void) {
    static double last;
    const double now = dt_clock_seconds();
    if (now - last < 0.5)
        return false;
    last = now;
    return true;
}

static void show_bytes(int64_t bytes) {
    if (is_due())
        dt_log_redraw("reading: %s", dt_units_bytes((double)bytes).text);
}

static void show_tokens(int64_t tokens) {
    if (is_due())
        dt_log_redraw("merging: %" PRId64 " tokens", tokens);
}

/* ---- the work ---- */

/* What the command line asks for. */
typedef struct request {
    const char *const *texts;
    int text_count;
    const char *out;
    int64_t V;
    dt_hf_options options;
} request;

static dt_status save(const request *r, const dt_bpe_learned *learned) {
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return dt_fail("out of memory for %s", r->out);
    dt_status status = dt_hf_write(memory, learned, &r->options);
    const bool failed = ferror(memory) != 0;
    if ((fclose(memory) != 0 || failed) && status == DT_OK)
        status = dt_fail("out of memory for %s", r->out);
    dt_tokenizer tokenizer = {0};
    /* What is written is what is read again. */
    if (status == DT_OK)
        status = dt_bpe_tokenizer_read(&tokenizer, text, length, r->out);
    /* Whole, or not at all; "-" is a file's name here. */
    if (status == DT_OK)
        status = dt_replace_write(strcmp(r->out, "-") == 0 ? "./-" : r->out, text, length);
    dt_tokenizer_free(&tokenizer);
    free(text);
    return status;
}

static void report(const request *r, const dt_line_counter *counter, const dt_bpe_learned *learned) {
    const int64_t V = learned->vocabulary.count + (r->options.end_of_text != NULL);
    const dt_piece_counts *counts = &counter->counts;
    if (counts->forgotten > 0)
        dt_log_note(
            "to bound memory, %" PRId64
            " rare pieces of the text were not counted to its end; none of them had occurred more than "
            "%" PRId64 " times by then",
            counts->forgotten, counts->forgotten_count);
    if (counts->is_full)
        dt_log_note(
            "trained on the first %s of the text only: with --no-regex each line is one piece, and more of them would "
            "take more memory than is allowed; leave --no-regex out to train on all of it",
            dt_units_bytes((double)counter->bytes).text);
    if (V < r->V)
        dt_log_note("the text has no pair of tokens left to merge, so there are fewer than the %" PRId64
                    " tokens of --vocab-size",
                    r->V);
    dt_log_line("%s: %" PRId64 " tokens, from %s of text with %" PRId64 " different pieces", r->out, V,
                dt_units_bytes((double)counter->bytes).text, counts->count);
}

/* What is no text would be learned as noise. */
static dt_status expect_text(const char *name, const uint8_t *start, int64_t length) {
    if (dt_token_file_recognise(start, length) != DT_TOKEN_FORMAT_NONE)
        return dt_usage(
            "cannot use %s: expected a text, found tokens; `dtrain tokenize --decode` gives their text",
            name);
    return dt_recognise_text(name, start, dt_min(length, DT_RECOGNISE_BYTES));
}

static dt_status count_unpacked(dt_line_counter *counter, dt_unpack *unpack, const char *name,
                                uint8_t *bytes) {
    int64_t got = READ_BYTES;
    bool is_start = true;
    while (got == READ_BYTES && !counter->counts.is_full) {
        DT_TRY(dt_unpack_read(unpack, bytes, READ_BYTES, &got));
        if (is_start && got > 0)
            DT_TRY(expect_text(name, bytes, got));
        DT_TRY(dt_line_counter_add(counter, bytes, got));
        is_start = false;
        show_bytes(counter->bytes);
    }
    return dt_line_counter_end(counter);
}

/* A file, perhaps packed, a pipe or standard input. */
static dt_status count_text(dt_line_counter *counter, const char *path) {
    const bool standard = strcmp(path, DT_UNPACK_STANDARD_INPUT) == 0;
    dt_unpack *unpack;
    DT_TRY(dt_unpack_open(&unpack, path, NULL));
    uint8_t *bytes = malloc(READ_BYTES);
    const dt_status status = bytes
                                 ? count_unpacked(counter, unpack, standard ? "standard input" : path, bytes)
                                 : dt_fail("out of memory for reading a text");
    free(bytes);
    dt_unpack_close(unpack);
    return status;
}

/* All that the names and globs mean. */
static dt_status count_texts(dt_line_counter *counter, const request *r) {
    char **paths;
    size_t count;
    DT_TRY(dt_corpus_files_find(r->texts, r->text_count, &paths, &count));
    dt_status status = DT_OK;
    for (size_t i = 0; i < count && status == DT_OK; i++)
        status = count_text(counter, paths[i]);
    dt_file_free_names(paths, count);
    if (status == DT_OK && counter->bytes == 0)
        status = dt_usage("tokenizer train: expected text to train on, found none in what was named");
    return status;
}

static dt_status train(const request *r) {
    dt_line_counter counter;
    dt_bpe_learned learned = {{0}, NULL, 0};
    /* Without a regex a piece may hold the token that ends a text, as merges would make it: a token twice. */
    const char *apart = r->options.use_regex ? NULL : r->options.end_of_text;
    dt_status status =
        dt_line_counter_create(&counter, r->options.use_regex, r->options.add_prefix_space, apart);
    if (status == DT_OK)
        status = count_texts(&counter, r);
    if (status == DT_OK)
        status =
            dt_bpe_train(&counter.counts, r->V - (r->options.end_of_text != NULL), show_tokens, &learned);
    dt_log_settle();
    if (status == DT_OK)
        status = save(r, &learned);
    if (status == DT_OK) {
        report(r, &counter, &learned);
        status = dt_verb_printed("what was written");
    }
    dt_bpe_learned_free(&learned);
    dt_line_counter_free(&counter);
    return status;
}

/* ---- the command line ---- */

static dt_status check(const dt_verb_flags *flags, const char *const *words, int count, request *r) {
    if (count == 0 || strcmp(words[0], "train") != 0)
        return dt_usage("tokenizer: expected what to do, which is train, found %s%s%s",
                        count == 0 ? "nothing" : "\"", count == 0 ? "" : words[0], count == 0 ? "" : "\"");
    if (count == 1)
        return dt_usage("tokenizer train: expected text files, found none; - is standard input");
    DT_TRY(dt_verb_expect_one_standard_input("tokenizer train", words + 1, count - 1));
    if (flags->out == NULL || *flags->out == 0)
        return dt_usage(
            "tokenizer train: expected the name of a new file, as in --out tokenizer.json, found none");
    if (dt_file_is_there(flags->out))
        return dt_usage(
            "tokenizer train: expected the name of a new file for --out, found %s, which is there",
            flags->out);
    DT_TRY(dt_replace_check(flags->out)); /* before the work */
    if (flags->vocab_size == NULL)
        return dt_usage(
            "tokenizer train: expected the number of tokens, as in --vocab-size 8000, found no --vocab-size");
    *r = (request){.texts = words + 1,
                   .text_count = count - 1,
                   .out = flags->out,
                   .options = {.use_regex = flags->no_regex == NULL,
                               .add_prefix_space = flags->prefix_space != NULL,
                               .end_of_text = flags->no_end_of_text == NULL ? END_OF_TEXT : NULL}};
    return dt_verb_count_within(DT_BPE_TRAINER_MIN_TOKENS + (r->options.end_of_text != NULL),
                                DT_VOCABULARY_MAX_IDS, "vocab-size", flags->vocab_size, &r->V);
}

static dt_status read_and_train(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    request r;
    const char **words;
    int count;
    dt_status status = dt_verb_words(verb, argc, argv, &flags, &words, &count);
    if (status == DT_OK)
        status = check(&flags, words, count, &r);
    if (status == DT_OK)
        status = train(&r);
    free(words);
    return status;
}

/* Rank 0 does all of it, and the others sleep. */
static dt_status by_rank_0(const dt_world *world, const dt_verb *verb, int argc, char **argv) {
    dt_world alone;
    DT_TRY(dt_world_split(world, 1, &alone));
    const dt_status status = world->rank == 0 ? read_and_train(verb, argc, argv) : DT_OK;
    DT_TRY(dt_world_rejoin(world, &alone));
    return dt_agree(world, status);
}

dt_status dt_verb_tokenizer(const dt_verb *verb, int argc, char **argv) {
    dt_world world;
    DT_TRY(dt_world_open(&world));
    dt_log_open(world.rank == 0, dt_log_find_terminal());
    dt_status status = dt_verb_same_launch(&world, argc, argv);
    if (status == DT_OK)
        status = by_rank_0(&world, verb, argc, argv);
    return dt_verb_leave(&world, status);
}
