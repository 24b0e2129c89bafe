/* forward.c for the tokens that are new, without dropout. */
#include "model/decode.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "model/scratch.h"

static int64_t round_bytes(int64_t bytes) {
    return (bytes + DT_MEMORY_ALIGN - 1) / DT_MEMORY_ALIGN * DT_MEMORY_ALIGN;
}

static int64_t stream_bytes(const dt_kernels *kernels, const dt_shape *s) {
    return s->n_layers * s->T * 3 * s->C * kernels->operand_bytes;
}

int64_t dt_decode_stream_bytes(const dt_gpt *gpt) {
    return stream_bytes(gpt->kernels, &gpt->layout->shape);
}

/* Points the arrays into `block`, and returns how many bytes they take; with NULL only that. */
static int64_t divide(dt_decoder *decoder, const dt_kernels *k, const dt_shape *s, char *block) {
    const int64_t streams = decoder->streams, T = s->T, C = s->C, n = streams > T ? streams : T;
    const int64_t half = k->operand_bytes, whole = (int64_t)sizeof(float);
    const struct {
        void *array; /* the pointer to set */
        int64_t bytes;
    } regions[] = {{&decoder->qkv, streams * stream_bytes(k, s)},
                   {&decoder->logits, streams * s->V * whole},
                   {&decoder->x, n * C * whole},
                   {&decoder->projection, n * C * whole},
                   {&decoder->norm, n * C * half},
                   {&decoder->attended, n * C * half},
                   {&decoder->act, n * s->F * half},
                   {&decoder->mean, n * whole},
                   {&decoder->rstd, n * whole},
                   {&decoder->scratch, k->attention->scratch_floats(T, C / s->H) * whole},
                   {&decoder->workspace, dt_scratch_products_floats(k, s, n) * whole}};
    int64_t total = 0;
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
        char *next = block ? block + total : NULL;
        memcpy(regions[i].array, &next, sizeof next);
        total += round_bytes(regions[i].bytes);
    }
    return total;
}

int64_t dt_decode_bytes(const dt_kernels *kernels, const dt_shape *shape, int64_t streams) {
    return divide(&(dt_decoder){.streams = streams}, kernels, shape, NULL);
}

