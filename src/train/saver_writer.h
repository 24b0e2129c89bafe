/**
 * From a copy of the state to a checkpoint that stands, and what follows from it: older ones go, links move.
 *
 * The work of a saver's thread (train/saver.h), which alone calls these functions. All are local.
 */
#ifndef DT_TRAIN_SAVER_WRITER_H
#define DT_TRAIN_SAVER_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/keep.h"
#include "train/collector.h"
#include "train/saver_copy.h"
#include "train/saver_folder.h"
#include "train/saver_trial.h"

typedef struct dt_saver_writer {
    const dt_checkpoint_about *about;
    const dt_tokenizer *tokenizer;
    dt_saver_trial *trial;
    dt_checkpoint_keep keep;
    dt_saver_folder folder; /**< where checkpoints stand now */
    dt_saver_copy copy;
    dt_collector *collector; /**< of the moments that other ranks have, or NULL */
    char *path;              /**< of the last checkpoint, or NULL */
    int64_t saved_step;      /**< of it, or of the state that the run began with */
    bool saved_val_loss;     /**< whether it has one */
    int64_t makeshift_step;  /**< of a checkpoint that goes when a later one stands, or -1 */
} dt_saver_writer;

/** Finds what is in `checkpoints_folder`, which `lock` holds (NULL: none); what else the writer needs its
 * owner has set, but for the copy and its collector, which the owner makes. */
dt_status dt_saver_writer_open(dt_saver_writer *writer, dt_lock *lock, const char *checkpoints_folder);

/** Frees, with the copy and its collector; all zero is fine. */
void dt_saver_writer_free(dt_saver_writer *writer);

/** Notes where the folder of checkpoints is now; on a failure it is where it was seen last. */
dt_status dt_saver_writer_follow(dt_saver_writer *writer);

/**
 * Writes the copy, and lets it appear as writer->path once the verdict is there that it waits for; once more
 * where the folder was moved or removed meanwhile. `*appeared` is false where it must not appear, or on a
 * failure. Writing alone took `*seconds`.
 */
dt_status dt_saver_writer_write(dt_saver_writer *writer, double val_loss, bool *appeared, double *seconds);

/** What follows once the last checkpoint stands, with `val_loss`; one that goes wrong must not cost an older
 * one, and one that goes again is none of the newest that stay. */
void dt_saver_writer_follow_up(dt_saver_writer *writer, double val_loss);

/** Gives the last checkpoint, which stood before its weights were evaluated, its `val_loss`; nothing where it
 * has one, or there is none to give. */
void dt_saver_writer_amend(dt_saver_writer *writer, double val_loss);

#endif
