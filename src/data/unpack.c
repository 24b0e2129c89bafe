/* zlib and libzstd unpack; what they are fed comes by read(), so that a pipe will do. */
#include "data/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/minmax.h"
#include "base/temporary.h"
#include "data/patient_read.h"

#define INPUT_BYTES ((size_t)1 << 18)

typedef enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD } packing;

struct dt_unpack {
    const char *name; /* for sentences */
    char *path;
    bool (*stop_requested)(void);
    int descriptor;
    packing packing;
    uint8_t *input; /* [INPUT_BYTES], of which [next, filled) are unused */
    size_t next, filled;
    int64_t input_bytes, max_bytes; /* that were read, and that there are at most */
    bool input_over;
    bool within; /* a packed piece: its end is still to come */
    bool over;   /* the text is */
    z_stream gzip;
    bool has_gzip;
    ZSTD_DStream *zstd;
    int copy; /* the file that the text is written to as well, or -1 */
    bool must_copy;
    int64_t copied;
};

static const char gzip_magic[] = "\x1F\x8B\x08", zstd_magic[] = "\x28\xB5\x2F\xFD";

static packing recognise(const uint8_t *bytes, size_t length) {
    if (length >= 3 && memcmp(bytes, gzip_magic, 3) == 0)
        return PACKING_GZIP;
    if (length >= 4 && memcmp(bytes, zstd_magic, 4) == 0)
        return PACKING_ZSTD;
    /* A frame that holds no text, as pzstd and others put first. */
    if (length >= 4 && (bytes[0] & 0xF0) == 0x50 && memcmp(bytes + 1, "\x2A\x4D\x18", 3) == 0)
        return PACKING_ZSTD;
    return PACKING_NONE;
}

bool dt_unpack_recognise(const uint8_t *bytes, int64_t length) {
    return recognise(bytes, (size_t)length) != PACKING_NONE;
}

/* More input behind what is unused, which stays. */
static dt_status fill(dt_unpack *unpack) {
    size_t got;
    memmove(unpack->input, unpack->input + unpack->next, unpack->filled - unpack->next);
    unpack->filled -= unpack->next;
    unpack->next = 0;
    if (unpack->input_over)
        return DT_OK;
    DT_TRY(dt_patient_read(
        unpack->descriptor, unpack->name, unpack->stop_requested, unpack->input + unpack->filled,
        (size_t)dt_min((int64_t)(INPUT_BYTES - unpack->filled), unpack->max_bytes - unpack->input_bytes),
        &got));
    unpack->input_over = got == 0;
    unpack->filled += got;
    unpack->input_bytes += (int64_t)got;
    return DT_OK;
}

/* Enough to see what the input is. */
static dt_status fill_start(dt_unpack *unpack) {
    while (unpack->filled < 4 && !unpack->input_over)
        DT_TRY(fill(unpack));
    unpack->packing = recognise(unpack->input, unpack->filled);
    if (unpack->packing == PACKING_GZIP) {
        unpack->has_gzip = inflateInit2(&unpack->gzip, 15 + 16) == Z_OK; /* gzip's header and no other */
        return unpack->has_gzip ? DT_OK : dt_fail("out of memory for unpacking %s", unpack->name);
    }
    if (unpack->packing == PACKING_ZSTD) {
        unpack->zstd = ZSTD_createDStream();
        return unpack->zstd ? DT_OK : dt_fail("out of memory for unpacking %s", unpack->name);
    }
    return DT_OK;
}

static bool is_standard(const char *path) {
    return strcmp(path, DT_UNPACK_STANDARD_INPUT) == 0;
}

static dt_status open_input(dt_unpack *unpack) {
    unpack->descriptor = is_standard(unpack->path) ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                                   : open(unpack->path, O_RDONLY | O_CLOEXEC);
    return unpack->descriptor >= 0 ? fill_start(unpack)
                                   : dt_usage("cannot read %s: %s", unpack->name, strerror(errno));
}

