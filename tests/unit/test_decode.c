/* One token at a time against the forward pass of all of them, and against itself when the context slides. */
#include "model/activations.h"
#include "model/decode.h"
#include "model/forward.h"
#include "model/head.h"
#include "support/small_gpt.h"

/* Sanitizers make all of it ten times as long: there the longest context is shorter, still of several vectors
 * and a rest, and of the streams that are compared with themselves alone there are the first, the last and
 * one between. */
#ifdef DT_SANITIZED
enum { LONG_T = 67, ALONE_STRIDE = 8 };
#else
enum { LONG_T = 131, ALONE_STRIDE = 1 };
#endif

static const dt_shape shapes[] = {
    {.n_layers = 2, .C = 12, .H = 3, .F = 20, .T = 1, .V = 11},
    {.n_layers = 2, .C = 12, .H = 3, .F = 20, .T = 2, .V = 11},
    {.n_layers = 2, .C = 12, .H = 3, .F = 20, .T = 9, .V = 11},
    {.n_layers = 2, .C = 12, .H = 2, .F = 20, .T = 10, .V = 99},
    {.n_layers = 3, .C = 32, .H = 4, .F = 64, .T = LONG_T, .V = 99},
};
static const int shape_count = (int)(sizeof shapes / sizeof *shapes);

/* A decoder whose cache and scratch are NaN, in every dtype: nothing may be read that no token has written.
 */
static dt_decoder *decoder_of(const small_gpt *small, int64_t streams) {
    dt_decoder *decoder = numbers_block(1, sizeof *decoder);
    assert_int_equal(dt_decode_create(decoder, &small->gpt, &small->weights, streams), DT_OK);
    const dt_shape *s = &small->layout.shape;
    const int64_t n = streams > s->T ? streams : s->T, each = small->gpt.kernels->operand_bytes;
    const struct {
        void *array;
        int64_t bytes;
    } regions[] = {{decoder->qkv, streams * dt_decode_stream_bytes(&small->gpt)},
                   {decoder->logits, streams * s->V * 4},
                   {decoder->x, n * s->C * 4},
                   {decoder->projection, n * s->C * 4},
                   {decoder->norm, n * s->C * each},
                   {decoder->attended, n * s->C * each},
                   {decoder->act, n * s->F * each},
                   {decoder->scratch, 4 * small->gpt.kernels->attention->scratch_floats(s->T, s->C / s->H)},
                   {decoder->workspace, 4 * dt_scratch_products_floats(small->gpt.kernels, s, n)}};
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++)
        memset(regions[i].array, 0xff, (size_t)regions[i].bytes);
    return decoder;
}

static dt_decoder *decoder_make(const small_gpt *small) {
    return decoder_of(small, 1);
}

static void decoder_free(dt_decoder *decoder) {
    dt_decode_free(decoder);
    free(decoder);
}

/*
 * The cached logits of every position are those of the full forward pass to 1e-5 (of the largest, which is a
 * few units). The model's dropout is for training only.
 */
static void cached_logits_are_the_full_ones(void **state) {
    (void)state;
    for (int i = 0; i < shape_count; i++) {
        small_gpt *small = small_gpt_make(shapes[i], 0.25);
        const int64_t T = shapes[i].T, V = shapes[i].V;
        for_every_kernels(k) {
            small_gpt_use(small, k);
            dt_activations a = small_gpt_activations(small, 1);
            const dt_micro_batch micro_batch = small_gpt_micro_batch(small, 1, 0);
            dt_forward_run(&small->gpt, &small->weights, &micro_batch, &a, &small->team);
            dt_head_logits(&small->gpt, &small->weights, dt_range_all(T), &a, &small->team);
            dt_decoder *decoder = decoder_make(small);
            for (int64_t t = 0; t < T; t++) {
                double *expected = numbers_widen(a.logits + t * a.logits_stride, V);
                dt_decode_tokens(decoder, &small->windows[0][t], 1);
                assert_int_equal(decoder->length, t + 1);
                assert_close(k->name, "logits", decoder->logits, expected, V, 1e-5);
                free(expected);
            }
            decoder_free(decoder);
            dt_activations_free(&a);
        }
        small_gpt_free(small);
    }
}

/*
 * Whenever the context is full, the next token finds it with its later half (rounded down) at the front: the
 * logits are bit for bit those of a fresh decoder that took in that half and the token. Three times the
 * context slides here.
 */