dt_status dt_decode_create(dt_decoder *decoder, const dt_gpt *gpt, const dt_weights *weights,
                           int64_t streams) {
    DT_ASSERT(streams >= 1);
    const dt_shape *s = &gpt->layout->shape;
    *decoder = (dt_decoder){.gpt = gpt, .weights = weights, .streams = streams};
    decoder->tokens = dt_memory_alloc(streams * s->T, sizeof *decoder->tokens, "the context");
    decoder->block =
        dt_memory_alloc(dt_decode_bytes(gpt->kernels, s, streams), 1, "the keys and values of the context");
    if (decoder->tokens == NULL || decoder->block == NULL)
        return DT_FAILED;
    (void)divide(decoder, gpt->kernels, s, (char *)decoder->block);
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

/* y[rows, out] = x[rows, in] w[in, out] + bias, rows of y `stride` apart. */
static void multiply(const dt_decoder *decoder, void *y, int64_t stride, dt_result result,
                     const dt_operand *x, const dt_weight *w, const float *bias, int64_t rows, int64_t in,
                     int64_t out) {
    const dt_linear_shape shape = {rows, in, out, in, stride};
    const struct dt_linear *linear = decoder->gpt->kernels->linear;
    linear->forward(y, result, x, w, bias, &shape, dt_linear_all_y(linear, &shape), decoder->workspace);
}

static void embed(const dt_decoder *decoder, const int32_t *tokens, const intake *in) {
    const dt_gpt_view *w = &decoder->weights->view;
    const int64_t C = decoder->gpt->layout->shape.C;
    for (int64_t s = 0; s < in->streams; s++)
        decoder->gpt->kernels->embedding->forward(decoder->x + s * C, tokens + s, w->wte, w->wpe,
                                                  decoder->length, dt_range_all(in->count), C, NULL, NULL);
}

/* The keys and values of `layer` in the context of stream `stream`, from position `t` on. */
static dt_operand *cached(const dt_decoder *decoder, int64_t layer, int64_t stream, int64_t t) {
    const dt_shape *s = &decoder->gpt->layout->shape;
    const int64_t row = (layer * decoder->streams + stream) * s->T + t;
    return dt_kernels_operand(decoder->gpt->kernels, decoder->qkv, row * 3 * s->C);
}

/* The new rows' queries, against the keys of their own streams in this layer. */
static void attend(const dt_decoder *decoder, int64_t layer, const intake *in) {
    const dt_shape *s = &decoder->gpt->layout->shape;
    const dt_kernels *k = decoder->gpt->kernels;
    for (int64_t row = 0; row < in->streams * in->count; row++) {
        const int64_t stream = in->stream + row / in->count, t = decoder->length + row % in->count;
        k->attention->query(dt_kernels_operand(k, decoder->attended, row * s->C),
                            cached(decoder, layer, stream, 0), t, s->C, s->H, decoder->scratch);
    }
}

static void run_layer(const dt_decoder *decoder, int64_t layer, const intake *in) {
    const dt_shape *s = &decoder->gpt->layout->shape;
    const dt_gpt_layer *w = &decoder->weights->view.layer[layer];
    const dt_layer_matrices *m = &decoder->weights->layer[layer];
    const dt_kernels *k = decoder->gpt->kernels;
    const int64_t C = s->C, F = s->F, n = in->streams * in->count;
    const dt_range rows = dt_range_all(n);
    const int64_t qkv_stride = in->count > 1 ? 3 * C : s->T * 3 * C;
    float *x = decoder->x, *y = decoder->projection, *mean = decoder->mean, *rstd = decoder->rstd;
    dt_operand *norm = decoder->norm;
    k->layernorm->forward(norm, mean, rstd, x, w->ln_1_weight, w->ln_1_bias, rows, C);
    multiply(decoder, cached(decoder, layer, in->stream, decoder->length), qkv_stride, DT_RESULT_OPERAND,
             norm, &m->c_attn, w->c_attn_bias, n, C, 3 * C);
    attend(decoder, layer, in);
    multiply(decoder, y, C, DT_RESULT_FLOAT, decoder->attended, &m->attn_proj, NULL, n, C, C);
    k->residual->forward(x, x, y, w->attn_proj_bias, rows, C, NULL, NULL);

    k->layernorm->forward(norm, mean, rstd, x, w->ln_2_weight, w->ln_2_bias, rows, C);
    multiply(decoder, decoder->act, F, DT_RESULT_OPERAND, norm, &m->c_fc, w->c_fc_bias, n, C, F);
    k->gelu->forward(decoder->act, decoder->act, dt_range_all(n), (dt_gelu_shape){F, F});
    multiply(decoder, y, C, DT_RESULT_FLOAT, decoder->act, &m->mlp_proj, NULL, n, F, C);
    k->residual->forward(x, x, y, w->mlp_proj_bias, rows, C, NULL, NULL);
}

/* Takes tokens in where there is room for them, behind decoder->length, and leaves the streams' logits. */
static void append(const dt_decoder *decoder, const int32_t *tokens, const intake *in) {
    const dt_shape *s = &decoder->gpt->layout->shape;
    const dt_gpt_view *w = &decoder->weights->view;
    const dt_kernels *k = decoder->gpt->kernels;
    const dt_linear_shape head = dt_linear_dense(1, s->V, s->C);
    embed(decoder, tokens, in);
    for (int64_t i = 0; i < s->n_layers; i++)
        run_layer(decoder, i, in);
    for (int64_t stream = 0; stream < in->streams; stream++) {
        const float *last = decoder->x + (stream * in->count + in->count - 1) * s->C;
        k->layernorm->forward(decoder->norm, decoder->mean, decoder->rstd, last, w->ln_f_weight, w->ln_f_bias,
                              dt_range_all(1), s->C);
        k->linear->backward_input(decoder->logits + (in->stream + stream) * s->V, DT_RESULT_FLOAT,
                                  decoder->norm, &decoder->weights->wte, &head,
                                  dt_linear_all_dx(k->linear, &head), decoder->workspace);
    }
    for (int64_t stream = 0; stream < in->streams; stream++)
        memmove(decoder->tokens + (in->stream + stream) * s->T + decoder->length, tokens + stream,
                (size_t)in->count * sizeof *tokens);
}

/* Makes full contexts half full: their later half moves to the front, and is taken in anew there. */
static void slide(dt_decoder *decoder) {
    const int64_t T = decoder->gpt->layout->shape.T, kept = T / 2;
    if (decoder->length < T)
        return;
    decoder->length = 0;
    for (int64_t s = 0; s < decoder->streams; s++) {
        int32_t *tokens = decoder->tokens + s * T;
        memmove(tokens, tokens + T - kept, (size_t)kept * sizeof *tokens);
        if (kept > 0)
            append(decoder, tokens, &(intake){.stream = s, .streams = 1, .count = kept});
    }
    decoder->length = kept;
}

void dt_decode_tokens(dt_decoder *decoder, const int32_t *tokens, int64_t count) {
    DT_ASSERT(count >= 0 && decoder->length <= decoder->gpt->layout->shape.T);
    const int64_t T = decoder->gpt->layout->shape.T;
    while (count > 0) {
        slide(decoder);
        const int64_t now = dt_min(count, T - decoder->length);
        for (int64_t s = 0; s < decoder->streams; s++)
            append(decoder, tokens, &(intake){.stream = s, .streams = 1, .count = now});
        decoder->length += now;
        tokens += now;
        count -= now;
    }
}

void dt_decode_next(dt_decoder *decoder, const int32_t *tokens) {
    slide(decoder);
    append(decoder, tokens, &(intake){.stream = 0, .streams = decoder->streams, .count = 1});
    decoder->length++;
}
