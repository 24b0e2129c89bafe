/**
 * Moving files and folders to where rename() does not reach.
 *
 * rename() fails with EXDEV between mounts, and for a folder of the lower layer of an overlay, as of a
 * container's image, even within one folder. Then a copy takes the new name, whole and durable, before what
 * it was made from goes.
 */
#ifndef DT_BASE_MOVE_H
#define DT_BASE_MOVE_H

#include "base/status.h"

/**
 * Moves `from`, a file, a link, or a folder of these, to `to`, which must not exist, on the same mount or on
 * another. While it copies, `to` with ".tmp" behind it holds what is there so far. A failure leaves `from` as
 * it was and no `to`, or, where the copy stands and `from` cannot be removed whole, says so. Local.
 */
dt_status dt_move_tree(const char *from, const char *to);

#endif
