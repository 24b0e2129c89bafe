/**
 * Files and folders that last as long as the work, in the folder that the variable TMPDIR names, or in
 * /var/tmp, which is meant for large ones: /tmp may be memory. Failures do not say that TMPDIR may name
 * another; whoever asks does. All functions are local.
 */
#ifndef DT_BASE_TEMPORARY_H
#define DT_BASE_TEMPORARY_H

#include "base/status.h"

/** The folder that they are made in. */
const char *dt_temporary_root(void);

/** Makes a folder of its own there, whose name is a new string that the caller frees; NULL after a failure.
 * Only this user can read it. The caller removes it. */
dt_status dt_temporary_make_folder(char **folder);

/** Makes a file without a name there, open for reading and writing: it is gone when it is closed, however
 * the process ends. The caller closes it. */
dt_status dt_temporary_open(int *descriptor);

#endif
