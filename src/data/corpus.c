/* What a corpus is made of: its files, their blocks in one row, and what is known of all together. */
#include "data/corpus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "data/recognise.h"
#include "data/unpack.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokens.h"

/* More unknown characters than this are worth a warning. */
#define UNKNOWN_FRACTION 0.01

/* Tokens are read from any place of a file, as packed ones cannot be. */
static dt_status refuse_packed_tokens(const char *name, const char *found) {
    return dt_usage(
        "cannot use %s: expected tokens in a file that is not packed, since data_format is given, found %s; "
        "write the tokens to a file and name that, or give data_format: auto for a text",
        name, found);
}

/* What a file is, by its first bytes. */
static dt_status recognise(dt_source *source, int raw_bytes, const uint8_t *bytes, int64_t length) {
    const char *path = source->path;
    if (raw_bytes > 0 && dt_unpack_recognise(bytes, length))
        return refuse_packed_tokens(path, "one packed by gzip or zstd");
    if (dt_token_file_recognise(bytes, length) != DT_TOKEN_FORMAT_NONE || raw_bytes > 0)
        return dt_token_file_open(&source->tokens, path, raw_bytes);
    if (dt_unpack_recognise(bytes, length)) {
        source->streamed = true;
        return DT_OK;
    }
    source->marked = dt_recognise_mark(bytes, length);
    return dt_recognise_text(path, bytes, length);
}

static dt_status look_at_start(dt_source *source, int raw_bytes, int descriptor) {
    const int64_t length = dt_min(source->file_bytes, DT_RECOGNISE_BYTES);
    uint8_t *bytes = dt_memory_alloc(length, 1, "the start of the corpus");
    dt_status status =
        bytes == NULL ? DT_FAILED : dt_file_read_at(descriptor, source->path, bytes, (size_t)length, 0);
    if (status == DT_OK)
        status = recognise(source, raw_bytes, bytes, length);
    dt_memory_free(bytes);
    return status;
}

/* A text's blocks, or those that its file of tokens has. */
static void count_blocks(dt_source *source) {
    if (source->tokens.format != DT_TOKEN_FORMAT_NONE)
        source->blocks = source->tokens.blocks;
    else if (!source->streamed)
        source->blocks = (source->file_bytes - 1) / DT_TEXT_BLOCK_BYTES + 1;
}

static dt_status open_source(dt_source *source, const char *path, int raw_bytes) {
    int descriptor;
    source->path = strdup(path);
    if (source->path == NULL)
        return dt_fail("out of memory while opening %s", path);
    if (strcmp(path, DT_UNPACK_STANDARD_INPUT) == 0) {
        source->streamed = true;
        return raw_bytes > 0 ? refuse_packed_tokens("standard input", "a stream") : DT_OK;
    }
    if (dt_file_open(path, &descriptor, &source->file_bytes) != DT_OK)
        return dt_usage("no corpus: %s; name a file that is there", dt_error());
    const dt_status status = source->file_bytes > 0
                                 ? look_at_start(source, raw_bytes, descriptor)
                                 : dt_usage("cannot use %s: expected %s, found an empty file; name another",
                                            path, raw_bytes > 0 ? "tokens" : "a text");
    close(descriptor);
    count_blocks(source);
    return status;
}

/* Texts and files of tokens follow other rules, so they do not mix. */
static dt_status check_kinds(dt_corpus *corpus) {
    const dt_source *first = &corpus->source[0];
    corpus->is_text = first->tokens.format == DT_TOKEN_FORMAT_NONE;
    for (int64_t i = 0; i < corpus->sources; i++) {
        const dt_source *source = &corpus->source[i];
        const bool is_text = source->tokens.format == DT_TOKEN_FORMAT_NONE;
        if (is_text != corpus->is_text)
            return dt_usage(
                "cannot use %s with %s: expected texts alone or files of tokens alone, found a %s among "
                "%s; tokenize the texts first (dtrain tokenize)",
                source->path, first->path, is_text ? "text" : "file of tokens",
                is_text ? "files of tokens" : "texts");
        if (strcmp(source->path, DT_UNPACK_STANDARD_INPUT) == 0 && corpus->sources > 1)
            return dt_usage(
                "cannot use standard input (-) with other files: expected it alone; put them together "
                "before it (cat FILE - | ..), or write it to a file");
        corpus->is_streamed |= source->streamed;
        corpus->marked |= source->marked;
        corpus->file_bytes += source->file_bytes;
    }
    return DT_OK;
}

