/**
 * A text that can be read once, from its start: a file that gzip or zstd has packed, or standard input, which
 * may hold either or plain text. It is unpacked in bounded memory.
 *
 *     dt_unpack *unpack;
 *     DT_TRY(dt_unpack_open(&unpack, "text.gz", dt_stop_requested));
 *     do
 *         status = dt_unpack_read(unpack, bytes, length, &count);
 *     while (status == DT_OK && count == length);
 *     dt_unpack_close(unpack);
 *
 * A file of several packed pieces, one behind another as `cat a.gz b.gz` leaves them, is the text of all of
 * them. All functions are local.
 */
#ifndef DT_DATA_UNPACK_H
#define DT_DATA_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** What standard input is called, as a path. */
#define DT_UNPACK_STANDARD_INPUT "-"

typedef struct dt_unpack dt_unpack;

/** Whether a file that begins with bytes[0..length) is packed in a way that is unpacked here. */
bool dt_unpack_recognise(const uint8_t *bytes, int64_t length);

/**
 * Begins to read `path`, a file or a pipe; "-" is standard input. `stop_requested` may be NULL, and is asked
 * while input is waited for. Fails when it cannot be opened, with DT_USAGE where it is what cannot be read.
 * The caller closes it; `*unpack` is NULL after a failure.
 */
dt_status dt_unpack_open(dt_unpack **unpack, const char *path, bool (*stop_requested)(void));

/**
 * The next `length` bytes of the text into `bytes`; `*count` is how many there were, fewer than `length` at
 * the end of the text alone. Fails with DT_USAGE, naming the file, when what is packed is damaged, was cut
 * short, or has something else behind it, or cannot be read, and with DT_STOPPED on request.
 */
dt_status dt_unpack_read(dt_unpack *unpack, uint8_t *bytes, int64_t length, int64_t *count);

/**
 * From now on what dt_unpack_read gives is written to the file `descriptor` too, behind what is there, so
 * that it can be had again (dt_unpack_open_copy). Where that fails, `must` says whether the text does too;
 * otherwise the log says that it will be unpacked again.
 */
void dt_unpack_copy_to(dt_unpack *unpack, int descriptor, bool must);

/** The bytes that were written there, or -1 where that failed. */
int64_t dt_unpack_copied(const dt_unpack *unpack);

/** As dt_unpack_open, of a copy of the text `path`: `bytes` bytes of the file `descriptor` from `offset` on,
 * which nobody else reads meanwhile. */
dt_status dt_unpack_open_copy(dt_unpack **unpack, const char *path, bool (*stop_requested)(void),
                              int descriptor, int64_t offset, int64_t bytes);

/** Bytes of the input that have been read, which for a packed file is how far it is. */
int64_t dt_unpack_input_bytes(const dt_unpack *unpack);

/** Ends it; NULL is fine. */
void dt_unpack_close(dt_unpack *unpack);

#endif
