/**
 * A model folder as Hugging Face's GPT2LMHeadModel saves it: config.json and weights, nothing of a run.
 *
 *     config.json                 checkpoint/gpt2_config.h
 *     model.safetensors, or ..    checkpoint/weight_files.h
 *     tokenizer.json, ..          what text is to the model, for whoever wants to know
 *
 * Weights are F32, F16 or BF16, each tensor for itself, by the table's names (model/layout.h) with or without
 * "transformer." before them. `lm_head.weight` may stand there too when it equals `wte.weight`, to which
 * dtrain's model is tied; the masks `h.*.attn.bias` and `h.*.attn.masked_bias` of old files are constants and
 * are not read. Any other tensor is refused, and so are numbers that are not finite.
 */
#ifndef DT_CHECKPOINT_PRETRAINED_H
#define DT_CHECKPOINT_PRETRAINED_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "checkpoint/weight_files.h"
#include "model/layout.h"

/** Where a tensor is. */
typedef struct dt_pretrained_tensor {
    const dt_weight_file *file; /**< NULL: nowhere */
    dt_safetensors_extent extent;
} dt_pretrained_tensor;

typedef struct dt_pretrained {
    json_t *config;   /**< config.json, whole */
    dt_layout layout; /**< of the folder's shape */
    dt_weight_files files;
    dt_pretrained_tensor *tensor; /**< [layout.tensors] */
    dt_pretrained_tensor head;    /**< lm_head.weight */
} dt_pretrained;

/** Whether `path` is such a folder: it has a config.json, and neither metadata.json nor an optimizer's state,
 * by which a checkpoint is known, also one that has lost a file. Local. */
bool dt_pretrained_is(const char *path);

/**
 * Looks at `folder`: reads its config and the headers of its files, in which every tensor of the model must
 * be found. No weights are read, and memory is taken for headers only. The caller closes it, after a failure
 * too. Local.
 */
dt_status dt_pretrained_open(dt_pretrained *model, const char *folder);

/**
 * Reads the weights into `parameters`, a vector of `layout`, which has the shape of the folder's, or a
 * smaller T: then positions beyond it are left out. Where `parameters` is NULL they are read and checked
 * only. Local.
 */
dt_status dt_pretrained_read(const dt_pretrained *model, const dt_layout *layout, float *parameters);

/**
 * The tokenizer.json of `folder` as a new string that the caller frees. Fails with DT_USAGE where there is
 * none: nothing else says what text is to the model. Local.
 */
dt_status dt_pretrained_tokenizer(const char *folder, char **path);

/** Frees what the model holds. Local. */
void dt_pretrained_close(dt_pretrained *model);

#endif