/* Also a copy that looks packed is the text. */
static dt_status open_copy(dt_unpack *unpack, int descriptor, int64_t offset) {
    unpack->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    return unpack->descriptor >= 0 && lseek(unpack->descriptor, offset, SEEK_SET) == offset
               ? DT_OK
               : dt_fail("cannot read the copy of %s: %s", unpack->name, strerror(errno));
}

static dt_status create(dt_unpack **unpack, const char *path, bool (*stop_requested)(void)) {
    *unpack = calloc(1, sizeof **unpack);
    char *name = strdup(path);
    uint8_t *input = malloc(INPUT_BYTES);
    if (*unpack == NULL || name == NULL || input == NULL) {
        free(*unpack);
        free(name);
        free(input);
        *unpack = NULL;
        return dt_fail("out of memory while opening %s", path);
    }
    **unpack = (dt_unpack){.name = is_standard(path) ? "standard input" : name,
                           .path = name,
                           .stop_requested = stop_requested,
                           .descriptor = -1,
                           .input = input,
                           .max_bytes = INT64_MAX,
                           .copy = -1};
    return DT_OK;
}

/* What could not be opened goes. */
static dt_status opened(dt_unpack **unpack, dt_status status) {
    if (status != DT_OK) {
        dt_unpack_close(*unpack);
        *unpack = NULL;
    }
    return status;
}

dt_status dt_unpack_open(dt_unpack **unpack, const char *path, bool (*stop_requested)(void)) {
    DT_TRY(create(unpack, path, stop_requested));
    return opened(unpack, open_input(*unpack));
}

dt_status dt_unpack_open_copy(dt_unpack **unpack, const char *path, bool (*stop_requested)(void),
                              int descriptor, int64_t offset, int64_t bytes) {
    DT_TRY(create(unpack, path, stop_requested));
    (*unpack)->max_bytes = bytes;
    return opened(unpack, open_copy(*unpack, descriptor, offset));
}

void dt_unpack_copy_to(dt_unpack *unpack, int descriptor, bool must) {
    unpack->copy = descriptor;
    unpack->must_copy = must;
}

int64_t dt_unpack_copied(const dt_unpack *unpack) {
    return unpack->copied;
}

/* What has been read, to the copy. */
static dt_status copy(dt_unpack *unpack, const uint8_t *bytes, size_t count) {
    if (unpack->copy < 0 || count == 0)
        return DT_OK;
    unpack->copied += (int64_t)count;
    if (dt_file_write(unpack->copy, "the copy of what is unpacked", bytes, count) == DT_OK)
        return DT_OK;
    if (unpack->must_copy)
        return dt_fail(
            "%s; what is read twice is put aside in %s, name a larger folder by the variable TMPDIR",
            dt_error(), dt_temporary_root());
    dt_log_note("%s; %s will be unpacked again", dt_error(), unpack->name);
    unpack->copy = -1;
    unpack->copied = -1;
    return DT_OK;
}

static dt_status refuse(const dt_unpack *unpack, const char *found) {
    return dt_usage("cannot unpack %s: expected a whole file packed by %s, found %s near byte %" PRId64
                    " of it; fetch or pack it anew (%s -t FILE checks one)",
                    unpack->name, unpack->packing == PACKING_GZIP ? "gzip" : "zstd", found,
                    unpack->input_bytes - (int64_t)(unpack->filled - unpack->next),
                    unpack->packing == PACKING_GZIP ? "gzip" : "zstd");
}

/* Zeros behind the last piece fill up a block of a tape, as gzip knows them. */
static dt_status skip_padding(dt_unpack *unpack) {
    do {
        while (unpack->next < unpack->filled && unpack->input[unpack->next] == 0)
            unpack->next++;
        if (unpack->next < unpack->filled)
            return DT_OK;
        DT_TRY(fill(unpack));
    } while (unpack->filled > 0);
    return DT_OK;
}

