/* The counts that decide a model's shape, in the order of the table of options. */
#include "config/describe.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/plural.h"

void dt_describe_model(const dt_config *c, char text[DT_DESCRIBE_BYTES]) {
    snprintf(text, DT_DESCRIBE_BYTES,
             "%" PRId64 " layer%s, d_model %" PRId64 ", %" PRId64 " head%s, d_ff %" PRId64
             ", context %" PRId64,
             c->n_layers, dt_plural_s(c->n_layers), c->d_model, c->n_heads, dt_plural_s(c->n_heads), c->d_ff,
             c->max_seq_len);
}
