/* Says what went wrong, once, and in time: while the job still stands. */
#include <stdio.h>

#include "verb/verb.h"

void dt_verb_complain(void) {
    if (dt_error()[0] == 0)
        return;
    fprintf(stderr, "dtrain: error: %s\n", dt_error());
    (void)dt_fail("%s", "");
}

dt_status dt_verb_leave(dt_world *world, dt_status status) {
    /* MPI_Finalize waits for all ranks. After it the first rank that exits with a failure makes mpirun end
     * the others, at times before rank 0 could have spoken. */
    if (status != DT_OK)
        dt_verb_complain();
    dt_world_close(world);
    return status;
}
