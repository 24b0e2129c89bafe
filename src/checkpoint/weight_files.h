/**
 * The files that hold the weights of a Hugging Face model folder: one, or shards that an index lists.
 *
 *     FOLDER/model.safetensors                  all tensors; where it stands, it counts
 *     FOLDER/model.safetensors.index.json       {"metadata": {..}, "weight_map": {tensor: file, ..}}
 *     FOLDER/model-00001-of-00003.safetensors   a shard: what the index says of it, no more and no less,
 * masks aside; a name may have the prefix here, and not there
 *
 * Private to the checkpoint's own files.
 */
#ifndef DT_CHECKPOINT_WEIGHT_FILES_H
#define DT_CHECKPOINT_WEIGHT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "checkpoint/safetensors_header.h"

#define DT_WEIGHT_FILES_INDEX  "model.safetensors.index.json"
#define DT_WEIGHT_FILES_PREFIX "transformer." /**< before a tensor's name, or not */

typedef struct dt_weight_file {
    char *name; /**< in the folder */
    char *path;
    dt_safetensors_header header;
} dt_weight_file;

typedef struct dt_weight_files {
    int64_t count;
    dt_weight_file *file; /**< [count] */
} dt_weight_files;

/**
 * Finds the files of `folder` and reads their headers: each must account for all of its file, and the index
 * for all of each header. The caller frees them, after a failure too. Local.
 */
dt_status dt_weight_files_open(dt_weight_files *files, const char *folder);

/** The name without its prefix, where it has one: within `name`. Local. */
const char *dt_weight_files_bare(const char *name);

/** Whether the tensor `name`, with or without prefix, is a causal mask, as old files have one a layer: a
 * constant that no weight depends on, wherever it is. Local. */
bool dt_weight_files_is_mask(const char *name);

/** Frees what the files hold. Local. */
void dt_weight_files_free(dt_weight_files *files);

#endif