/* Tokens by another tokenizer would mean other text. */
static dt_status check_tokens(const dt_corpus *corpus, const dt_token_file *file) {
    const dt_token_about *about = &file->about;
    if (file->format != DT_TOKEN_FORMAT_OWN)
        return DT_OK;
    if (corpus->tokenizer && !dt_tokenizer_is(corpus->tokenizer, about->tokenizer_hash))
        return dt_usage("cannot use %s: expected tokens by this run's tokenizer (%s, hash %016" PRIx64
                        "), found tokens by %s (hash %016" PRIx64
                        "); name that by tokenizer, or tokenize the text "
                        "again",
                        file->path, corpus->tokenizer->kind->name, corpus->tokenizer->hash,
                        about->tokenizer_name, about->tokenizer_hash);
    if (about->V > corpus->V)
        return dt_usage("cannot use %s: expected tokens of a vocabulary of at most %" PRId64
                        ", found one of %" PRId64 "; give vocab_size: %" PRId64
                        ", or the tokenizer that made the file",
                        file->path, corpus->V, about->V, about->V);
    return DT_OK;
}

static dt_status check_source(dt_corpus *corpus, const dt_source *source) {
    if (!corpus->is_text) {
        corpus->token_bytes = (int)dt_max(corpus->token_bytes, source->tokens.about.token_bytes);
        return check_tokens(corpus, &source->tokens);
    }
    if (corpus->tokenizer == NULL)
        return dt_usage(
            "cannot use %s: expected a file of tokens, since no tokenizer is given, found a text; give one, "
            "as in --tokenizer bytes, or name a file of tokens",
            source->path);
    corpus->token_bytes = corpus->tokenizer->token_bytes;
    return DT_OK;
}

static dt_status name_corpus(dt_corpus *corpus) {
    const char *first = corpus->source[0].path;
    if (strcmp(first, DT_UNPACK_STANDARD_INPUT) == 0)
        corpus->path = strdup("standard input");
    else if (corpus->sources == 1)
        corpus->path = strdup(first);
    else if (asprintf(&corpus->path, "%s and %" PRId64 " more file%s", first, corpus->sources - 1,
                      dt_plural_s(corpus->sources - 1)) < 0)
        corpus->path = NULL;
    return corpus->path ? DT_OK : dt_fail("out of memory while opening %s", first);
}

static dt_status make_index(dt_corpus *corpus) {
    corpus->blocks = 0;
    for (int64_t i = 0; i < corpus->sources; i++) {
        corpus->source[i].first_block = corpus->blocks;
        corpus->blocks += corpus->source[i].blocks;
    }
    corpus->block = dt_memory_alloc(corpus->blocks, sizeof *corpus->block, "the index of the corpus");
    corpus->first_token = dt_memory_alloc(corpus->blocks + 1, sizeof(int64_t), "the index of the corpus");
    return corpus->block && corpus->first_token ? DT_OK : DT_FAILED;
}

static dt_status open_all(dt_corpus *corpus, const dt_corpus_inputs *inputs) {
    corpus->source = dt_memory_alloc(inputs->count, sizeof *corpus->source, "the list of files");
    if (corpus->source == NULL)
        return DT_FAILED;
    corpus->sources = inputs->count;
    for (int64_t i = 0; i < inputs->count; i++)
        DT_TRY(open_source(&corpus->source[i], inputs->paths[i], inputs->raw_bytes));
    DT_TRY(check_kinds(corpus));
    for (int64_t i = 0; i < corpus->sources; i++)
        DT_TRY(check_source(corpus, &corpus->source[i]));
    DT_TRY(name_corpus(corpus));
    return make_index(corpus);
}

dt_status dt_corpus_open(dt_corpus *corpus, const dt_corpus_inputs *inputs) {
    DT_ASSERT(inputs->count > 0);
    const bool joins = inputs->join && inputs->tokenizer;
    *corpus = (dt_corpus){.tokenizer = inputs->tokenizer,
                          .V = inputs->V,
                          .threads = inputs->threads > 0 ? inputs->threads : 1,
                          .joint = joins ? inputs->tokenizer->end_of_text : -1};
    const dt_status status = open_all(corpus, inputs);
    if (status != DT_OK)
        dt_corpus_close(corpus);
    return status;
}

