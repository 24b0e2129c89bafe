/**
 * Which dtrain this is.
 */
#ifndef DT_BASE_VERSION_H
#define DT_BASE_VERSION_H

/** The release, "0.2.0". Local. */
const char *dt_version(void);

/** The commit that the program was built from, as git describes it, or "unknown" outside a repository. Local.
 */
const char *dt_version_commit(void);

#endif
