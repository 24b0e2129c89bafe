/* `dtrain tokenizer train TEXT ..`: a byte-level BPE of a text, as a tokenizer.json. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "data/recognise.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/hf_write.h"
#include "tokenizer/line_counter.h"
#include "tokenizer/tokenizer.h"
#include "verb/table.h"
#include "verb/verb.h"

#define END_OF_TEXT "<|endoftext|>"

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
        dt_log_redraw("reading: %.1f MB", (double)bytes / 1e6);
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
    if (status == DT_OK)
        status = dt_file_save(r->out, text, length);
    dt_tokenizer_free(&tokenizer);
    free(text);
    return status;
}

static void report(const request *r, const dt_line_counter *counter, const dt_bpe_learned *learned) {
    const int64_t V = learned->vocabulary.count + (r->options.end_of_text != NULL);
    const dt_piece_counts *counts = &counter->counts;
    if (counts->forgotten > 0)
        dt_log_note("all of the text was read, and of its pieces %" PRId64
                    " were forgotten on the way that had occurred "
                    "at most %" PRId64 " times by then, to bound memory",
                    counts->forgotten, counts->forgotten_count);
    if (counts->is_full)
        dt_log_note(
            "trained on the first %.1f MB of the text alone: its lines, which are whole pieces by --no-regex, are "
            "more than memory is taken for",
            (double)counter->bytes / 1e6);
    if (V < r->V)
        dt_log_note("the text has no pair of tokens left to merge, so there are fewer than the %" PRId64
                    " tokens of --vocab-size",
                    r->V);
    dt_log_line("%s: %" PRId64 " tokens, from %.1f MB of text with %" PRId64 " different pieces", r->out, V,
                (double)counter->bytes / 1e6, counts->count);
}

/* What is packed or no text would be learned as noise. A pipe is taken as it comes. */
static dt_status expect_text(const char *path) {
    struct stat info;
    int descriptor;
    int64_t file_bytes;
    if (strcmp(path, "-") == 0 || stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return DT_OK;
    DT_TRY(dt_file_open(path, &descriptor, &file_bytes));
    const int64_t length = dt_min(file_bytes, DT_RECOGNISE_BYTES);
    uint8_t *start = dt_memory_alloc(length, 1, "the start of a text");
    dt_status status = start ? dt_file_read_at(descriptor, path, start, (size_t)length, 0) : DT_FAILED;
    if (status == DT_OK)
        status = dt_recognise_text(path, start, length);
    dt_memory_free(start);
    close(descriptor);
    return status;
}

static dt_status train(const request *r) {
    dt_line_counter counter;
    dt_bpe_learned learned = {{0}, NULL, 0};
    dt_status status = dt_line_counter_create(&counter, r->options.use_regex, r->options.add_prefix_space);
    for (int i = 0; i < r->text_count && status == DT_OK; i++)
        status = expect_text(r->texts[i]);
    for (int i = 0; i < r->text_count && status == DT_OK; i++)
        status = dt_line_counter_read(&counter, r->texts[i], show_bytes);
    if (status == DT_OK && counter.bytes == 0)
        status = dt_usage("tokenizer train: expected text to train on, found none in what was named");
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
    if (flags->out == NULL || *flags->out == 0)
        return dt_usage(
            "tokenizer train: expected the name of a new file, as in --out tokenizer.json, found none");
    if (dt_file_is_there(flags->out))
        return dt_usage(
            "tokenizer train: expected the name of a new file for --out, found %s, which is there",
            flags->out);
    if (flags->vocab_size == NULL)
        return dt_usage(
            "tokenizer train: expected how many tokens there shall be, as in --vocab-size 8000, found "
            "nothing");
    *r = (request){.texts = words + 1,
                   .text_count = count - 1,
                   .out = flags->out,
                   .options = {.use_regex = flags->no_regex == NULL,
                               .add_prefix_space = flags->prefix_space != NULL,
                               .end_of_text = flags->no_end_of_text == NULL ? END_OF_TEXT : NULL}};
    return dt_verb_count_within(DT_BPE_TRAINER_MIN_TOKENS + (r->options.end_of_text != NULL),
                                DT_VOCABULARY_MAX_IDS, "vocab-size", flags->vocab_size, &r->V);
}

dt_status dt_verb_tokenizer(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    request r;
    int count = 0;
    dt_log_open(true, dt_log_find_terminal());
    const char **words = calloc((size_t)argc + 1, sizeof *words);
    if (words == NULL)
        return dt_fail("out of memory for the command line");
    dt_status status = dt_verb_read(verb, NULL, argc, argv, &flags, words, &count);
    if (status == DT_OK)
        status = check(&flags, words, count, &r);
    if (status == DT_OK)
        status = train(&r);
    free(words);
    return status;
}
