/* At most four bytes are looked at together, whatever the pieces are. */
#include "infer/utf8_stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"

/* Hands on what the held bytes begin with, unless more of them are needed to tell what it is. */
static bool hand_on(dt_utf8_stream *stream, dt_utf8_taker *take, void *context) {
    bool well_formed;
    char text[sizeof stream->held + 1] = {0};
    if (stream->count == 0)
        return false;
    const uint8_t lead = (uint8_t)stream->held[0];
    const size_t used =
        (size_t)dt_utf8_subpart((const uint8_t *)stream->held, (int64_t)stream->count, &well_formed);
    if (!well_formed && used == stream->count && lead >= 0xC2 && lead <= 0xF4)
        return false;
    memcpy(text, stream->held, used);
    take(context, well_formed && lead != 0 ? text : REPLACEMENT);
    stream->count -= used;
    memmove(stream->held, stream->held + used, stream->count);
    return true;
}

void dt_utf8_stream_push(dt_utf8_stream *stream, const char *bytes, size_t length, dt_utf8_taker *take,
                         void *context) {
    for (size_t i = 0; i < length; i++) {
        stream->held[stream->count++] = bytes[i];
        while (hand_on(stream, take, context))
            continue;
    }
}

void dt_utf8_stream_finish(dt_utf8_stream *stream, dt_utf8_taker *take, void *context) {
    if (stream->count > 0)
        take(context, REPLACEMENT);
    stream->count = 0;
}