static void close_sources(dt_corpus *corpus) {
    dt_held_blocks_free(&corpus->held);
    for (int64_t i = 0; i < corpus->sources; i++) {
        free(corpus->source[i].path);
        dt_token_file_close(&corpus->source[i].tokens);
    }
    dt_memory_free(corpus->source);
    dt_memory_free(corpus->block);
    dt_memory_free(corpus->first_token);
}

/* A text, or another program's tokens, would be taken for those of the text that the name stands for. */
static dt_status expect_own_tokens(const dt_corpus *made, const char *path) {
    return made->sources == 1 && made->source[0].tokens.format == DT_TOKEN_FORMAT_OWN
               ? DT_OK
               : dt_fail("cannot use %s: expected a file of tokens as `dtrain tokenize` writes it, found "
                         "something else",
                         path);
}

dt_status dt_corpus_open_kept(dt_corpus *made, const dt_corpus *corpus, const char *path) {
    const dt_corpus_inputs inputs = {
        .paths = &path, .count = 1, .tokenizer = corpus->tokenizer, .V = corpus->V};
    DT_TRY(dt_corpus_open(made, &inputs));
    dt_status status = expect_own_tokens(made, path);
    if (status == DT_OK)
        status = dt_corpus_index(made, 0, 1); /* reads nothing of such a file */
    if (status == DT_OK)
        status = dt_corpus_finish(made);
    char *name = status == DT_OK ? strdup(corpus->path) : NULL;
    if (status == DT_OK && name == NULL)
        status = dt_fail("out of memory while opening %s", path);
    if (status != DT_OK) {
        dt_corpus_close(made);
        return status;
    }
    free(made->path);
    made->path = name;
    made->stop_requested = corpus->stop_requested;
    made->marked = made->source[0].tokens.about.marked;
    return DT_OK;
}

void dt_corpus_replace(dt_corpus *corpus, dt_corpus *made) {
    dt_corpus_close(corpus);
    *corpus = *made;
    *made = (dt_corpus){0};
}

void dt_corpus_slice(int64_t blocks, int rank, int size, int64_t *first, int64_t *end) {
    DT_ASSERT(blocks >= 0 && rank >= 0 && rank < size);
    int64_t each = blocks / size, rest = blocks % size; /* the first `rest` ranks take one more */
    *first = rank * each + (rank < rest ? rank : rest);
    *end = *first + each + (rank < rest);
}

const dt_source *dt_corpus_source(const dt_corpus *corpus, int64_t index) {
    DT_ASSERT(index >= 0 && index < corpus->blocks);
    int64_t low = 0, high = corpus->sources - 1;
    while (low < high) {
        const int64_t middle = high - (high - low) / 2;
        if (corpus->source[middle].first_block <= index)
            low = middle;
        else
            high = middle - 1;
    }
    return &corpus->source[low];
}

bool dt_corpus_is_joined(const dt_corpus *corpus, const dt_source *source) {
    return corpus->is_text && corpus->joint >= 0 && source < corpus->source + corpus->sources - 1;
}

uint64_t dt_corpus_join_hashes(const uint64_t *hashes, int64_t count, bool joined) {
    if (count == 1)
        return hashes[0];
    const uint64_t both[2] = {XXH3_64bits(hashes, (size_t)count * sizeof *hashes), joined};
    return XXH3_64bits(both, sizeof both);
}

/* What a file's own header says of its content, else the hash of its blocks' hashes. */
static uint64_t hash_source(const dt_corpus *corpus, const dt_source *source, XXH3_state_t *state) {
    if (source->tokens.format == DT_TOKEN_FORMAT_OWN)
        return source->tokens.about.content_hash;
    (void)XXH3_64bits_reset(state);
    for (int64_t i = source->first_block; i < source->first_block + source->blocks; i++)
        (void)XXH3_64bits_update(state, &corpus->block[i].hash, sizeof corpus->block[i].hash);
    return XXH3_64bits_digest(state);
}