/* Behind a piece comes another one, or nothing. */
static dt_status check_next(dt_unpack *unpack) {
    if (unpack->packing == PACKING_GZIP)
        DT_TRY(skip_padding(unpack));
    while (unpack->filled - unpack->next < 4 && !unpack->input_over)
        DT_TRY(fill(unpack));
    const uint8_t *rest = unpack->input + unpack->next;
    const size_t length = unpack->filled - unpack->next;
    unpack->over = length == 0;
    if (!unpack->over && recognise(rest, length) != unpack->packing)
        return refuse(unpack, "bytes of another kind behind what is packed");
    return DT_OK;
}

static dt_status unpack_gzip(dt_unpack *unpack, uint8_t *bytes, size_t length, size_t *made) {
    z_stream *stream = &unpack->gzip;
    if (!unpack->within && inflateReset(stream) != Z_OK)
        return refuse(unpack, "no way to begin");
    stream->next_in = unpack->input + unpack->next;
    stream->avail_in = (uInt)(unpack->filled - unpack->next);
    stream->next_out = bytes;
    stream->avail_out = (uInt)length;
    const int result = inflate(stream, Z_NO_FLUSH);
    unpack->next = unpack->filled - stream->avail_in;
    *made = length - stream->avail_out;
    unpack->within = result != Z_STREAM_END;
    if (result == Z_MEM_ERROR)
        return dt_fail("out of memory for unpacking %s", unpack->name);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return refuse(unpack, stream->msg ? stream->msg : "damaged bytes");
    return result == Z_STREAM_END ? check_next(unpack) : DT_OK;
}

static dt_status unpack_zstd(dt_unpack *unpack, uint8_t *bytes, size_t length, size_t *made) {
    ZSTD_inBuffer in = {unpack->input, unpack->filled, unpack->next};
    ZSTD_outBuffer out = {bytes, length, 0};
    const size_t result = ZSTD_decompressStream(unpack->zstd, &out, &in);
    unpack->next = in.pos;
    *made = out.pos;
    unpack->within = result != 0;
    if (ZSTD_isError(result))
        return refuse(unpack, ZSTD_getErrorName(result));
    return result == 0 ? check_next(unpack) : DT_OK;
}

static void copy_plain(dt_unpack *unpack, uint8_t *bytes, size_t length, size_t *made) {
    *made = length < unpack->filled - unpack->next ? length : unpack->filled - unpack->next;
    memcpy(bytes, unpack->input + unpack->next, *made);
    unpack->next += *made;
    unpack->over = unpack->input_over && unpack->next == unpack->filled;
}

dt_status dt_unpack_read(dt_unpack *unpack, uint8_t *bytes, int64_t length, int64_t *count) {
    *count = 0;
    while (*count < length && !unpack->over) {
        const size_t space = (size_t)dt_min(length - *count, (int64_t)1 << 30);
        size_t made = 0;
        if (unpack->stop_requested && unpack->stop_requested())
            return dt_stopped("asked to stop while %s was read", unpack->name);
        if (unpack->next == unpack->filled && !unpack->input_over)
            DT_TRY(fill(unpack));
        const bool hungry = unpack->next == unpack->filled && unpack->input_over;
        if (unpack->packing == PACKING_GZIP)
            DT_TRY(unpack_gzip(unpack, bytes + *count, space, &made));
        else if (unpack->packing == PACKING_ZSTD)
            DT_TRY(unpack_zstd(unpack, bytes + *count, space, &made));
        else
            copy_plain(unpack, bytes + *count, space, &made);
        if (hungry && made == 0 && !unpack->over)
            return refuse(unpack, "its end, too early: it was cut short,");
        DT_TRY(copy(unpack, bytes + *count, made));
        *count += (int64_t)made;
    }
    return DT_OK;
}

int64_t dt_unpack_input_bytes(const dt_unpack *unpack) {
    return unpack->input_bytes;
}

void dt_unpack_close(dt_unpack *unpack) {
    if (unpack == NULL)
        return;
    if (unpack->descriptor >= 0)
        close(unpack->descriptor);
    if (unpack->has_gzip)
        (void)inflateEnd(&unpack->gzip);
    ZSTD_freeDStream(unpack->zstd);
    free(unpack->input);
    free(unpack->path);
    free(unpack);
}
