/* Blocks by pwrite(), whole pages at a time. */
#include "data/token_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/progress.h"
#include "base/replace.h"

/* The name that a file has while it is written is not much longer than its own. */
#define NAME_BYTES 200

static void start(dt_token_writer *writer, int token_bytes) {
    *writer = (dt_token_writer){.about = {.token_bytes = token_bytes, .end_of_text = -1},
                                .descriptor = -1,
                                .offset = DT_TOKEN_HEADER_BYTES};
}

dt_status dt_token_writer_begin(dt_token_writer *writer, const char *path, int token_bytes) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    uint32_t own;
    start(writer, token_bytes);
    /* Drawn, since processes on two hosts, or in two containers, may have one number and one folder. */
    if (getrandom(&own, sizeof own, 0) != (ssize_t)sizeof own) {
        *writer = (dt_token_writer){0};
        return dt_fail("the kernel gave no random number for the name of %s while it is written", path);
    }
    if (asprintf(&writer->temporary, "%.*s.%.*s.%08" PRIx32 ".tmp", (int)(name - path), path, NAME_BYTES,
                 name, own) < 0) {
        *writer = (dt_token_writer){0};
        return dt_fail("out of memory for the name of %s", path);
    }
    const dt_status status = dt_replace_create(writer->temporary, path, &writer->descriptor);
    writer->began = status == DT_OK;
    /* Who finds the file later can tell whether it is still written; not every file system has locks. */
    if (status == DT_OK)
        (void)flock(writer->descriptor, LOCK_EX | LOCK_NB);
    if (status != DT_OK)
        dt_token_writer_abandon(writer);
    return status;
}

dt_status dt_token_writer_join(dt_token_writer *writer, const char *temporary, int token_bytes) {
    start(writer, token_bytes);
    writer->temporary = strdup(temporary);
    writer->descriptor = open(temporary, O_WRONLY | O_CLOEXEC);
    if (writer->temporary && writer->descriptor >= 0)
        return DT_OK;
    const dt_status status = dt_fail(
        "cannot write %s, which rank 0 has begun: %s; name a folder that all ranks see and may write to",
        temporary, writer->temporary ? strerror(errno) : "out of memory");
    dt_token_writer_abandon(writer);
    return status;
}

int64_t dt_token_writer_rows(int64_t count) {
    return (count + DT_TOKEN_BLOCK - 1) / DT_TOKEN_BLOCK;
}

int64_t dt_token_writer_bytes(int64_t count, int token_bytes) {
    const int64_t whole = count / DT_TOKEN_BLOCK;
    return whole * dt_token_file_extent(DT_TOKEN_BLOCK, token_bytes) +
           dt_token_file_extent(count % DT_TOKEN_BLOCK, token_bytes);
}

static dt_status write_at(const dt_token_writer *writer, const void *bytes, int64_t length, int64_t offset) {
    for (int64_t done = 0; done < length;) {
        const ssize_t wrote = pwrite(writer->descriptor, (const char *)bytes + done, (size_t)(length - done),
                                     (off_t)(offset + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return dt_fail("cannot write %s: %s", writer->temporary,
                           wrote < 0 ? strerror(errno) : "nothing was taken");
        done += wrote;
        dt_progress_mark();
    }
    return DT_OK;
}

dt_status dt_token_writer_put(dt_token_writer *writer, int64_t offset, const void *tokens, int64_t count,
                              dt_token_row *row) {
    static const uint8_t zeros[4096];
    const int width = writer->about.token_bytes;
    for (int64_t done = 0; done < count; row++) {
        const int64_t block = dt_min(count - done, DT_TOKEN_BLOCK), bytes = block * width;
        const uint8_t *from = (const uint8_t *)tokens + done * width;
        row->tokens = block;
        dt_token_file_checksum(from, bytes, row->checksum);
        DT_TRY(write_at(writer, from, bytes, offset));
        DT_TRY(write_at(writer, zeros, dt_token_file_extent(block, width) - bytes, offset + bytes));
        offset += dt_token_file_extent(block, width);
        done += block;
    }
    return DT_OK;
}

dt_status dt_token_writer_add(dt_token_writer *writer, const dt_token_row *row, int64_t count) {
    if (writer->rows + count > writer->capacity) {
        const int64_t capacity = 2 * writer->capacity + count;
        dt_token_row *longer = realloc(writer->row, (size_t)capacity * sizeof *longer);
        if (longer == NULL)
            return dt_fail("out of memory for the table of %s", writer->temporary);
        writer->row = longer;
        writer->capacity = capacity;
    }
    for (int64_t i = 0; i < count; i++) {
        writer->row[writer->rows++] = row[i];
        writer->offset += dt_token_file_extent(row[i].tokens, writer->about.token_bytes);
    }
    return DT_OK;
}

dt_status dt_token_writer_sync(dt_token_writer *writer) {
    return dt_file_sync(writer->descriptor, writer->temporary);
}

static dt_status write_table(dt_token_writer *writer) {
    const int64_t bytes = writer->rows * DT_TOKEN_ROW_BYTES;
    uint8_t header[DT_TOKEN_HEADER_BYTES];
    uint8_t *packed = dt_memory_alloc(bytes, 1, "the table of a file of tokens");
    if (packed == NULL)
        return DT_FAILED;
    dt_token_file_pack_rows(writer->row, writer->rows, packed);
    dt_token_file_pack_header(&writer->about, writer->rows, writer->offset, packed, header);
    dt_status status = write_at(writer, packed, bytes, writer->offset);
    if (status == DT_OK)
        status = write_at(writer, header, sizeof header, 0);
    dt_memory_free(packed);
    return status;
}

/* Where a file of the name stands already, that one stays, but not a link that leads nowhere. Not every file
 * system has links. */
static dt_status name_first(const char *temporary, const char *path) {
    if (link(temporary, path) == 0 || (errno == EEXIST && dt_file_exists(path))) {
        unlink(temporary);
        return DT_OK;
    }
    return dt_file_rename(temporary, path);
}

dt_status dt_token_writer_finish(dt_token_writer *writer, const char *path, bool keep) {
    DT_ASSERT(writer->began);
    dt_status status = write_table(writer);
    if (status == DT_OK)
        status = dt_token_writer_sync(writer);
    if (status == DT_OK)
        status = keep ? name_first(writer->temporary, path) : dt_file_rename(writer->temporary, path);
    writer->began = status != DT_OK; /* or it is no temporary file any more */
    dt_token_writer_abandon(writer);
    return status;
}

void dt_token_writer_abandon(dt_token_writer *writer) {
    if (writer->temporary && writer->descriptor >= 0)
        close(writer->descriptor);
    if (writer->temporary && writer->began)
        unlink(writer->temporary);
    free(writer->temporary);
    free(writer->row);
    *writer = (dt_token_writer){0};
}

/* Younger ones may be about to be locked. */
#define YOUNG_SECONDS 60

/* Where there are no locks, what nobody has written to for so long is given up. */
#define OLD_SECONDS 86400

void dt_token_writer_clear(const char *path) {
    struct stat info;
    const int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return;
    const bool is_file = fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
    const time_t age = is_file ? time(NULL) - info.st_mtime : 0;
    const bool is_free = flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    if (age > YOUNG_SECONDS && (is_free || (errno != EWOULDBLOCK && age > OLD_SECONDS)))
        unlink(path);
    close(descriptor);
}