static dt_status hash_sources(dt_corpus *corpus) {
    uint64_t *hashes = dt_memory_alloc(corpus->sources, sizeof *hashes, "the files' hashes");
    XXH3_state_t *state = XXH3_createState();
    dt_status status = hashes == NULL  ? DT_FAILED
                       : state == NULL ? dt_fail("out of memory while hashing the index of %s", corpus->path)
                                       : DT_OK;
    for (int64_t i = 0; status == DT_OK && i < corpus->sources; i++)
        hashes[i] = corpus->source[i].hash = hash_source(corpus, &corpus->source[i], state);
    if (status == DT_OK)
        corpus->hash = dt_corpus_join_hashes(hashes, corpus->sources, corpus->joint >= 0);
    XXH3_freeState(state);
    dt_memory_free(hashes);
    return status;
}

static void add_count(dt_token_count *total, const dt_token_count *count) {
    total->tokens += count->tokens;
    total->unknown += count->unknown;
    total->invalid += count->invalid;
    total->zero += count->zero;
}

dt_status dt_corpus_finish(dt_corpus *corpus) {
    DT_ASSERT(corpus->first_token != NULL);
    corpus->total = (dt_token_count){0};
    int64_t content_bytes = 0;
    for (int64_t s = 0; s < corpus->sources; s++) {
        const dt_source *source = &corpus->source[s];
        for (int64_t i = source->first_block; i < source->first_block + source->blocks; i++) {
            corpus->first_token[i] = corpus->total.tokens;
            add_count(&corpus->total, &corpus->block[i].count);
        }
        corpus->total.tokens += dt_corpus_is_joined(corpus, source);
        if (source->tokens.format == DT_TOKEN_FORMAT_OWN) {
            corpus->total.unknown += source->tokens.about.count.unknown;
            corpus->total.invalid += source->tokens.about.count.invalid;
            corpus->total.zero += source->tokens.about.count.zero;
            content_bytes += source->tokens.about.content_bytes;
        } else
            content_bytes += source->file_bytes;
    }
    corpus->file_bytes = content_bytes;
    corpus->first_token[corpus->blocks] = corpus->total.tokens;
    if (corpus->held.as_text)
        DT_TRY(dt_held_blocks_encode(&corpus->held, corpus->tokenizer, corpus->threads));
    return hash_sources(corpus);
}

void dt_corpus_warn(const dt_corpus *corpus) {
    const dt_token_count *total = &corpus->total;
    const double fraction = (double)total->unknown / (double)total->tokens;
    const bool knows_unknown = corpus->tokenizer && corpus->tokenizer->unknown >= 0;
    if (corpus->marked)
        dt_log_warn("%s begins with a byte order mark, which %s; tail -c +4 FILE >NEW removes it",
                    corpus->path, knows_unknown ? "counts as one <UNK>" : "the model learns as text");
    if (total->zero > 0)
        dt_log_warn("%s holds %" PRId64
                    " NUL byte%s, %s; a copy that was cut short can have them; check that the file is whole",
                    corpus->path, total->zero, dt_plural_s(total->zero),
                    knows_unknown ? "one <UNK> each" : "which the model learns as text");
    if (fraction > UNKNOWN_FRACTION)
        dt_log_warn(
            "%.1f %% of %s (%" PRId64 " of %" PRId64 " characters, %" PRId64 " for bytes that are not "
            "UTF-8) are not in the vocabulary and count as <UNK>: the model cannot learn them, and they "
            "make its losses look lower; %s",
            100.0 * fraction, corpus->path, total->unknown, total->tokens, total->invalid,
            2 * total->invalid > total->unknown
                ? "iconv -f LATIN1 (or its real encoding) -t UTF-8 FILE >NEW makes characters of the bytes"
                : "--tokenizer bytes or --tokenizer chars knows them all; for a European language iconv -f "
                  "UTF-8 -t ASCII//TRANSLIT FILE >NEW writes most of them in ASCII");
}

dt_status dt_corpus_check_request(const dt_corpus *corpus) {
    return corpus->stop_requested && corpus->stop_requested()
               ? dt_stopped("asked to stop while %s %s read", corpus->path,
                            dt_plural(corpus->sources, "was", "were"))
               : DT_OK;
}

static void remove_temporary(const dt_corpus *corpus) {
    if (corpus->temporary == NULL)
        return;
    (void)unlink(corpus->source[0].path);
    (void)rmdir(corpus->temporary);
}

void dt_corpus_close(dt_corpus *corpus) {
    remove_temporary(corpus);
    if (corpus->has_copies)
        close(corpus->copies);
    close_sources(corpus);
    free(corpus->temporary);
    free(corpus->path);
    *corpus = (dt_corpus){0};
}
