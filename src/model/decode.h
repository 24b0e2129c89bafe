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
#include "model/weights.h"

typedef struct dt_decoder {
    const dt_gpt *gpt;
    const dt_weights *weights;
    int64_t streams;             /**< texts that are continued side by side */
    int64_t length;              /**< tokens in each context, 0..T */
    int32_t *tokens;             /* [streams, T] */
    dt_operand *qkv;             /* [n_layers, streams, T, 3C]: keys and values of the contexts */
    float *logits;               /* [streams, V], after the last token taken in */
    float *x, *projection;       /* [n, C], [n, C]: n new rows, T or streams */
    dt_operand *norm, *attended; /* [n, C], [n, C] */
    dt_operand *act;             /* [n, F] */
    float *mean, *rstd;          /* [n], [n] */
    float *scratch, *workspace;  /* for attention and for matrix products */
    float *block;                /* owns all of these */
} dt_decoder;

/**
 * Allocates a decoder of `streams` >= 1 empty contexts; `gpt` and `weights` must outlive it. The caller frees
 * it.
 */
dt_status dt_decode_create(dt_decoder *decoder, const dt_gpt *gpt, const dt_weights *weights,
                           int64_t streams);

/** Bytes of what it computes with, for any shape of a config and one context; those of a model of `shape` for
 * `kernels`. */
int64_t dt_decode_bytes(const dt_kernels *kernels, const dt_shape *shape, int64_t streams);

/** Frees it; one that is all zero is fine. */
void dt_decode_free(dt_decoder *decoder);

/** Empties the contexts. */
void dt_decode_reset(dt_decoder *decoder);

/** Bytes of keys and values that a stream takes. */
int64_t dt_decode_stream_bytes(const dt_gpt *gpt);

/**
 * Takes tokens[count] into every context, sliding them whenever they are full, and leaves the logits of the
 * token that follows. Several tokens at once cost less than one by one; the logits are the same, bit for bit,
 * for the context that remains.
 */
void dt_decode_tokens(dt_decoder *decoder, const int32_t *tokens, int64_t count);

/** Takes tokens[streams] in, one into each context, as dt_decode_tokens does; all of them read each weight
 * once, and get the same bits as alone. */
void dt_decode_next(dt_decoder *decoder, const int32_t *tokens);

#endif
