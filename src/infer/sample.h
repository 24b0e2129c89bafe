/**
 * Text from the model: a prompt, continued token by token.
 */
#ifndef DT_INFER_SAMPLE_H
#define DT_INFER_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "infer/draw.h"
#include "model/decode.h"
#include "tokenizer/tokenizer.h"

typedef struct dt_sample_options {
    const dt_tokenizer *tokenizer;
    const char *prompt; /**< UTF-8 */
    int64_t max_length; /**< tokens to make after the prompt */
    dt_draw_rule rule;  /**< which token follows */
    uint64_t seed;
    const char *stop; /**< a text ends before the first of these in it; not empty. NULL: none */
    uint32_t index;   /**< which of several samples with the same seed: that of the first stream */
    bool (*stop_requested)(void); /**< asked before each token; the text ends when it says so. NULL: never */
} dt_sample_options;

/** Warns (base/log.h) where the prompt has characters that the tokenizer does not know: the model reads
 * another text than was given. Local. */
dt_status dt_sample_warn(const dt_tokenizer *tokenizer, const char *prompt);

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

#endif
