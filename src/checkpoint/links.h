/**
 * `latest` and `best` as folders: what is left of the links when a tree is copied with its links resolved
 * (cp -rL, rsync -L, object stores).
 */
#ifndef DT_CHECKPOINT_LINKS_H
#define DT_CHECKPOINT_LINKS_H

#include <stdbool.h>

#include "base/status.h"

/**
 * Makes links of `latest` and `best` in `folder` again where they are folders that hold a checkpoint: such a
 * copy becomes checkpoint_step_N, or, where that is there, latest.1 and so on; the log says so. What holds no
 * checkpoint stays as it is. Local.
 */
dt_status dt_checkpoint_links_restore(const char *folder);

/** Whether `link` in `folder` is such a folder, which dt_checkpoint_links_restore would make a link. Local.
 */
bool dt_checkpoint_links_is_copy(const char *folder, const char *link);

#endif
