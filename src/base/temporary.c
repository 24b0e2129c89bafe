/* What mkstemp() and mkdtemp() make. */
#include "base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define PATTERN "dtrain-XXXXXX"

const char *dt_temporary_root(void) {
    const char *named = getenv("TMPDIR");
    return named && *named ? named : "/var/tmp";
}

static dt_status refuse(const char *what) {
    return dt_fail("cannot make a temporary %s in %s: %s", what, dt_temporary_root(), strerror(errno));
}

dt_status dt_temporary_make_folder(char **folder) {
    *folder = dt_file_join(dt_temporary_root(), PATTERN);
    if (*folder == NULL)
        return DT_FAILED;
    if (mkdtemp(*folder))
        return DT_OK;
    const dt_status status = refuse("folder");
    free(*folder);
    *folder = NULL;
    return status;
}

dt_status dt_temporary_open(int *descriptor) {
    char *path = dt_file_join(dt_temporary_root(), PATTERN);
    if (path == NULL)
        return DT_FAILED;
    *descriptor = mkostemp(path, O_CLOEXEC);
    const dt_status status = *descriptor >= 0 && unlink(path) == 0 ? DT_OK : refuse("file");
    free(path);
    return status;
}
