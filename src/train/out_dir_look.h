/**
 * What can be wrong with the folders of a run, found without making, locking or moving anything: before a run
 * changes what is there, and in a rehearsal instead of that. Rank 0 alone; all functions are local.
 */
#ifndef DT_TRAIN_OUT_DIR_LOOK_H
#define DT_TRAIN_OUT_DIR_LOOK_H

#include "base/status.h"
#include "config/config.h"

/** The files and folders of a run that are not checkpoints: new strings. */
typedef struct dt_out_dir_names {
    char *metrics, *tensorboard;
} dt_out_dir_names;

/** Those in `out_dir`; the caller frees them with dt_out_dir_names_free, after failure too. */
dt_status dt_out_dir_names_create(dt_out_dir_names *names, const char *out_dir);

void dt_out_dir_names_free(dt_out_dir_names *names);

/** The option that the folder of checkpoints comes from. */
const char *dt_out_dir_look_option(const dt_config *config);

/**
 * Fails with DT_USAGE where a path of the run cannot be what it has to be: it lies in a checkpoint, is longer
 * than the names of a checkpoint's files allow, is something else than a file or a folder, or a link into
 * nowhere.
 */
dt_status dt_out_dir_look_paths(const dt_config *config, const dt_out_dir_names *names,
                                const char *checkpoints_folder);

/** Fails with DT_USAGE where another run, in whatever folder, writes to the same lines or events. */
dt_status dt_out_dir_look_unused(const dt_out_dir_names *names);

/** Fails with DT_USAGE where `name` in the folder of checkpoints, which a save replaces, is no link. */
dt_status dt_out_dir_look_link(const char *folder, const char *name, const char *option);

/** The sentence for a folder that leaves no room for the names of a checkpoint's files. DT_USAGE. */
dt_status dt_out_dir_look_refuse_length(const char *folder, const char *option);

/** What dt_out_dir_prepare would refuse, as far as it can be told so: whether another run writes to the
 * folders of `config`, and whether this one could. */
dt_status dt_out_dir_look_rehearse(const dt_config *config, const char *checkpoints_folder);

#endif
