/* What hostname(1) prints. */
#include "base/host.h"

#include <string.h>
#include <unistd.h>

void dt_host_name(char name[DT_HOST_BYTES]) {
    /* A name that is cut has no 0 byte of its own. */
    memset(name, 0, DT_HOST_BYTES);
    if (gethostname(name, DT_HOST_BYTES - 1) != 0 || name[0] == 0)
        strcpy(name, "unknown host");
}
