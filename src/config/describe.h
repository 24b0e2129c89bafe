/**
 * A config's model in words, the same wherever people meet it.
 */
#ifndef DT_CONFIG_DESCRIBE_H
#define DT_CONFIG_DESCRIBE_H

#include "config/fields.h"

/** Five counts of at most 20 digits and what stands between them. */
#define DT_DESCRIBE_BYTES 192

/** Writes "2 layers, d_model 128, 4 heads, d_ff 512, context 128". Local. */
void dt_describe_model(const dt_config *config, char text[DT_DESCRIBE_BYTES]);

#endif
