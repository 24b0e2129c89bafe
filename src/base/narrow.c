/* A wrong count handed to MPI or BLAS would corrupt memory, so this check stays in release builds. */
#include "base/narrow.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int dt_narrow(int64_t count) {
    if (count < INT_MIN || count > INT_MAX) {
        fprintf(stderr, "dtrain: fault in the program: a count of %" PRId64 " does not fit an int\n", count);
        abort();
    }
    return (int)count;
}
