/* CMake defines both for this file alone, so that a commit rebuilds one file. */
#include "base/version.h"

const char *dt_version(void) {
    return DTRAIN_VERSION;
}

const char *dt_version_commit(void) {
    return DTRAIN_COMMIT;
}
