/**
 * metadata.json: what a checkpoint says of itself, and what it promises of its other files.
 *
 *     {"checkpoint_version": 1,
 *      "metadata_xxh3_128": 32 hex digits: the XXH3-128 of this file with 32 zeros in their place,
 *      "step": .., "vocabulary": V, "val_loss": .. or null, "seed": ..,
 *      "run_id": "..", "parent_run_id": ".." or null,
 *      "state_hash": 16 hex digits, see optim/fingerprint.h,
 *      "corpus": {"file_bytes": .., "tokens": .., "hash": 16 hex digits},
 *      "config": {every option},
 *      "files": {"config.json": {"bytes": .., "xxh3_128": ..}, "tokenizer.json": {the same},
 *                "tokenizer_config.json": {the same}, "checksums.xxh128": {the same},
 *                "model.safetensors": {"bytes": .., "xxh3_128": .., "tensors": {name: XXH3-64}},
 *                "optimizer.safetensors": {the same}}}
 *
 * Private to the checkpoint's own files.
 */
#ifndef DT_CHECKPOINT_METADATA_H
#define DT_CHECKPOINT_METADATA_H

#include <jansson.h>

#include "base/status.h"
#include "checkpoint/checkpoint.h"

#define DT_CHECKPOINT_MODEL     "model.safetensors"
#define DT_CHECKPOINT_OPTIMIZER "optimizer.safetensors"
#define DT_CHECKPOINT_CONFIG    "config.json"
#define DT_CHECKPOINT_VOCAB     "vocab.json"
#define DT_CHECKPOINT_CHECKSUMS "checksums.xxh128"

/** Fails, with DT_USAGE, unless `path` is a folder with a metadata.json in it. Local. */
dt_status dt_checkpoint_metadata_expect(const char *path);

/** `object` (taken; NULL gives NULL) as indented text with a newline, a new string; NULL when out of memory.
 * Local. */
char *dt_checkpoint_metadata_print(json_t *object, size_t flags);

/**
 * What metadata.json says of `about` and `files`, with its own digits, as a new string the caller frees. NULL
 * when out of memory or when a text of the config is not UTF-8. Local.
 */
char *dt_checkpoint_metadata_text(const dt_checkpoint_about *about, json_t *files);

/**
 * The way back: `text` is `length` bytes and a 0 byte behind them, `path` stands in sentences. First the
 * version and the file's own digits are held against the text, which is only then parsed; zeros are left in
 * the digits' place. Ownership and failure as for dt_checkpoint_metadata_read. Local.
 */
dt_status dt_checkpoint_metadata_parse(const char *path, char *text, size_t length,
                                       dt_checkpoint_about *about, json_t **files);

/** Writes `folder`/metadata.json, durable. `files` is the object shown above and stays the caller's. Local.
 */
dt_status dt_checkpoint_metadata_write(const char *folder, const dt_checkpoint_about *about, json_t *files);

/**
 * Reads and verifies `folder`/metadata.json, which must be of the step that the folder is named for, if its
 * name is that of a step. The caller frees about->config and gives `*files` back with
 * json_decref; it is an object with an object for each of the other files, of which only those of before
 * there was a checksums.xxh128 may lack that one. On failure there is nothing to
 * free. Local.
 */
dt_status dt_checkpoint_metadata_read(const char *folder, dt_checkpoint_about *about, json_t **files);

#endif
