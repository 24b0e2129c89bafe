/* A file block by block, each read with the few bytes around it that decide where its tokens begin. */
#include "data/corpus.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/meter.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "data/recognise.h"
#include "tokenizer/encoder.h"
#include "tokenizer/tokenizer.h"

#define FOLDER    "data"
#define PREFERRED "uni-alg-int.txt"
#define SUFFIX    ".txt"

/* More unknown characters than this are worth a warning. */
#define UNKNOWN_FRACTION 0.01

/* A text file as the shell's *.txt means it: not a hidden one, and no folder. */
static bool is_candidate(const char *name, const char *path) {
    size_t length = strlen(name), suffix = strlen(SUFFIX);
    return name[0] != '.' && length > suffix && strcmp(name + length - suffix, SUFFIX) == 0 &&
           dt_file_exists(path) && !dt_file_is_folder(path);
}

/* Takes data/`name` as the corpus if it is one; `*path` stays NULL otherwise. */
static dt_status consider(const char *name, char **path) {
    char *joined = dt_file_join(FOLDER, name);
    if (joined == NULL)
        return dt_fail("out of memory while looking for a corpus");
    if (is_candidate(name, joined))
        *path = joined;
    else
        free(joined);
    return DT_OK;
}

dt_status dt_corpus_find(char **path) {
    *path = NULL;
    DT_TRY(consider(PREFERRED, path));
    if (*path == NULL && dt_file_is_folder(FOLDER)) {
        char **names;
        size_t count;
        DT_TRY(dt_file_list(FOLDER, &names, &count));
        dt_status status = DT_OK;
        for (size_t i = 0; i < count && *path == NULL && status == DT_OK; i++)
            status = consider(names[i], path);
        dt_file_free_names(names, count);
        DT_TRY(status);
    }
    if (*path != NULL)
        return DT_OK;
    char here[PATH_MAX];
    return dt_usage(
        "no corpus: expected %s/%s or another *%s in %s/ of the working folder %s, found none; name a "
        "text file with --data FILE or `data: FILE`",
        FOLDER, PREFERRED, SUFFIX, FOLDER, getcwd(here, sizeof here) != NULL ? here : "(unknown)");
}

/* What the file's first bytes say of it. */
static dt_status recognise(dt_corpus *corpus, const char *path, int descriptor) {
    const int64_t length =
        corpus->file_bytes < DT_RECOGNISE_BYTES ? corpus->file_bytes : (int64_t)DT_RECOGNISE_BYTES;
    uint8_t *bytes = dt_memory_alloc(length, 1, "the start of the corpus");
    dt_status status =
        bytes == NULL ? DT_FAILED : dt_file_read_at(descriptor, path, bytes, (size_t)length, 0);
    if (status == DT_OK)
        status = dt_recognise_text(path, bytes, length);
    corpus->marked = status == DT_OK && dt_recognise_mark(bytes, length);
    dt_memory_free(bytes);
    return status;
}

dt_status dt_corpus_open(dt_corpus *corpus, const char *path, const dt_tokenizer *tokenizer) {
    int descriptor;
    int64_t file_bytes;
    *corpus = (dt_corpus){0};
    if (strcmp(path, "-") == 0)
        return dt_usage(
            "no corpus: - is standard input, which can be read only once, but every rank reads parts of "
            "the text; write it to a file and name that (a file that is called - is ./-)");
    if (dt_file_open(path, &descriptor, &file_bytes) != DT_OK)
        return dt_usage("no corpus: %s; name a text file with --data FILE or `data: FILE`", dt_error());
    corpus->file_bytes = file_bytes;
    const dt_status recognised =
        file_bytes > 0 ? recognise(corpus, path, descriptor)
                       : dt_usage("cannot use %s: expected a text, found an empty file; name another with "
                                  "--data FILE",
                                  path);
    close(descriptor);
    DT_TRY(recognised);
    corpus->blocks = (file_bytes - 1) / DT_CORPUS_BLOCK_BYTES + 1;
    corpus->tokenizer = tokenizer;
    corpus->path = strdup(path);
    corpus->block = dt_memory_alloc(corpus->blocks, sizeof *corpus->block, "the index of the corpus");
    corpus->first_token = dt_memory_alloc(corpus->blocks + 1, sizeof(int64_t), "the index of the corpus");
    dt_status status = DT_OK;
    if (corpus->path == NULL)
        status = dt_fail("out of memory while opening %s", path);
    else if (corpus->block == NULL || corpus->first_token == NULL)
        status = DT_FAILED;
    if (status != DT_OK)
        dt_corpus_close(corpus);
    return status;
}

