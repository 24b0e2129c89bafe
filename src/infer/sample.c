/* Texts are made side by side, so that the decoder reads each weight once for all of them. */
#include "infer/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "base/progress.h"
#include "infer/stop_text.h"
#include "infer/utf8_stream.h"
#include "optim/finite.h"
#include "tokenizer/encoder.h"
#include "tokenizer/tokens.h"

/* Texts that are being made, side by side. */
typedef struct samples {
    dt_decoder *decoder;
    const dt_sample_options *options;
    int32_t *tokens;       /* [streams]: the last ones */
    dt_utf8_stream *shown; /* [streams] */
    dt_stop_text *stop;    /* [streams] */
    bool *ended;           /* [streams]: the text has come to its end by itself */
    dt_ranking_item *list; /* [V] */
    void (*emit)(void *context, int64_t stream, const char *text);
    void *context;
    int64_t stream; /* whose text goes to `emit` */
} samples;

static void samples_free(samples *s) {
    dt_memory_free(s->tokens);
    for (int64_t i = 0; s->stop && i < s->decoder->streams; i++)
        dt_stop_text_free(&s->stop[i]);
    free(s->stop);
    dt_memory_free(s->shown);
    dt_memory_free(s->ended);
    dt_memory_free(s->list);
}

static dt_status samples_create(samples *s) {
    const int64_t streams = s->decoder->streams;
    s->tokens = dt_memory_alloc(streams, sizeof *s->tokens, "a token of each sample");
    s->shown = dt_memory_alloc(streams, sizeof *s->shown, "the last bytes of each sample");
    s->stop = calloc((size_t)streams, sizeof *s->stop);
    s->ended = dt_memory_alloc(streams, sizeof *s->ended, "the ends of the samples");
    s->list = dt_memory_alloc(s->options->tokenizer->V, sizeof *s->list, "the tokens to draw from");
    if (!s->tokens || !s->shown || !s->stop || !s->ended || !s->list)
        return dt_fail("out of memory for %" PRId64 " samples", streams);
    for (int64_t i = 0; i < streams; i++) {
        DT_TRY(dt_stop_text_create(&s->stop[i], s->options->stop));
        s->shown[i] = (dt_utf8_stream){0};
        s->ended[i] = false;
    }
    return DT_OK;
}

dt_status dt_sample_warn(const dt_tokenizer *tokenizer, const char *prompt) {
    const dt_text whole = {(const uint8_t *)prompt, (int64_t)strlen(prompt), true, true};
    dt_token_count count = {0};
    dt_encoder encoder;
    dt_status status = dt_encoder_create(&encoder, tokenizer);
    if (status == DT_OK)
        status = dt_encoder_encode(&encoder, &whole, 0, whole.length, false, &count);
    dt_encoder_free(&encoder);
    if (status == DT_OK && count.unknown > 0)
        dt_log_warn("the prompt \"%s\" has %" PRId64 " character%s of %" PRId64
                    " that the tokenizer %s does not know, which the model reads as <UNK>",
                    prompt, count.unknown, dt_plural_s(count.unknown), count.tokens, tokenizer->kind->name);
    return status;
}

/* Takes in the prompt; of one longer than the context the end counts, as sliding would leave it. */
static dt_status take_prompt(const samples *s) {
    const char *text = *s->options->prompt ? s->options->prompt : "\n";
    const int64_t T = s->decoder->gpt->layout->shape.T;
    const int token_bytes = s->options->tokenizer->token_bytes;
    dt_encoder encoder;
    dt_status status = dt_encoder_create(&encoder, s->options->tokenizer);
    int32_t *ids = malloc((size_t)T * sizeof *ids);
    if (status == DT_OK && ids == NULL)
        status = dt_fail("out of memory for a prompt of %zu bytes", strlen(text));
    if (status == DT_OK)
        status = dt_encoder_encode_all(&encoder, text, strlen(text));
    if (status == DT_OK) {
        const int64_t kept = dt_min(encoder.count, T);
        dt_tokens_widen(ids, encoder.tokens + (encoder.count - kept) * token_bytes, token_bytes, kept);
        dt_decode_reset(s->decoder);
        dt_decode_tokens(s->decoder, ids, kept);
    }
    dt_encoder_free(&encoder);
    free(ids);
    return status;
}

