/**
 * config.json as Hugging Face's GPT2Config writes it: the architecture of a model, in its words.
 *
 *     {"model_type": "gpt2", "vocab_size": V, "n_positions": T, "n_embd": C, "n_layer": .., "n_head": H,
 *      "n_inner": F, or null for 4 C, ..}
 *
 * Keys that would change what the model computes must have the values that are dtrain's (and GPT-2's) own;
 * others, of dropout, initial weights, generation and heads for other tasks, are not looked at. (Source:
 * configuration_gpt2.py and modeling_gpt2.py of the library transformers.)
 */
#ifndef DT_CHECKPOINT_GPT2_CONFIG_H
#define DT_CHECKPOINT_GPT2_CONFIG_H

#include <jansson.h>

#include "base/status.h"
#include "model/layout.h"

/**
 * Reads `path`. `*shape` becomes that of the model, each size within the bounds of its option; `*config` the
 * whole object, which the caller gives back with json_decref. A failure names key and value, and leaves
 * nothing to free. Local.
 */
dt_status dt_gpt2_config_read(const char *path, dt_shape *shape, json_t **config);

/** The same of `length` bytes of text (a 0 byte behind them); `path` stands in sentences. Local. */
dt_status dt_gpt2_config_parse(const char *path, const char *text, size_t length, dt_shape *shape,
                               json_t **config);

#endif
