/**
 * A trained model, read from a checkpoint to be used and not trained on: its weights without moments.
 */
#ifndef DT_INFER_MODEL_FILE_H
#define DT_INFER_MODEL_FILE_H

#include "base/status.h"
#include "model/gpt.h"
#include "model/weights.h"
#include "checkpoint/checkpoint.h"
#include "optim/state.h"

typedef struct dt_model_file {
    dt_checkpoint_about about; /**< its config's strings belong to it */
    char *path;                /**< the checkpoint's folder */
    dt_layout layout;
    dt_state state; /**< parameters; the moments are NULL */
    dt_gpt gpt;     /**< without dropout */
    dt_weights weights;
} dt_model_file;

/** The shape of the model that `config` describes, with the vocabulary of its tokenizer. Local. */
dt_shape dt_model_file_shape(const dt_config *config);

/**
 * The folder that `name` means: a path, or "latest" for checkpoints/latest, or "auto" for the newest whole
 * one below checkpoints/. `*path` becomes a new string that the caller frees. Local.
 */
dt_status dt_model_file_find(const char *name, char **path);

/**
 * Loads the checkpoint that `name` means to dt_model_file_find and verifies its weights, to be computed with
 * in `compute_dtype`, the text of a flag --compute-dtype; NULL is as it was trained. The model must not move
 * in memory afterwards, and is to be freed also on failure. Local.
 */
dt_status dt_model_file_load(dt_model_file *model, const char *name, const char *compute_dtype);

/** Frees what the model holds. Local. */
void dt_model_file_free(dt_model_file *model);

#endif