/* One token more for each stream. What is no text, <PAD> and <UNK>, or an id that pads the model's
 * vocabulary, has no part in it. */
static void draw(const samples *s, int64_t i) {
    const dt_philox_key key = dt_philox_derive(s->options->seed, DT_PURPOSE_SAMPLE, 0);
    const int64_t V = s->decoder->gpt->layout->shape.V, known = s->options->tokenizer->V;
    const int32_t first = s->options->tokenizer->first_text;
    for (int64_t stream = 0; stream < s->decoder->streams; stream++) {
        const dt_philox_words words =
            dt_philox(key, (uint32_t)i, (uint32_t)(i >> 32), s->options->index + (uint32_t)stream, 0);
        const float *logits = s->decoder->logits + stream * V + first;
        s->tokens[stream] = first + dt_draw_token(logits, dt_min(V, known) - first, &s->options->rule,
                                                  dt_philox_unit(words.w0, words.w1), s->list);
    }
}

static void give(void *context, const char *text) {
    const samples *s = context;
    s->emit(s->context, s->stream, text);
}

/* A whole character, on its way to `emit`. */
static void hand_on(void *context, const char *text) {
    const samples *s = context;
    dt_stop_text_push(&s->stop[s->stream], text, give, context);
}

/* Shows the new tokens of texts that have not ended; whether any has not. */
static bool show(samples *s) {
    bool any = false;
    for (s->stream = 0; s->stream < s->decoder->streams; s->stream++) {
        size_t length;
        const int32_t token = s->tokens[s->stream];
        s->ended[s->stream] = s->ended[s->stream] || token == s->options->tokenizer->end_of_text;
        if (s->ended[s->stream])
            continue;
        const char *bytes = dt_tokenizer_decode(s->options->tokenizer, token, &length);
        dt_utf8_stream_push(&s->shown[s->stream], bytes, length, hand_on, s);
        s->ended[s->stream] = s->stop[s->stream].found;
        any = any || !s->ended[s->stream];
    }
    return any;
}

/* Nothing can be drawn by chances that are not numbers. */
static dt_status check_logits(const dt_decoder *decoder, int64_t drawn) {
    if (dt_finite_all(decoder->logits, decoder->streams * decoder->gpt->layout->shape.V))
        return DT_OK;
    return dt_fail("cannot go on with the sample after %" PRId64 " token%s: expected finite logits, found "
                   "NaN or infinity; the weights are too large to compute with; use an earlier checkpoint",
                   drawn, dt_plural_s(drawn));
}

static dt_status run(samples *s) {
    DT_TRY(take_prompt(s));
    for (int64_t i = 0; i < s->options->max_length; i++) {
        if (s->options->stop_requested && s->options->stop_requested())
            break;
        DT_TRY(check_logits(s->decoder, i));
        draw(s, i);
        const bool more = show(s);
        dt_progress_mark();
        if (!more)
            break;
        if (i + 1 < s->options->max_length)
            dt_decode_next(s->decoder, s->tokens);
    }
    for (s->stream = 0; s->stream < s->decoder->streams; s->stream++) {
        dt_utf8_stream_finish(&s->shown[s->stream], hand_on, s);
        dt_stop_text_finish(&s->stop[s->stream], give, s);
    }
    return DT_OK;
}

dt_status dt_sample_run(dt_decoder *decoder, const dt_sample_options *options,
                        void (*emit)(void *context, int64_t stream, const char *text), void *context) {
    samples s = {.decoder = decoder, .options = options, .emit = emit, .context = context};
    dt_status status = samples_create(&s);
    if (status == DT_OK)
        status = run(&s);
    samples_free(&s);
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
