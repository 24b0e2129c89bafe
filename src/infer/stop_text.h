/**
 * A text that comes piece by piece and ends before a given text turns up in it: what may be the beginning of
 * that one is held back until it is known. All functions are local.
 */
#ifndef DT_INFER_STOP_TEXT_H
#define DT_INFER_STOP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "infer/utf8_stream.h"

typedef struct dt_stop_text {
    const char *stop; /**< what ends the text, which is not empty; NULL: nothing does */
    char *held;       /**< the beginning of it that has been seen last */
    bool found;
} dt_stop_text;

/** `stop` may be NULL, and must outlive it. The caller frees it, after failure too. */
dt_status dt_stop_text_create(dt_stop_text *text, const char *stop);

void dt_stop_text_free(dt_stop_text *text);

/** Hands on what of `piece`, of at most DT_STOP_PIECE bytes, and of what was held back is before the stop;
 * once that is found, nothing. */
#define DT_STOP_PIECE 8
void dt_stop_text_push(dt_stop_text *text, const char *piece, dt_utf8_taker *take, void *context);

/** At the end of the text: hands on what is still held back. */
void dt_stop_text_finish(dt_stop_text *text, dt_utf8_taker *take, void *context);

#endif
