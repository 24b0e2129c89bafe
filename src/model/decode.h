/**
 * The model one token at a time, with the keys and values of what came before kept: how text is generated and
 * continued.
 *
 * A token costs one row of every matrix product and one query of attention, whatever came before it. When the
 * context is full, positions cannot shift without changing every key, so the later half is taken in again at
 * the front and half the context is free: a token costs two at most on average. All functions are local.
 */
#ifndef DT_MODEL_DECODE_H
#define DT_MODEL_DECODE_H

#include <stdint.h>

#include "base/status.h"
#include "model/gpt.h"

typedef struct dt_decoder {
    const dt_gpt *gpt;
    const dt_gpt_view *weights;
    int64_t length;                             /**< tokens in the context, 0..T */
    uint8_t *tokens;                            /* [T] */
    float *qkv;                                 /* [n_layers, T, 3C]: keys and values of the context */
    float *logits;                              /* [V], after the last token taken in */
    float *x, *norm, *attended, *act, *scratch; /* [C], [C], [C], [F], and for attention */
    float *block;                               /* owns all the floats */
} dt_decoder;

/** Allocates a decoder with an empty context; `gpt` and `weights` must outlive it. The caller frees it. */
dt_status dt_decode_create(dt_decoder *decoder, const dt_gpt *gpt, const dt_gpt_view *weights);

/** Frees it; one that is all zero is fine. */
void dt_decode_free(dt_decoder *decoder);

/** Empties the context. */
void dt_decode_reset(dt_decoder *decoder);

/** Takes in one token, sliding the context first when it is full, and leaves the next token's logits. */
void dt_decode_token(dt_decoder *decoder, uint8_t token);

#endif
