/**
 * Checkpoints: folders from which a run goes on with the same bits, and which Hugging Face's GPT2LMHeadModel
 * reads.
 *
 * This room is the files of a checkpoint. A state and what is known of its run enter; a folder on disk
 * leaves, and the other way round. It decides what a file holds and when it counts, not when one is
 * written.
 *
 *     checkpoints/
 *       latest -> checkpoint_step_2000        a symbolic link, replaced by rename
 *       best -> checkpoint_step_1500          another, see checkpoint/keep.h
 *       checkpoint_step_2000/
 *         model.safetensors       the weights, F32, by the table's names
 *         config.json             the architecture, as Hugging Face's GPT2Config
 *         optimizer.safetensors   exp_avg.<name> and exp_avg_sq.<name>
 *         tokenizer.json, tokenizer_config.json
 *                                 what text is to it; see checkpoint/tokenizer_files.h
 *         checksums.xxh128        the checksums of the files above, for xxhsum -c
 *         metadata.json           step, val_loss, seed, config, corpus, the run, and size and checksums
 *                                 of every file; see checkpoint/metadata.h
 *
 * Nothing in a checkpoint depends on the number of ranks. A folder is written under a temporary name beside
 * its final one, every file is fsynced, then the folder is renamed and its parent fsynced: a reader never
 * sees half of one, and a process that dies leaves nothing but a temporary folder that the next start
 * removes.
 */
#ifndef DT_CHECKPOINT_CHECKPOINT_H
#define DT_CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "config/config.h"
#include "checkpoint/path.h"
#include "checkpoint/safetensors.h"
#include "math/matmul.h"
#include "optim/state.h"
#include "tokenizer/tokenizer.h"

#define DT_CHECKPOINT_VERSION 1
#define DT_RUN_ID_BYTES       40
#define DT_STATE_HASH_BYTES   17

/** What identifies the content of a corpus. */
typedef struct dt_corpus_identity {
    int64_t file_bytes, tokens;
    uint64_t hash;
} dt_corpus_identity;

/** What a checkpoint says beside the vectors. */
typedef struct dt_checkpoint_about {
    dt_config config; /**< its seed is the one in use, never null */
    dt_corpus_identity corpus;
    char run_id[DT_RUN_ID_BYTES];
    char parent_run_id[DT_RUN_ID_BYTES];  /**< the run from whose checkpoint this one began; "": from none */
    char state_hash[DT_STATE_HASH_BYTES]; /**< of optim/fingerprint.h, 16 hex digits; "": of version 0.1.0 */
    int64_t step;
    int64_t V; /**< of the model: rows of the embedding */
    /** Whose matrix products the run computes with: "own", or dt_matmul_name. */
    char products[DT_MATMUL_NAME_BYTES];
    double val_loss;          /**< of these weights, in nats; DT_NULL_REAL when they were not evaluated */
    uint64_t validation_hash; /**< of the text that `val_loss` is over; 0: not known */
} dt_checkpoint_about;

/** Bytes of the numbers of a checkpoint; INT64_MAX where no memory could hold as many. Local. */
int64_t dt_checkpoint_bytes(const dt_layout *layout);

/** Where the moments come from that a state does not have, since ranks share them out: of section 0 exp_avg,
 * of 1 exp_avg_sq. */
typedef struct dt_checkpoint_moments {
    dt_safetensors_source source;
    dt_status (*end)(void *context); /**< called once all is written; fails where that is not what the ranks
                                        have */
} dt_checkpoint_moments;

/**
 * The first half of a save: writes `state` under a temporary name and makes it durable. `hashes` (NULL: none)
 * are those that its slices must have (optim/fingerprint.h): what was to be written and was damaged since
 * fails. Of a state whose moments ranks share out, these come from `moments` (elsewhere NULL), which looks
 * after them and gives their slices' hashes their places in `hashes` by its end. `tokenizer` NULL: the folder
 * says nothing of text. `*paths` is for one of the two functions that follow, and `checkpoints_folder` must
 * live until then; after a failure nothing is left of it. Rank 0 alone; may run in a thread of its own while
 * nothing writes to the state. Local.
 */
