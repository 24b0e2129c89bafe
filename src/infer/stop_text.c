/* A few bytes are compared anew for each piece: pieces are characters, and come one a token. */
#include "infer/stop_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

dt_status dt_stop_text_create(dt_stop_text *text, const char *stop) {
    *text = (dt_stop_text){.stop = stop};
    if (stop == NULL)
        return DT_OK;
    DT_ASSERT(*stop != 0);
    text->held = calloc(strlen(stop) + DT_STOP_PIECE + 1, 1);
    return text->held ? DT_OK : dt_fail("out of memory for the text that ends a sample");
}

void dt_stop_text_free(dt_stop_text *text) {
    free(text->held);
    *text = (dt_stop_text){0};
}

/* Hands on the first `bytes` of what is held back. */
static void release(dt_stop_text *text, size_t bytes, dt_utf8_taker *take, void *context) {
    const char after = text->held[bytes];
    text->held[bytes] = 0;
    if (bytes > 0)
        take(context, text->held);
    text->held[bytes] = after;
    memmove(text->held, text->held + bytes, strlen(text->held + bytes) + 1);
}

void dt_stop_text_push(dt_stop_text *text, const char *piece, dt_utf8_taker *take, void *context) {
    DT_ASSERT(strlen(piece) <= DT_STOP_PIECE);
    if (text->stop == NULL) {
        take(context, piece);
        return;
    }
    if (text->found)
        return;
    strcat(text->held, piece);
    const char *stop = strstr(text->held, text->stop);
    text->found = stop != NULL;
    size_t first = text->found ? (size_t)(stop - text->held) : 0;
    /* The first byte from which all that is left may be the beginning of the stop. */
    while (!text->found && strncmp(text->held + first, text->stop, strlen(text->held + first)) != 0)
        first++;
    release(text, first, take, context);
}

void dt_stop_text_finish(dt_stop_text *text, dt_utf8_taker *take, void *context) {
    if (text->stop && !text->found)
        release(text, strlen(text->held), take, context);
}
