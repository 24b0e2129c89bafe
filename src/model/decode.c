/* forward.c for the tokens that are new, without dropout. */
#include "model/decode.h"

#include <string.h>

#include "base/memory.h"

int64_t dt_decode_stream_bytes(const dt_shape *s) {
    return s->n_layers * s->T * 3 * s->C * (int64_t)sizeof(float);
}

dt_status dt_decode_create(dt_decoder *decoder, const dt_gpt *gpt, const dt_gpt_view *weights,
                           int64_t streams) {
    const dt_shape *s = &gpt->layout->shape;
    const int64_t T = s->T, C = s->C, n = streams > T ? streams : T;
    *decoder = (dt_decoder){.gpt = gpt, .weights = weights, .streams = streams};
    const struct {
        float **array;
        int64_t count;
    } parts[] = {{&decoder->qkv, s->n_layers * streams * T * 3 * C},
                 {&decoder->logits, streams * s->V},
                 {&decoder->x, n * C},
                 {&decoder->norm, n * C},
                 {&decoder->attended, n * C},
                 {&decoder->act, n * s->F},
                 {&decoder->mean, n},
                 {&decoder->rstd, n},
                 {&decoder->scratch, dt_attention_scratch_floats(T, C / s->H)},
                 {&decoder->room, DT_GEMM_ROOM}};
    const size_t count = sizeof parts / sizeof *parts;
    int64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += dt_memory_round_floats(parts[i].count);
    decoder->tokens = dt_memory_alloc(streams * T, 1, "the context");
    decoder->block = dt_memory_alloc(total, sizeof(float), "the keys and values of the context");
    if (decoder->tokens == NULL || decoder->block == NULL)
        return DT_FAILED;
    float *next = decoder->block;
    for (size_t i = 0; i < count; i++) {
        *parts[i].array = next;
        next += dt_memory_round_floats(parts[i].count);
    }
    return DT_OK;
}

void dt_decode_free(dt_decoder *decoder) {
    dt_memory_free(decoder->tokens);
    dt_memory_free(decoder->block);
    *decoder = (dt_decoder){0};
}

void dt_decode_reset(dt_decoder *decoder) {
    decoder->length = 0;
}

/* What is taken in at once: `count` tokens that follow each other in one stream, or one token of each stream.
 */
typedef struct intake {
    int64_t stream, streams, count;
} intake;

/* y[rows, out] = x[rows, in] w[in, out] + bias, rows of y `stride` apart. A single row is bound by reading w,
 * and has a kernel of its own. */
static void multiply(const dt_decoder *decoder, float *y, int64_t stride, const float *x, const float *w,
                     const float *bias, int64_t rows, int64_t in, int64_t out) {
    const dt_kernels *k = decoder->gpt->kernels;
    if (rows == 1)
        k->matvec->forward(y, x, w, bias, in, out);
    else
        k->gemm->multiply(&(dt_product){.m = rows,
                                        .n = out,
                                        .k = in,
                                        .a = x,
                                        .a_stride = in,
                                        .b = w,
                                        .b_stride = out,
                                        .c = y,
                                        .c_stride = stride,
                                        .bias = bias},
                          decoder->room);
}

static void embed(const dt_decoder *decoder, const uint8_t *tokens, const intake *in) {
    const dt_gpt_view *w = decoder->weights;
    const int64_t C = decoder->gpt->layout->shape.C;
    for (int64_t s = 0; s < in->streams; s++)
        decoder->gpt->kernels->embedding->forward(decoder->x + s * C, tokens + s, w->wte, w->wpe,
                                                  decoder->length, in->count, C, NULL, NULL);
}

/* The new rows' queries, against the keys of their own streams in this layer. */
static void attend(const dt_decoder *decoder, int64_t layer, const intake *in) {
    const dt_shape *s = &decoder->gpt->layout->shape;
    for (int64_t row = 0; row < in->streams * in->count; row++) {
        const int64_t stream = in->stream + row / in->count, t = decoder->length + row % in->count;
        decoder->gpt->kernels->attention->query(decoder->attended + row * s->C,
                                                decoder->qkv +
                                                    (layer * decoder->streams + stream) * s->T * 3 * s->C,
                                                t, s->C, s->H, decoder->scratch);
    }
}

