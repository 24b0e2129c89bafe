/**
 * A run's config for the HParams page of TensorBoard: each option is a hyperparameter of one session, which
 * is the run. The page finds them in the metadata of two tags, and takes the metrics it sets beside them from
 * the scalars of the run. Source: tensorboard/plugins/hparams/metadata.py and plugin_data.proto.
 *
 * A reader keeps the first metadata of a tag that it meets: of a run that goes on, those are of its first
 * part. All functions are local.
 */
#ifndef DT_TRAIN_TENSORBOARD_HPARAMS_H
#define DT_TRAIN_TENSORBOARD_HPARAMS_H

#include <jansson.h>

#include "base/status.h"
#include "train/tensorboard_file.h"

/**
 * Writes that the run starts with the values of `options`, an object: numbers, truth values, null and strings
 * as they are, and lists and maps as their JSON.
 */
dt_status dt_tensorboard_hparams_start(dt_tensorboard_file *file, json_t *options);

/** Writes that the run is done. */
dt_status dt_tensorboard_hparams_end(dt_tensorboard_file *file);

#endif
