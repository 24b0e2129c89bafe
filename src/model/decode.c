/* forward.c for a single row, without dropout. */
#include "model/decode.h"

#include <string.h>

#include "base/memory.h"

dt_status dt_decode_create(dt_decoder *decoder, const dt_gpt *gpt, const dt_gpt_view *weights) {
    const dt_shape *s = &gpt->layout->shape;
    const int64_t counts[] = {s->n_layers * s->T * 3 * s->C,    s->V, s->C, s->C, s->C, s->F,
                              dt_attention_scratch_floats(s->T)};
    *decoder = (dt_decoder){.gpt = gpt, .weights = weights};
    float **arrays[] = {&decoder->qkv,      &decoder->logits, &decoder->x,      &decoder->norm,
                        &decoder->attended, &decoder->act,    &decoder->scratch};
    const int64_t count = (int64_t)(sizeof counts / sizeof *counts);
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++)
        total += dt_memory_round_floats(counts[i]);
    decoder->tokens = dt_memory_alloc(s->T, 1, "the context");
    decoder->block = dt_memory_alloc(total, sizeof(float), "the keys and values of the context");
    if (decoder->tokens == NULL || decoder->block == NULL)
        return DT_FAILED;
    float *next = decoder->block;
    for (int64_t i = 0; i < count; i++) {
        *arrays[i] = next;
        next += dt_memory_round_floats(counts[i]);
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

/* Takes in a token where there is room. */
static void append(dt_decoder *decoder, uint8_t token) {
    const dt_gpt *gpt = decoder->gpt;
    const dt_gpt_view *weights = decoder->weights;
    const dt_shape *s = &gpt->layout->shape;
    const dt_kernels *k = gpt->kernels;
    const int64_t C = s->C, F = s->F, t = decoder->length;
    float *x = decoder->x, *norm = decoder->norm, mean, rstd;
    k->embedding->forward(x, &token, weights->wte, weights->wpe, t, 1, C, NULL, NULL);
    for (int64_t i = 0; i < s->n_layers; i++) {
        const dt_gpt_layer *w = &weights->layer[i];
        float *qkv = decoder->qkv + i * s->T * 3 * C;
        k->layernorm->forward(norm, &mean, &rstd, x, w->ln_1_weight, w->ln_1_bias, 1, C);
        k->matvec->forward(qkv + t * 3 * C, norm, w->c_attn_weight, w->c_attn_bias, C, 3 * C);
        k->attention->query(decoder->attended, qkv, t, C, s->H, decoder->scratch);
        k->matvec->forward(norm, decoder->attended, w->attn_proj_weight, NULL, C, C);
        k->residual->forward(x, x, norm, w->attn_proj_bias, 1, C, NULL, NULL);

        k->layernorm->forward(norm, &mean, &rstd, x, w->ln_2_weight, w->ln_2_bias, 1, C);
        k->matvec->forward(decoder->act, norm, w->c_fc_weight, NULL, C, F);
        k->gelu->forward(decoder->act, decoder->act, w->c_fc_bias, 1, F);
        k->matvec->forward(norm, decoder->act, w->mlp_proj_weight, NULL, F, C);
        k->residual->forward(x, x, norm, w->mlp_proj_bias, 1, C, NULL, NULL);
    }
    k->layernorm->forward(norm, &mean, &rstd, x, weights->ln_f_weight, weights->ln_f_bias, 1, C);
    k->matvec->transposed(decoder->logits, norm, weights->wte, s->V, C);
    decoder->tokens[t] = token;
    decoder->length = t + 1;
}

void dt_decode_token(dt_decoder *decoder, uint8_t token) {
    const int64_t T = decoder->gpt->layout->shape.T, kept = T / 2;
    if (decoder->length == T) {
        memmove(decoder->tokens, decoder->tokens + T - kept, (size_t)kept);
        decoder->length = 0;
        for (int64_t t = 0; t < kept; t++)
            append(decoder, decoder->tokens[t]);
    }
    append(decoder, token);
}
