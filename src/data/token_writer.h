/**
 * Writing a file of tokens (token_file.h), by one process or several at once.
 *
 * One process begins it under a temporary name beside its place, .NAME.<8 hex digits>.tmp, and others join it
 * by that name. Each puts blocks where they belong, which all count alike; the one that began it writes table
 * and header at the end and gives the file its name, so that nobody finds half of one.
 *
 * All functions are local.
 */
#ifndef DT_DATA_TOKEN_WRITER_H
#define DT_DATA_TOKEN_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/token_file.h"

typedef struct dt_token_writer {
    char *temporary; /**< the name that it has while it is written */
    bool began;      /**< by this process */
    int descriptor;
    dt_token_about about; /**< set by the caller before dt_token_writer_finish; its width from the start */
    dt_token_row *row;    /**< [rows]: of the blocks that are known here */
    int64_t rows, capacity;
    int64_t offset; /**< where the next block begins */
} dt_token_writer;

/** Begins the file that is to be `path`, of tokens of `token_bytes` bytes, in a folder that exists. After a
 * failure it holds nothing. */
dt_status dt_token_writer_begin(dt_token_writer *writer, const char *path, int token_bytes);

/** Joins a file that another process has begun. After a failure it holds nothing. */
dt_status dt_token_writer_join(dt_token_writer *writer, const char *temporary, int token_bytes);

/** The rows that `count` tokens in one run take: blocks of DT_TOKEN_BLOCK, and the rest. */
int64_t dt_token_writer_rows(int64_t count);

/** The bytes that they take in the file. */
int64_t dt_token_writer_bytes(int64_t count, int token_bytes);

/**
 * Writes a run of `count` tokens from byte `offset` of the file on and makes its rows,
 * row[dt_token_writer_rows(count)].
 */
dt_status dt_token_writer_put(dt_token_writer *writer, int64_t offset, const void *tokens, int64_t count,
                              dt_token_row *row);

/** Takes the rows of the next blocks of the file, row[count], and moves on behind them. */
dt_status dt_token_writer_add(dt_token_writer *writer, const dt_token_row *row, int64_t count);

/** Makes what this process has written durable. */
dt_status dt_token_writer_sync(dt_token_writer *writer);

/**
 * Writes table and header, makes the file durable and names it `path`. A file that stands there is replaced,
 * or stays where `keep` says so: then this one goes. Closes the writer; after a failure nothing is left. By
 * the process that began it.
 */
dt_status dt_token_writer_finish(dt_token_writer *writer, const char *path, bool keep);

/** Closes it, and removes the file where this process began it. One that is all zero is fine. */
void dt_token_writer_abandon(dt_token_writer *writer);

/** Removes the temporary file `path` that a process left which was killed; one that is still written stays.
 */
void dt_token_writer_clear(const char *path);

#endif