static void run_layer(const dt_decoder *decoder, int64_t layer, const intake *in) {
    const dt_shape *s = &decoder->gpt->layout->shape;
    const dt_gpt_layer *w = &decoder->weights->layer[layer];
    const dt_kernels *k = decoder->gpt->kernels;
    const int64_t C = s->C, F = s->F, T = s->T, n = in->streams * in->count;
    float *x = decoder->x, *norm = decoder->norm, *mean = decoder->mean, *rstd = decoder->rstd;
    float *qkv = decoder->qkv + ((layer * decoder->streams + in->stream) * T + decoder->length) * 3 * C;
    k->layernorm->forward(norm, mean, rstd, x, w->ln_1_weight, w->ln_1_bias, n, C);
    multiply(decoder, qkv, in->count > 1 ? 3 * C : T * 3 * C, norm, w->c_attn_weight, w->c_attn_bias, n, C,
             3 * C);
    attend(decoder, layer, in);
    multiply(decoder, norm, C, decoder->attended, w->attn_proj_weight, NULL, n, C, C);
    k->residual->forward(x, x, norm, w->attn_proj_bias, n, C, NULL, NULL);

    k->layernorm->forward(norm, mean, rstd, x, w->ln_2_weight, w->ln_2_bias, n, C);
    multiply(decoder, decoder->act, F, norm, w->c_fc_weight, NULL, n, C, F);
    k->gelu->forward(decoder->act, decoder->act, w->c_fc_bias, n, F);
    multiply(decoder, norm, C, decoder->act, w->mlp_proj_weight, NULL, n, F, C);
    k->residual->forward(x, x, norm, w->mlp_proj_bias, n, C, NULL, NULL);
}

/* Takes tokens in where there is room for them, behind decoder->length, and leaves the streams' logits. */
static void append(const dt_decoder *decoder, const uint8_t *tokens, const intake *in) {
    const dt_shape *s = &decoder->gpt->layout->shape;
    const dt_gpt_view *w = decoder->weights;
    const dt_kernels *k = decoder->gpt->kernels;
    embed(decoder, tokens, in);
    for (int64_t i = 0; i < s->n_layers; i++)
        run_layer(decoder, i, in);
    for (int64_t stream = 0; stream < in->streams; stream++) {
        const float *last = decoder->x + (stream * in->count + in->count - 1) * s->C;
        k->layernorm->forward(decoder->norm, decoder->mean, decoder->rstd, last, w->ln_f_weight, w->ln_f_bias,
                              1, s->C);
        k->matvec->transposed(decoder->logits + (in->stream + stream) * s->V, decoder->norm, w->wte, s->V,
                              s->C);
    }
    for (int64_t stream = 0; stream < in->streams; stream++)
        memmove(decoder->tokens + (in->stream + stream) * s->T + decoder->length, tokens + stream,
                (size_t)in->count);
}

/* Makes full contexts half full: their later half moves to the front, and is taken in anew there. */
static void slide(dt_decoder *decoder) {
    const int64_t T = decoder->gpt->layout->shape.T, kept = T / 2;
    if (decoder->length < T)
        return;
    decoder->length = 0;
    for (int64_t s = 0; s < decoder->streams; s++) {
        uint8_t *tokens = decoder->tokens + s * T;
        memmove(tokens, tokens + T - kept, (size_t)kept);
        if (kept > 0)
            append(decoder, tokens, &(intake){.stream = s, .streams = 1, .count = kept});
    }
    decoder->length = kept;
}

void dt_decode_tokens(dt_decoder *decoder, const uint8_t *tokens, int64_t count) {
    const int64_t T = decoder->gpt->layout->shape.T;
    while (count > 0) {
        slide(decoder);
        const int64_t left = T - decoder->length, now = count < left ? count : left;
        for (int64_t s = 0; s < decoder->streams; s++)
            append(decoder, tokens, &(intake){.stream = s, .streams = 1, .count = now});
        decoder->length += now;
        tokens += now;
        count -= now;
    }
}

void dt_decode_next(dt_decoder *decoder, const uint8_t *tokens) {
    slide(decoder);
    append(decoder, tokens, &(intake){.stream = 0, .streams = decoder->streams, .count = 1});
    decoder->length++;
}