dt_status dt_checkpoint_write(dt_checkpoint_path *paths, const char *checkpoints_folder,
                              const dt_checkpoint_about *about, const dt_tokenizer *tokenizer,
                              const dt_state *state, const uint64_t *hashes,
                              const dt_checkpoint_moments *moments);

/**
 * The second half: gives what was written its name, checkpoints_folder/checkpoint_step_N, in the place of an
 * older checkpoint of that step, and points `latest` to it. `*path` (may be NULL) becomes a new string that
 * the caller frees, NULL on failure; then nothing that was there before the save has changed. Frees the
 * paths, after failure too. Local.
 */
dt_status dt_checkpoint_publish(dt_checkpoint_path *paths, char **path);

/** Gives the checkpoint at `path`, which stands, the validation loss that was found for its weights since:
 * its metadata.json is replaced at once. A failure changes nothing. Local. */
dt_status dt_checkpoint_amend(const char *path, double val_loss);

/** Or else: removes what was written, and frees the paths; the sentence of a failure stays the last one.
 * Local.
 */
void dt_checkpoint_discard(dt_checkpoint_path *paths);

/** Whether `resume` is latest, best or auto, and not a path. Local. */
bool dt_checkpoint_find_is_name(const char *resume);

/**
 * Which folder `resume` means: "latest" and "best" are the folders that the links of these names in
 * checkpoints_folder point to, anything else is a path, of a checkpoint or of a run (checkpoint/choose.h);
 * where none is a checkpoint the call fails with DT_USAGE. "auto" is the latest when every byte of it is as
 * saved, or else, with a warning that says what was refused and why, the newest older one of which that is
 * true (where the link is broken, the newest); it fails when there are checkpoints but none is whole, and is
 * NULL when there are none. It reads every candidate through; the other forms look only whether there is a
 * checkpoint. `*path` becomes a new string that the caller frees, or NULL. Local.
 */
dt_status dt_checkpoint_find(const char *checkpoints_folder, const char *resume, char **path);

/**
 * What the link `name`, "latest" or "best", in the folder leads to, as a new string that the caller frees.
 * Fails with DT_USAGE, for a verb that takes a checkpoint, when there is no such link or it leads to no
 * checkpoint; *path is NULL then. Local.
 */
dt_status dt_checkpoint_find_link(const char *checkpoints_folder, const char *name, char **path);

/**
 * The newest checkpoint in `checkpoints_folder` of a step before `before` of which every byte is as saved, as
 * a new string that the caller frees, or NULL for none; a warning names each one that is refused. Local.
 */
dt_status dt_checkpoint_find_before(const char *checkpoints_folder, int64_t before, char **path);

/**
 * Reads and verifies metadata.json, and makes sure that the file of weights is large enough for the model it
 * names, so that memory can be allocated for that. The caller frees about->config, which a failure leaves
 * empty. Local.
 */
dt_status dt_checkpoint_read_about(const char *path, dt_checkpoint_about *about);

/**
 * Reads weights and, when `moments`, the optimizer's moments into `state`, verifying every checksum of
 * every file but that of the moments when they are not read. The checkpoint must hold a model of
 * state->layout's sizes. A failure leaves the vectors half read. Local.
 */
dt_status dt_checkpoint_load(const char *path, dt_state *state, bool moments);

/** The same where the moments go to `moments`, of section 0 exp_avg, of 1 exp_avg_sq, and not into the state.
 * Local. */
dt_status dt_checkpoint_load_to(const char *path, dt_state *state, const dt_safetensors_sink *moments);

/**
 * The tokenizer.json of the checkpoint, verified: a new string that the caller frees, or NULL where it has
 * none, as those of version 0.1.0, whose tokenizer is ascii, and of models that were trained on tokens alone.
 * Local.
 */
dt_status dt_checkpoint_read_tokenizer(const char *path, char **json, size_t *length);

/** Verifies every file of the folder; allocates no model. `about` as by dt_checkpoint_read_about. Local. */
dt_status dt_checkpoint_verify(const char *path, dt_checkpoint_about *about);

#endif
