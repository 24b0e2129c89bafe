/**
 * For tests of text files: a fresh folder to write in, and a corpus indexed as if by several ranks.
 */
#ifndef DT_TESTS_SUPPORT_CORPUS_FOLDER_H
#define DT_TESTS_SUPPORT_CORPUS_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "data/corpus.h"
#include "tokenizer/ascii.h"

typedef struct corpus_folder {
    char path[64];
    char file[80]; /**< the text, in the folder; it exists once it is written */
} corpus_folder;

/** A cmocka setup: makes a fresh folder and hands it to the test as its state. */
static inline int corpus_folder_make(void **state) {
    corpus_folder *folder = malloc(sizeof *folder);
    if (folder == NULL)
        return -1;
    snprintf(folder->path, sizeof folder->path, "/tmp/dtrain-test-XXXXXX");
    *state = folder;
    if (mkdtemp(folder->path) == NULL)
        return -1;
    snprintf(folder->file, sizeof folder->file, "%s/text.txt", folder->path);
    return 0;
}

/** The cmocka teardown that goes with it. */
static inline int corpus_folder_remove(void **state) {
    corpus_folder *folder = *state;
    dt_status status = dt_file_remove_tree(folder->path);
    free(folder);
    return status == DT_OK ? 0 : -1;
}

/** Writes the folder's text anew. */
static inline void corpus_folder_write(const corpus_folder *folder, const void *bytes, size_t length) {
    FILE *file = fopen(folder->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/** The tokenizer of corpora that name none. */
static inline const dt_tokenizer *corpus_folder_ascii(void) {
    static dt_tokenizer ascii;
    if (ascii.kind == NULL)
        dt_ascii_open(&ascii);
    return &ascii;
}

/** Opens one file and indexes nothing. */
static inline dt_status corpus_folder_look(dt_corpus *corpus, const char *path) {
    const dt_tokenizer *ascii = corpus_folder_ascii();
    const dt_corpus_inputs inputs = {.paths = &path, .count = 1, .tokenizer = ascii, .V = ascii->V};
    return dt_corpus_open(corpus, &inputs);
}

/** Opens files as `size` ranks would: each indexes its slice in a corpus of its own, and the slices are
 * gathered. */
static inline void corpus_folder_gather(dt_corpus *corpus, const dt_corpus_inputs *inputs, int size) {
    assert_int_equal(dt_corpus_open(corpus, inputs), DT_OK);
    for (int rank = 0; rank < size; rank++) {
        dt_corpus other;
        int64_t first, end;
        assert_int_equal(dt_corpus_open(&other, inputs), DT_OK);
        assert_int_equal(dt_corpus_index(&other, rank, size), DT_OK);
        dt_corpus_slice(corpus->blocks, rank, size, &first, &end);
        memcpy(corpus->block + first, other.block + first, (size_t)(end - first) * sizeof *corpus->block);
        dt_corpus_close(&other);
    }
    assert_int_equal(dt_corpus_finish(corpus), DT_OK);
}

/** The same with one file of ASCII. */
static inline void corpus_folder_open(dt_corpus *corpus, const char *path, int size) {
    const dt_tokenizer *ascii = corpus_folder_ascii();
    const dt_corpus_inputs inputs = {.paths = &path, .count = 1, .tokenizer = ascii, .V = ascii->V};
    corpus_folder_gather(corpus, &inputs, size);
}

#endif
