/* The distribution is worked out in double: V is small, and the cost is in the decoder. */
#include "infer/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/elementary.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "base/progress.h"
#include "config/config.h"
#include "data/tokenizer.h"
#include "optim/finite.h"

typedef struct candidate {
    double weight; /* not normalised */
    int32_t token;
} candidate;

static int by_weight(const void *left, const void *right) {
    const candidate *a = left, *b = right;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return a->token - b->token;
}

/* The likeliest of `count` tokens, the smallest of equals. */
static int argmax(const float *logits, int64_t count) {
    int best = 0;
    for (int i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

int32_t dt_sample_draw(const float *logits, int64_t V, const dt_sample_options *options, double unit) {
    DT_ASSERT(V > DT_TOKEN_TEXT && unit > 0.0 && unit < 1.0 && !(options->temperature < 0.0));
    candidate list[DT_VOCAB] = {{0.0, 0}};
    int64_t count = (V < DT_VOCAB ? V : DT_VOCAB) - DT_TOKEN_TEXT;
    const float *const text = logits + DT_TOKEN_TEXT; /* <PAD> and <UNK> have no part in it */
    const int likeliest = argmax(text, count);
    const double max = (double)text[likeliest];
    double total = 0.0, reached = 0.0;
    if (options->temperature == 0.0)
        return likeliest + DT_TOKEN_TEXT;
    for (int64_t i = 0; i < count; i++)
        list[i] = (candidate){dt_elementary_exp(((double)text[i] - max) / options->temperature),
                              (int32_t)i + DT_TOKEN_TEXT};
    qsort(list, (size_t)count, sizeof *list, by_weight);
    if (!dt_is_null_int(options->top_k) && options->top_k < count)
        count = options->top_k;
    for (int64_t i = 0; i < count; i++)
        total += list[i].weight;
    if (!dt_is_null_real(options->top_p)) {
        int64_t kept = 0;
        for (reached = 0.0; kept < count && reached < options->top_p * total; kept++)
            reached += list[kept].weight;
        count = kept > 0 ? kept : 1;
        total = kept > 0 ? reached : list[0].weight;
    }
    reached = 0.0;
    for (int64_t i = 0; i < count; i++) {
        reached += list[i].weight;
        if (unit * total < reached)
            return list[i].token;
    }
    return list[count - 1].token; /* rounding left the sum a little short */
}

/* Takes in the prompt; of one longer than the context the end counts, as sliding would leave it. */
static dt_status take_prompt(dt_decoder *decoder, const char *prompt) {
    const char *text = *prompt ? prompt : "\n";
    const size_t length = strlen(text);
    const int64_t T = decoder->gpt->layout->shape.T;
    uint8_t *tokens = malloc(length);
    int32_t *ids = malloc((size_t)T * sizeof *ids);
    dt_status status = tokens && ids ? DT_OK : dt_fail("out of memory for a prompt of %zu bytes", length);
    if (status == DT_OK) {
        const int64_t count = dt_tokenizer_encode(text, length, tokens), kept = dt_min(count, T);
        dt_tokenizer_widen(ids, tokens + count - kept, kept);
        dt_decode_reset(decoder);
        dt_decode_tokens(decoder, ids, kept);
    }
    free(tokens);
    free(ids);
    return status;
}

/* One token more for each stream. */
static void draw(const dt_decoder *decoder, const dt_sample_options *options, int64_t i, int32_t *tokens) {
    const dt_philox_key key = dt_philox_derive(options->seed, DT_PURPOSE_SAMPLE, 0);
    const int64_t V = decoder->gpt->layout->shape.V;
    for (int64_t s = 0; s < decoder->streams; s++) {
        const dt_philox_words words =
            dt_philox(key, (uint32_t)i, (uint32_t)(i >> 32), options->index + (uint32_t)s, 0);
        tokens[s] = dt_sample_draw(decoder->logits + s * V, V, options, dt_philox_unit(words.w0, words.w1));
    }
}

/* Nothing can be drawn by chances that are not numbers. */
static dt_status check_logits(const dt_decoder *decoder, int64_t drawn) {
    if (dt_finite_all(decoder->logits, decoder->streams * decoder->gpt->layout->shape.V))
        return DT_OK;
    return dt_fail("cannot go on with the sample after %" PRId64 " token%s: expected finite logits, found "
                   "NaN or infinity; the weights are too large to compute with; use an earlier checkpoint",
                   drawn, dt_plural_s(drawn));
}

dt_status dt_sample_run(dt_decoder *decoder, const dt_sample_options *options,
                        void (*emit)(void *context, int64_t stream, const char *text), void *context) {
    DT_TRY(take_prompt(decoder, options->prompt));
    dt_status status = DT_OK;
    int32_t *tokens = dt_memory_alloc(decoder->streams, sizeof *tokens, "a token of each sample");
    if (tokens == NULL)
        return DT_FAILED;
    for (int64_t i = 0; i < options->max_length; i++) {
        if (options->stop_requested && options->stop_requested())
            break;
        status = check_logits(decoder, i);
        if (status != DT_OK)
            break;
        draw(decoder, options, i, tokens);
        for (int64_t s = 0; s < decoder->streams; s++)
            emit(context, s, dt_tokenizer_text(tokens[s]));
        dt_progress_mark();
        if (i + 1 < options->max_length)
            dt_decode_next(decoder, tokens);
    }
    dt_memory_free(tokens);
    return status;
}

static void append(void *context, int64_t stream, const char *text) {
    (void)stream;
    fputs(text, context);
}

dt_status dt_sample_text(dt_decoder *decoder, const dt_sample_options *options, char **text) {
    size_t length = 0;
    *text = NULL;
    FILE *memory = open_memstream(text, &length);
    if (memory == NULL)
        return dt_fail("out of memory for a sample");
    dt_status status = dt_sample_run(decoder, options, append, memory);
    if (fclose(memory) != 0 && status == DT_OK)
        status = dt_fail("out of memory for a sample");
    if (status != DT_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}
