/**
 * The model a few tokens at a time, with the keys and values of what came before kept: how text is generated
 * and continued.
 *
 * A token costs one row of every matrix product and one query of attention, whatever came before it. When the
 * context is full, positions cannot shift without changing every key, so the later half is taken in again at
 * the front, in one pass, and half the context is free: on average a token costs little more than its own
 * row. All functions are local.
 */
#ifndef DT_MODEL_DECODE_H
#define DT_MODEL_DECODE_H

#include <stdint.h>

#include "base/status.h"
#include "model/gpt.h"

typedef struct dt_decoder {
    const dt_gpt *gpt;
    const dt_gpt_view *weights;
    int64_t length;                   /**< tokens in the context, 0..T */
    uint8_t *tokens;                  /* [T] */
    float *qkv;                       /* [n_layers, T, 3C]: keys and values of the context */
    float *logits;                    /* [V], after the last token taken in */
    float *x, *norm, *attended, *act; /* [T, C], [T, C], [T, C], [T, F]: rows of the tokens that are new */
    float *mean, *rstd;               /* [T], [T] */
    float *scratch, *room;            /* for attention and for matrix products */
    float *block;                     /* owns all the floats */
} dt_decoder;

/** Allocates a decoder with an empty context; `gpt` and `weights` must outlive it. The caller frees it. */
dt_status dt_decode_create(dt_decoder *decoder, const dt_gpt *gpt, const dt_gpt_view *weights);

/** Frees it; one that is all zero is fine. */
void dt_decode_free(dt_decoder *decoder);

/** Empties the context. */
void dt_decode_reset(dt_decoder *decoder);

/**
 * Takes in tokens[count], sliding the context whenever it is full, and leaves the logits of the token that
 * follows. Several tokens at once cost less than one by one; their logits agree to rounding.
 */
void dt_decode_tokens(dt_decoder *decoder, const uint8_t *tokens, int64_t count);

#endif
