/**
 * How a checkpoint comes to its place and leaves it: written aside, then put there at once, and taken away at
 * once before it is removed, so that a reader sees all of it or nothing.
 *
 *     .checkpoint_step_N.<pid>.tmp     while it is written or removed; after an exchange, what it replaces
 *     .checkpoint_step_N.replaced      for a moment, where the file system cannot exchange two names
 *     .latest.<pid>.tmp, .best.<..>    a symbolic link before it is renamed
 *     .probe.<pid>.tmp                 while train/out_dir.h tries the path
 *
 * A process that dies leaves some of these names; the next start and the next save remove them, and give a
 * replaced checkpoint its name back when nothing has taken its place. Private to the checkpoint's own files;
 * one save at a time in one folder.
 */
#ifndef DT_CHECKPOINT_PATH_H
#define DT_CHECKPOINT_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define DT_CHECKPOINT_LATEST "latest"
#define DT_CHECKPOINT_BEST   "best"
#define DT_CHECKPOINT_PREFIX "checkpoint_step_"
#define DT_CHECKPOINT_PROBE  ".probe."

/** The file that vouches for a checkpoint's others: a folder without it is no checkpoint. */
#define DT_CHECKPOINT_METADATA "metadata.json"

typedef struct dt_checkpoint_path {
    const char *folder; /**< the caller's: where checkpoints stand */
    char *final;        /**< folder/checkpoint_step_N */
    char *temporary;    /**< the folder to write into */
    char *aside;        /**< folder/.checkpoint_step_N.replaced */
    char *latest;       /**< folder/latest */
    char *link;         /**< the link to be, under its temporary name */
} dt_checkpoint_path;

/** The step in a folder's name, or -1 when `name` is not checkpoint_step_N, N without leading zeros. Local.
 */
int64_t dt_checkpoint_path_step(const char *name);

/** Removes leftovers and makes the empty temporary folder. The caller frees the paths, after failure too.
 * Local. */
dt_status dt_checkpoint_path_prepare(dt_checkpoint_path *paths, const char *folder, int64_t step);

/** Puts the finished temporary folder in its place and points latest to it, or fails and changes nothing. A
 * checkpoint that stands is no failure: where latest cannot lead to it the log says so. Local. */
dt_status dt_checkpoint_path_publish(const dt_checkpoint_path *paths);

/** Removes what a failed save made; the sentence of the failure stays the last one recorded. Local. */
void dt_checkpoint_path_abandon(const dt_checkpoint_path *paths);

/** Frees the names. Local. */
void dt_checkpoint_path_free(dt_checkpoint_path *paths);

/** Removes what saves that died have left in `folder`; where there is no folder there is nothing. Local. */
dt_status dt_checkpoint_path_clear(const char *folder);

/**
 * Whether folder/`name` is a checkpoint of ours: it has the name of one and holds metadata.json, or is half
 * removed. What only has the name, a file or a folder of somebody's, is none. What cannot be looked into
 * counts as one. Local.
 */
bool dt_checkpoint_path_is_own(const char *folder, const char *name);

/** Where `path`, the name of a checkpoint in its folder, is taken by what is none, renames that to the first
 * of `path`.1, `path`.2, .. that is free, and says so. Local. */
dt_status dt_checkpoint_path_clear_name(const char *path);

/** The step of the checkpoint that the link folder/`link` names, or -1 when it names none. Local. */
int64_t dt_checkpoint_path_follow(const char *folder, const char *link);

/** Makes the link folder/`link` name the checkpoint of `step`, by one rename. Local. */
dt_status dt_checkpoint_path_point(const char *folder, const char *link, int64_t step);

/** Removes the link folder/`link`; what is not there or is no link stays as it is. Local. */
dt_status dt_checkpoint_path_unlink(const char *folder, const char *link);

/**
 * Removes the checkpoints of `count` steps. First each is renamed to what the next start would remove, and
 * these names are made durable: none is ever seen, or found after a power failure, with a part of its files.
 * One that cannot be renamed, on an overlay's lower layer, first loses what makes it a checkpoint, for a mark
 * that is the last to go. One that
 * cannot be removed, as by a read-only folder, keeps its name and no other from being removed, and the first
 * such failure is returned. Local.
 */
dt_status dt_checkpoint_path_remove(const char *folder, const int64_t *steps, size_t count);

#endif
