/* MPI's error codes in words. What to do about a failure is the caller's decision. */
#include "comm/mpi_world.h"

dt_status dt_mpi_world_check(int code, const char *call) {
    if (code == MPI_SUCCESS)
        return DT_OK;
    char cause[MPI_MAX_ERROR_STRING + 1] = "unknown cause";
    int length = 0;
    if (MPI_Error_string(code, cause, &length) != MPI_SUCCESS)
        return dt_fail("%s failed with code %d, which MPI has no words for", call, code);
    return dt_fail("%s failed: %s; look for a lost host or link, then start again from the last checkpoint",
                   call, cause);
}
