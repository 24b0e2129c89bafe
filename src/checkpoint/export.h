/**
 * A model that leaves: a folder with weights, config.json and tokenizer, and nothing of a run, as Hugging
 * Face's GPT2LMHeadModel and AutoTokenizer open it.
 *
 *     FOLDER/model.safetensors     the weights, of one element, in one file
 *     FOLDER/config.json           that of the model's own folder, with the element as its "dtype"
 *     FOLDER/tokenizer.json, ..    those files of the model's own folder which say what text is to it
 *
 * It is written under a temporary name beside its own, .NAME.<pid>.tmp, made durable, and renamed.
 */
#ifndef DT_CHECKPOINT_EXPORT_H
#define DT_CHECKPOINT_EXPORT_H

#include "base/element.h"
#include "base/status.h"
#include "model/layout.h"

/**
 * Makes the folder `path`, of which nothing may stand, of the weights `parameters`, a vector of `layout`,
 * which were read from the checkpoint or model folder `source`. Where a weight is beyond the largest number
 * of `element`, or anything else fails, nothing is left. Local.
 */
dt_status dt_export_write(const char *path, const char *source, const dt_layout *layout, float *parameters,
                          dt_element element);

#endif