void dt_corpus_slice(int64_t blocks, int rank, int size, int64_t *first, int64_t *end) {
    DT_ASSERT(blocks >= 0 && rank >= 0 && rank < size);
    int64_t each = blocks / size, rest = blocks % size; /* the first `rest` ranks take one more */
    *first = rank * each + (rank < rest ? rank : rest);
    *end = *first + each + (rank < rest);
}

/* What is read past a block's end at once, since the tokenizer's next cut is likely to be in it. */
#define AHEAD_BYTES 4096

/* The file while blocks of it are read, and the stretch of it that is in memory. */
typedef struct block_reader {
    const dt_corpus *corpus;
    int descriptor;
    dt_encoder encoder;
    uint8_t *bytes; /* [capacity]: the file's bytes [from, to) */
    int64_t capacity, from, to;
    int64_t known_index, known_start; /* of a block whose start is known from the one before it */
} block_reader;

static void reader_close(block_reader *reader) {
    close(reader->descriptor);
    dt_encoder_free(&reader->encoder);
    free(reader->bytes);
}

static dt_status reader_open(block_reader *reader, const dt_corpus *corpus) {
    int64_t found_bytes;
    *reader = (block_reader){.corpus = corpus, .known_index = -1};
    DT_TRY(dt_file_open(corpus->path, &reader->descriptor, &found_bytes));
    dt_status status = dt_encoder_create(&reader->encoder, corpus->tokenizer);
    if (status == DT_OK && found_bytes != corpus->file_bytes)
        status = dt_fail("%s changed while in use: expected %" PRId64
                         " bytes, as at the start, found %" PRId64 "; start again and leave the file alone",
                         corpus->path, corpus->file_bytes, found_bytes);
    if (status != DT_OK)
        reader_close(reader);
    return status;
}

/* Reads on: the file's bytes [from, to) are in memory then, those that are there already staying. */
static dt_status reader_extend(block_reader *reader, int64_t to) {
    const int64_t end = dt_min(to, reader->corpus->file_bytes), needed = end - reader->from;
    if (end <= reader->to)
        return DT_OK;
    if (needed > reader->capacity) {
        uint8_t *bytes = realloc(reader->bytes, (size_t)needed);
        if (bytes == NULL)
            return dt_fail("out of memory for %" PRId64
                           " bytes of %s, in which its tokenizer finds no place to cut "
                           "it; use another tokenizer, or break up its longest line",
                           needed, reader->corpus->path);
        reader->bytes = bytes;
        reader->capacity = needed;
    }
    DT_TRY(dt_file_read_at(reader->descriptor, reader->corpus->path,
                           reader->bytes + (reader->to - reader->from), (size_t)(end - reader->to),
                           reader->to));
    reader->to = end;
    return DT_OK;
}

static dt_text reader_text(const block_reader *reader) {
    return (dt_text){reader->bytes, reader->to - reader->from, reader->from == 0,
                     reader->to == reader->corpus->file_bytes};
}

/* The first cut at or behind byte `at` of the file, reading on until there is one. */
static dt_status reader_cut(block_reader *reader, int64_t at, int64_t *cut) {
    for (;;) {
        const dt_text text = reader_text(reader);
        const int64_t found = dt_tokenizer_cut(reader->corpus->tokenizer, &text, at - reader->from);
        *cut = reader->from + found;
        if (found >= 0)
            return DT_OK;
        DT_TRY(reader_extend(reader, reader->to + DT_CORPUS_BLOCK_BYTES));
    }
}

/* Where the bytes of block `index` end in the file. */
static int64_t end_of(const dt_corpus *corpus, int64_t index) {
    return dt_min((index + 1) * DT_CORPUS_BLOCK_BYTES, corpus->file_bytes);
}

/* Reads block `index` with what the tokenizer must see around it, and makes its row but for its count. */
static dt_status reader_load(block_reader *reader, int64_t index, dt_corpus_block *row) {
    const dt_corpus *corpus = reader->corpus;
    const int64_t first = index * DT_CORPUS_BLOCK_BYTES, end = end_of(corpus, index);
    reader->from = reader->to = dt_max(first - corpus->tokenizer->before, 0);
    DT_TRY(reader_extend(reader, end + AHEAD_BYTES));
    *row =
        (dt_corpus_block){.hash = XXH3_64bits(reader->bytes + (first - reader->from), (size_t)(end - first))};
    return DT_OK;
}

