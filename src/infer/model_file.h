/**
 * A trained model, read to be used and not trained on: its weights without moments, from a checkpoint or from
 * a folder as Hugging Face's library writes it (checkpoint/pretrained.h).
 */
#ifndef DT_INFER_MODEL_FILE_H
#define DT_INFER_MODEL_FILE_H

#include <stdbool.h>

#include "base/status.h"
#include "model/gpt.h"
#include "model/weights.h"
#include "checkpoint/checkpoint.h"
#include "optim/state.h"
#include "tokenizer/tokenizer.h"

typedef struct dt_model_file {
    dt_checkpoint_about about; /**< its config's strings belong to it; of a model folder the config has the
                                  shapes, and else there is nothing to say */
    bool pretrained;           /**< it is a model folder: nothing is known of a run */
    char *path;                /**< the folder */
    dt_tokenizer tokenizer;
    dt_layout layout;
    dt_state state; /**< parameters; the moments are NULL */
    dt_gpt gpt;     /**< without dropout */
    dt_weights weights;
} dt_model_file;

/** What the command line may say of a model; NULL: nothing. */
typedef struct dt_model_file_flags {
    const char *compute_dtype; /**< --compute-dtype, or else as it was trained */
    const char *tokenizer;     /**< --tokenizer, or else the folder's own */
} dt_model_file_flags;

/**
 * The shape of the model that `config` describes. V is vocab_size or, where that is null, the tokenizer's
 * number of tokens; a smaller one is refused. It is 0 of a tokenizer that has no tokens yet. `tokenizer`
 * NULL: the one that the config names is asked, unless vocab_size says it. Local.
 */
dt_status dt_model_file_shape(const dt_config *config, const dt_tokenizer *tokenizer, dt_shape *shape);

/**
 * The folder that `name` means: that of a model, or the checkpoint that checkpoint/choose.h finds. `*path`
 * becomes a new string that the caller frees. Local.
 */
dt_status dt_model_file_find(const char *name, char **path);

/**
 * Reads the weights that `name` means to dt_model_file_find, and verifies them, but makes nothing to compute
 * with: tokenizer, gpt and weights stay empty. The model is to be freed also on failure. Local.
 */
dt_status dt_model_file_read(dt_model_file *model, const char *name);

/**
 * The same, with the folder's tokenizer, to be computed with. `flags` are as on the command line. The model
 * must not move in memory afterwards, and is to be freed also on failure. Local.
 */
dt_status dt_model_file_load(dt_model_file *model, const char *name, const dt_model_file_flags *flags);

/** Frees what the model holds. Local. */
void dt_model_file_free(dt_model_file *model);

#endif
