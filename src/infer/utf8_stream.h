/**
 * Bytes that come in pieces, shown as whole characters of UTF-8: those of a character that is not whole yet
 * are held back, and what cannot become one is shown as U+FFFD. All functions are local.
 */
#ifndef DT_INFER_UTF8_STREAM_H
#define DT_INFER_UTF8_STREAM_H

#include <stddef.h>

/** All zero at the start of a text. */
typedef struct dt_utf8_stream {
    char held[4];
    size_t count; /**< of bytes that are held back, 0 to 3 between two calls */
} dt_utf8_stream;

/** Who takes the characters: `text` is one of them, and a 0 byte behind it. */
typedef void dt_utf8_taker(void *context, const char *text);

/**
 * Hands on each character that bytes[length] complete. Each maximal subpart of an ill-formed sequence, and
 * each NUL byte, is one U+FFFD.
 */
void dt_utf8_stream_push(dt_utf8_stream *stream, const char *bytes, size_t length, dt_utf8_taker *take,
                         void *context);

/** At the end of the text: what is still held back is one U+FFFD. */
void dt_utf8_stream_finish(dt_utf8_stream *stream, dt_utf8_taker *take, void *context);

#endif
