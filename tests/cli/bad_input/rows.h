/**
 * The form of the tables of wrong input: one row a case, one file a subject.
 *
 * A row is a command line that must be refused. The test runs it in a folder that holds
 *
 *     text.txt  other.txt         20000 and 19000 bytes of text
 *     plain.txt  empty.txt        "7 bytes", and nothing
 *     folder/                     empty
 *     good/                       a checkpoint of step 2, of the model TINY on text.txt
 *
 * and expects the exit code, exactly one line "dtrain: error: ..", in it what `says` says, and the folder as
 * it was before, down to the names of all and the sizes and times of files.
 */
#ifndef DT_TESTS_BAD_INPUT_ROWS_H
#define DT_TESTS_BAD_INPUT_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/** So small that a row which is wrongly accepted ends soon. */
#define TINY   "--max-steps 3 --n-layers 1 --d-model 4 --n-heads 1 --d-ff 4 --max-seq-len 8 --seed 1"
#define TRAIN  TINY " --data text.txt "
#define CONFIG TINY " --data text.txt --config c.yaml"
#define RESUME TRAIN "--out-dir run --resume "

typedef struct bad_row {
    const char *words; /**< after the program's name */
    const char *says;  /**< enough of the sentence to be sure of its meaning */
    const char *yaml;  /**< what c.yaml holds; NULL: there is no such file */
    const char
        *prepare; /**< shell commands that make the folder case/, which is removed afterwards, or NULL */
    const char *before; /**< what stands before the program's name: a variable, a pipe; or NULL */
    bool failed;    /**< exit code 1, something went wrong, and not 2, the command line or config is wrong */
    bool as_nobody; /**< run without root's rights to read and write everything */
} bad_row;

typedef struct bad_table {
    const char *subject;
    const bad_row *row;
    size_t count;
    const char *launcher; /**< "" or what starts several ranks */
} bad_table;

/** The two things that every row has; the others are given by name. */
#define ROW(line, sentence) .words = (line), .says = (sentence)

/** A table's size and rows from the array of them. */
#define BAD_ROWS(rows) .row = (rows), .count = sizeof(rows) / sizeof *(rows)

extern const bad_table bad_configs, bad_values, bad_flags, bad_paths, bad_corpora, bad_checkpoints, bad_hooks,
    bad_verbs, bad_ranks;

#endif
