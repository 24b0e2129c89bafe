/* forward.c for the tokens that are new, without dropout. */
#include "model/decode.h"

#include <string.h>

#include "base/memory.h"

dt_status dt_decode_create(dt_decoder *decoder, const dt_gpt *gpt, const dt_gpt_view *weights) {
    const dt_shape *s = &gpt->layout->shape;
    const int64_t T = s->T, C = s->C;
    *decoder = (dt_decoder){.gpt = gpt, .weights = weights};
    const struct {
        float **array;
        int64_t count;
    } parts[] = {{&decoder->qkv, s->n_layers * T * 3 * C},
                 {&decoder->logits, s->V},
                 {&decoder->x, T * C},
                 {&decoder->norm, T * C},
                 {&decoder->attended, T * C},
                 {&decoder->act, T * s->F},
                 {&decoder->mean, T},
                 {&decoder->rstd, T},
                 {&decoder->scratch, dt_attention_scratch_floats(T, C / s->H)},
                 {&decoder->room, DT_GEMM_ROOM}};
    const size_t count = sizeof parts / sizeof *parts;
    int64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += dt_memory_round_floats(parts[i].count);
    decoder->tokens = dt_memory_alloc(T, 1, "the context");
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

/* y[rows, out] = bias + x[rows, in] w[in, out]; a single row is bound by reading w, and has a kernel of its
 * own. */
static void multiply(const dt_decoder *decoder, float *y, const float *x, const float *w, const float *bias,
                     int64_t rows, int64_t in, int64_t out) {
    const dt_kernels *k = decoder->gpt->kernels;
    if (rows == 1)
        k->matvec->forward(y, x, w, bias, in, out);
    else
        k->linear->forward(y, x, w, bias, rows, in, out, decoder->room);
}

/* Takes in `count` tokens where there is room for them. */
static void append(dt_decoder *decoder, const uint8_t *tokens, int64_t count) {
    const dt_gpt *gpt = decoder->gpt;
    const dt_gpt_view *weights = decoder->weights;
    const dt_shape *s = &gpt->layout->shape;
    const dt_kernels *k = gpt->kernels;
    const int64_t C = s->C, F = s->F, t = decoder->length, n = count;
    float *x = decoder->x, *norm = decoder->norm, *mean = decoder->mean, *rstd = decoder->rstd;
    k->embedding->forward(x, tokens, weights->wte, weights->wpe, t, n, C, NULL, NULL);
    for (int64_t i = 0; i < s->n_layers; i++) {
        const dt_gpt_layer *w = &weights->layer[i];
        float *qkv = decoder->qkv + i * s->T * 3 * C;
        k->layernorm->forward(norm, mean, rstd, x, w->ln_1_weight, w->ln_1_bias, n, C);
        multiply(decoder, qkv + t * 3 * C, norm, w->c_attn_weight, w->c_attn_bias, n, C, 3 * C);
        for (int64_t j = 0; j < n; j++)
            k->attention->query(decoder->attended + j * C, qkv, t + j, C, s->H, decoder->scratch);
        multiply(decoder, norm, decoder->attended, w->attn_proj_weight, NULL, n, C, C);
        k->residual->forward(x, x, norm, w->attn_proj_bias, n, C, NULL, NULL);

        k->layernorm->forward(norm, mean, rstd, x, w->ln_2_weight, w->ln_2_bias, n, C);
        multiply(decoder, decoder->act, norm, w->c_fc_weight, NULL, n, C, F);
        k->gelu->forward(decoder->act, decoder->act, w->c_fc_bias, n, F);
        multiply(decoder, norm, decoder->act, w->mlp_proj_weight, NULL, n, F, C);
        k->residual->forward(x, x, norm, w->mlp_proj_bias, n, C, NULL, NULL);
    }
    const float *last = x + (n - 1) * C;
    k->layernorm->forward(norm, mean, rstd, last, weights->ln_f_weight, weights->ln_f_bias, 1, C);
    k->matvec->transposed(decoder->logits, norm, weights->wte, s->V, C);
    memmove(decoder->tokens + t, tokens, (size_t)n);
    decoder->length = t + n;
}

void dt_decode_tokens(dt_decoder *decoder, const uint8_t *tokens, int64_t count) {
    const int64_t T = decoder->gpt->layout->shape.T, kept = T / 2;
    while (count > 0) {
        if (decoder->length == T) {
            memmove(decoder->tokens, decoder->tokens + T - kept, (size_t)kept);
            decoder->length = 0;
            if (kept > 0)
                append(decoder, decoder->tokens, kept);
        }
        const int64_t room = T - decoder->length, now = count < room ? count : room;
        append(decoder, tokens, now);
        tokens += now;
        count -= now;
    }
}