static void a_full_context_keeps_its_later_half(void **state) {
    (void)state;
    for (int i = 0; i < shape_count; i++) {
        small_gpt *small = small_gpt_make(shapes[i], 0.0);
        const int64_t T = shapes[i].T, V = shapes[i].V, kept = T / 2;
        int32_t *text = numbers_tokens(3 * T + 1, 3, V);
        for_every_kernels(k) {
            small_gpt_use(small, k);
            dt_decoder *decoder = decoder_make(small);
            int slides = 0;
            for (int64_t t = 0; t < 3 * T + 1; t++) {
                const bool full = decoder->length == T;
                dt_decode_tokens(decoder, &text[t], 1);
                if (!full)
                    continue;
                dt_decoder *fresh = decoder_make(small);
                dt_decode_tokens(fresh, text + t - kept, kept);
                dt_decode_tokens(fresh, text + t, 1);
                assert_int_equal(decoder->length, kept + 1);
                assert_memory_equal(decoder->tokens, text + t - kept, (size_t)(kept + 1));
                assert_same_bits(k->name, "logits after sliding", decoder->logits, fresh->logits, V);
                decoder_free(fresh);
                slides++;
            }
            assert_true(slides >= 3);
            decoder_free(decoder);
        }
        free(text);
        small_gpt_free(small);
    }
}

/*
 * However a text is cut into the pieces that are taken in at once, the logits after it are those of one token
 * at a time, bit for bit: a product's row does not depend on the rows beside it.
 */
static void pieces_do_not_matter(void **state) {
    (void)state;
    small_gpt *small = small_gpt_make(shapes[4], 0.0);
    const int64_t T = shapes[4].T, V = shapes[4].V;
    for_every_kernels(k) {
        small_gpt_use(small, k);
        dt_decoder *single = decoder_make(small);
        for (int64_t t = 0; t < T; t++)
            dt_decode_tokens(single, &small->windows[0][t], 1);
        const int64_t pieces[] = {2, 7, 64, T};
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
            dt_decoder *several = decoder_make(small);
            for (int64_t t = 0; t < T; t += pieces[p])
                dt_decode_tokens(several, &small->windows[0][t], T - t < pieces[p] ? T - t : pieces[p]);
            assert_int_equal(several->length, T);
            assert_memory_equal(several->tokens, small->windows[0], (size_t)T);
            assert_same_bits(k->name, "logits", several->logits, single->logits, V);
            decoder_free(several);
        }
        decoder_free(single);
    }
    small_gpt_free(small);
}

/* Streams side by side, beyond where their contexts slide, get the bits that each gets alone. */
static void streams_do_not_matter(void **state) {
    (void)state;
    enum { STREAMS = 17 };
    for (int i = 1; i < shape_count; i++) {
        small_gpt *small = small_gpt_make(shapes[i], 0.0);
        const int64_t T = shapes[i].T, V = shapes[i].V, steps = T + T / 2 + 1;
        int32_t *text = numbers_tokens(steps * STREAMS, 5, V);
        for_every_kernels(k) {
            small_gpt_use(small, k);
            dt_decoder *together = decoder_of(small, STREAMS), *alone[STREAMS];
            dt_decode_tokens(together, text, 1);
            for (int64_t s = 0; s < STREAMS; s += ALONE_STRIDE) {
                alone[s] = decoder_make(small);
                dt_decode_tokens(alone[s], text, 1);
            }
            for (int64_t t = 0; t < steps; t++) {
                dt_decode_next(together, text + t * STREAMS);
                for (int64_t s = 0; s < STREAMS; s += ALONE_STRIDE) {
                    dt_decode_next(alone[s], text + t * STREAMS + s);
                    assert_same_bits(k->name, "logits", together->logits + s * V, alone[s]->logits, V);
                }
            }
            for (int64_t s = 0; s < STREAMS; s += ALONE_STRIDE)
                decoder_free(alone[s]);
            decoder_free(together);
        }
        free(text);
        small_gpt_free(small);
    }
}

/* An emptied decoder is as a fresh one: the same text gives the same bits. */
static void reset_forgets_all(void **state) {
    (void)state;
    small_gpt *small = small_gpt_make(shapes[2], 0.0);
    const int64_t V = shapes[2].V;
    for_every_kernels(k) {
        small_gpt_use(small, k);
        dt_decoder *used = decoder_make(small), *fresh = decoder_make(small);
        for (int64_t t = 0; t < shapes[2].T; t++)
            dt_decode_tokens(used, &small->windows[1][t], 1);
        dt_decode_reset(used);
        assert_int_equal(used->length, 0);
        for (int64_t t = 0; t < 4; t++) {
            dt_decode_tokens(used, &small->windows[0][t], 1);
            dt_decode_tokens(fresh, &small->windows[0][t], 1);
            assert_same_bits(k->name, "logits", used->logits, fresh->logits, V);
        }
        decoder_free(used);
        decoder_free(fresh);
    }
    small_gpt_free(small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cached_logits_are_the_full_ones),
        cmocka_unit_test(a_full_context_keeps_its_later_half),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(streams_do_not_matter),
        cmocka_unit_test(reset_forgets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