/* The tokens of the file's bytes [start, stop), two cuts in or behind the block that is loaded. */
static dt_status reader_encode(block_reader *reader, int64_t start, int64_t stop, bool keep,
                               dt_token_count *count) {
    *count = (dt_token_count){0};
    DT_TRY(reader_extend(reader, stop + reader->corpus->tokenizer->after));
    const dt_text text = reader_text(reader);
    return dt_encoder_encode(&reader->encoder, &text, start - reader->from, stop - reader->from, keep, count);
}

/* Makes the row of block `index`. Where the one before it has just been made, its start is known: a stretch
 * without a cut is searched once, not for each of the blocks that it covers. */
static dt_status reader_index(block_reader *reader, int64_t index, dt_corpus_block *row) {
    int64_t stop;
    DT_TRY(reader_load(reader, index, row));
    const int64_t first = index * DT_CORPUS_BLOCK_BYTES, end = end_of(reader->corpus, index);
    row->start = reader->known_start;
    if (reader->known_index != index)
        DT_TRY(reader_cut(reader, first, &row->start));
    stop = row->start;
    if (stop < end) {
        DT_TRY(reader_cut(reader, end, &stop));
        DT_TRY(reader_encode(reader, row->start, stop, false, &row->count));
    }
    reader->known_index = index + 1;
    reader->known_start = stop;
    return DT_OK;
}

dt_status dt_corpus_sample(const dt_corpus *corpus, uint64_t *hash) {
    const int64_t count = corpus->blocks < DT_CORPUS_SAMPLE ? corpus->blocks : DT_CORPUS_SAMPLE;
    uint64_t hashes[DT_CORPUS_SAMPLE];
    block_reader reader;
    DT_TRY(reader_open(&reader, corpus));
    dt_status status = DT_OK;
    for (int64_t i = 0; i < count && status == DT_OK; i++) {
        dt_corpus_block row = {0};
        status = reader_load(&reader, count > 1 ? i * (corpus->blocks - 1) / (count - 1) : 0, &row);
        hashes[i] = row.hash;
    }
    reader_close(&reader);
    *hash = status == DT_OK ? XXH3_64bits(hashes, (size_t)count * sizeof *hashes) : 0;
    return status;
}

/* A text of many gigabytes takes minutes to read, and a request to stop comes before they are over. */
static dt_status check_request(const dt_corpus *corpus) {
    return corpus->stop_requested && corpus->stop_requested()
               ? dt_stopped("asked to stop while %s was read", corpus->path)
               : DT_OK;
}

dt_status dt_corpus_index(dt_corpus *corpus, int rank, int size) {
    block_reader reader;
    int64_t first, end;
    dt_corpus_slice(corpus->blocks, rank, size, &first, &end);
    DT_TRY(reader_open(&reader, corpus));
    dt_status status = DT_OK;
    dt_meter meter;
    dt_meter_start(&meter, "indexing", corpus->path, (end - first) * DT_CORPUS_BLOCK_BYTES, NULL);
    for (int64_t index = first; index < end && status == DT_OK; index++) {
        status = check_request(corpus);
        if (status == DT_OK)
            status = reader_index(&reader, index, &corpus->block[index]);
        dt_meter_move(&meter, (index + 1 - first) * DT_CORPUS_BLOCK_BYTES);
    }
    reader_close(&reader);
    return status;
}

dt_status dt_corpus_finish(dt_corpus *corpus) {
    DT_ASSERT(corpus->first_token != NULL);
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL)
        return dt_fail("out of memory while hashing the index of %s", corpus->path);
    (void)XXH3_64bits_reset(state);
    corpus->total = (dt_token_count){0};
    for (int64_t i = 0; i < corpus->blocks; i++) {
        const dt_corpus_block *block = &corpus->block[i];
        corpus->first_token[i] = corpus->total.tokens;
        corpus->total.tokens += block->count.tokens;
        corpus->total.unknown += block->count.unknown;
        corpus->total.invalid += block->count.invalid;
        corpus->total.zero += block->count.zero;
        (void)XXH3_64bits_update(state, &block->hash, sizeof block->hash);
    }
    corpus->first_token[corpus->blocks] = corpus->total.tokens;
    corpus->hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return DT_OK;
}

