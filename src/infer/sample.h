/**
 * Text from the model: which token follows, by temperature, top-k and top-p.
 */
#ifndef DT_INFER_SAMPLE_H
#define DT_INFER_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "model/decode.h"
#include "tokenizer/tokenizer.h"

typedef struct dt_sample_options {
    const dt_tokenizer *tokenizer;
    const char *prompt; /**< UTF-8 */
    int64_t max_length; /**< tokens to make after the prompt */
    double temperature; /**< logits are divided by it; 0: always the likeliest token */
    int64_t top_k;      /**< keep the k likeliest; DT_NULL_INT: all */
    double top_p;       /**< of these, keep the likeliest that together have at least p; DT_NULL_REAL: all */
    uint64_t seed;
    const char *stop; /**< a text ends before the first of these in it; not empty. NULL: none */
    uint32_t index;   /**< which of several samples with the same seed: that of the first stream */
    bool (*stop_requested)(void); /**< asked before each token; the text ends when it says so. NULL: never */
} dt_sample_options;

/**
 * Continues the prompt (an empty one counts as a newline) in every stream of the decoder and calls `emit`
 * with the text of each new token, one whole character of UTF-8 a call, as soon as it is known; bytes that
 * are none are U+FFFD. A text ends with max_length tokens, where the tokenizer's end of text is drawn, which
 * is not shown, or before options->stop, of which what may be its beginning is held back. Fails when logits
 * are not finite. Sample `index` is the same text with the same options and weights, however many are made
 * side by side. Ties in likelihood are broken by the smaller token. Local.
 */
dt_status dt_sample_run(dt_decoder *decoder, const dt_sample_options *options,
                        void (*emit)(void *context, int64_t stream, const char *text), void *context);

/** As dt_sample_run with one stream, but returns the whole as a new string, without the prompt, that the
 * caller frees. Local.
 */
dt_status dt_sample_text(dt_decoder *decoder, const dt_sample_options *options, char **text);

/** A token that may be drawn. */
typedef struct dt_sample_candidate {
    double weight; /**< not normalised */
    int32_t token;
} dt_sample_candidate;

/**
 * Draws one of `count` tokens by their logits[count] with the number `unit` in (0, 1). They have weights
 * exp((logit - largest) / temperature), in double, and stand in the order of falling weight, of equal ones
 * the smaller token first. top_k keeps the first k. top_p keeps the fewest first whose weights add up to at
 * least p times the sum of what top_k has left. Drawn is the first token at which the running sum of the kept
 * weights is above unit times their sum. At temperature 0 it is the first of all in that order, whatever
 * `unit` is. `list` is room for `count` of them. Local.
 */
int32_t dt_sample_draw(const float *logits, int64_t count, const dt_sample_options *options, double unit,
                       dt_sample_candidate *list);

#endif
