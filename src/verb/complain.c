/* How a verb ends: whether what it printed has arrived, and what went wrong, once and so that it is read. */
#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"
#include "comm/watchdog.h"
#include "verb/verb.h"

dt_status dt_verb_printed(const char *what) {
    return fflush(stdout) != 0 || ferror(stdout)
               ? dt_fail("cannot write %s to standard output; is what it leads to full or closed?", what)
               : DT_OK;
}

void dt_verb_complain(void) {
    if (dt_error()[0] == 0)
        return;
    dt_log_error("%s", dt_error());
    (void)dt_fail("%s", "");
}

dt_status dt_verb_leave(dt_world *world, dt_status status) {
    /*
     * When a rank exits with a code other than 0, mpirun ends the others at once, and what they have written
     * but mpirun has not yet passed on is lost. So a failure that the ranks have agreed on is told by rank 0
     * alone, in its sentence and in its code, which becomes mpirun's.
     */
    const bool told_by_rank0 = world->rank != 0 && dt_error()[0] == 0;
    if (status != DT_OK && !told_by_rank0)
        dt_verb_complain();
    /* A sentence that stays with another rank is one that MPI could not carry: nobody may wait for that rank.
     */
    if (status != DT_OK && world->rank != 0 && !told_by_rank0)
        dt_world_abort(world, (int)status);
    dt_watchdog_stop();
    dt_world_close(world);
    return told_by_rank0 ? DT_OK : status;
}