void dt_corpus_warn(const dt_corpus *corpus) {
    const dt_token_count *total = &corpus->total;
    const double fraction = (double)total->unknown / (double)total->tokens;
    if (corpus->marked)
        dt_log_warn("%s begins with a byte order mark, which %s; tail -c +4 FILE >NEW removes it",
                    corpus->path,
                    corpus->tokenizer->unknown >= 0 ? "counts as one <UNK>" : "the model learns as text");
    if (total->zero > 0)
        dt_log_warn("%s holds %" PRId64
                    " NUL byte%s, %s; a copy that was cut short can have them; check that the file is whole",
                    corpus->path, total->zero, dt_plural_s(total->zero),
                    corpus->tokenizer->unknown >= 0 ? "one <UNK> each" : "which the model learns as text");
    if (fraction > UNKNOWN_FRACTION)
        dt_log_warn(
            "%.1f %% of %s (%" PRId64 " of %" PRId64 " characters, %" PRId64 " for bytes that are not "
            "UTF-8) are not in the vocabulary and count as <UNK>: the model cannot learn them, and they "
            "make its losses look lower; iconv -f %s -t ASCII//TRANSLIT FILE >NEW writes many of them in "
            "ASCII",
            100.0 * fraction, corpus->path, total->unknown, total->tokens, total->invalid,
            2 * total->invalid > total->unknown ? "LATIN1 (or its real encoding)" : "UTF-8");
}

/* The block that holds token `token`: the last one whose first token is not behind it. */
static int64_t block_of(const dt_corpus *corpus, int64_t token) {
    int64_t low = 0, high = corpus->blocks - 1;
    while (low < high) {
        int64_t middle = high - (high - low) / 2;
        if (corpus->first_token[middle] <= token)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Where the tokens of block `index` end in the file. */
static int64_t stop_of(const dt_corpus *corpus, int64_t index) {
    return index + 1 < corpus->blocks ? corpus->block[index + 1].start : corpus->file_bytes;
}

/* Copies those tokens of block `index` that lie in [first, end) to their place in `tokens`, where token
 * `first` is 0. */
static dt_status read_block(block_reader *reader, int64_t index, int64_t first, int64_t end,
                            uint8_t *tokens) {
    const dt_corpus *corpus = reader->corpus;
    const dt_corpus_block *expected = &corpus->block[index];
    const int64_t width = corpus->tokenizer->token_bytes;
    dt_corpus_block found;
    DT_TRY(reader_load(reader, index, &found));
    if (found.hash == expected->hash)
        DT_TRY(reader_encode(reader, expected->start, stop_of(corpus, index), true, &found.count));
    /* The hash is of the block's own bytes; its count depends on those around it too. */
    if (found.hash != expected->hash || found.count.tokens != expected->count.tokens)
        return dt_fail("%s changed while in use: the block at byte %" PRId64
                       " is not the one that was indexed, perhaps on another host; give all hosts the same "
                       "file, leave it alone and start again",
                       corpus->path, index * DT_CORPUS_BLOCK_BYTES);
    int64_t block_first = corpus->first_token[index];
    int64_t from = dt_max(first, block_first);
    int64_t to = dt_min(end, corpus->first_token[index + 1]);
    memcpy(tokens + (from - first) * width, reader->encoder.tokens + (from - block_first) * width,
           (size_t)((to - from) * width));
    return DT_OK;
}

dt_status dt_corpus_read(const dt_corpus *corpus, int64_t first, int64_t end, void *tokens) {
    if (first < 0 || first > end || end > corpus->total.tokens)
        return dt_fail("cannot read tokens [%" PRId64 ", %" PRId64
                       ") of %s: expected a range within its %" PRId64 " tokens",
                       first, end, corpus->path, corpus->total.tokens);
    if (first == end)
        return DT_OK;
    block_reader reader;
    DT_TRY(reader_open(&reader, corpus));
    dt_status status = DT_OK;
    dt_meter meter;
    const int64_t start = block_of(corpus, first), last = block_of(corpus, end - 1);
    dt_meter_start(&meter, "reading", corpus->path, (last + 1 - start) * DT_CORPUS_BLOCK_BYTES, NULL);
    for (int64_t i = start; status == DT_OK && i <= last; i++) {
        status = check_request(corpus);
        /* Blocks inside a stretch without a cut own no token. */
        if (status == DT_OK && corpus->block[i].count.tokens > 0)
            status = read_block(&reader, i, first, end, tokens);
        dt_meter_move(&meter, (i + 1 - start) * DT_CORPUS_BLOCK_BYTES);
    }
    reader_close(&reader);
    return status;
}

void dt_corpus_close(dt_corpus *corpus) {
    free(corpus->path);
    dt_memory_free(corpus->block);
    dt_memory_free(corpus->first_token);
    *corpus = (dt_corpus){0};
}
