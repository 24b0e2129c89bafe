/* `dtrain bench --merge FILE ..`: studies of separate allocations as one table and one page. */
#include <stdlib.h>

#include "base/log.h"
#include "comm/agree.h"
#include "report/merge.h"
#include "verb/verb.h"

static dt_status merge(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    const char **files;
    int count;
    dt_status status = dt_verb_words(verb, argc, argv, &flags, &files, &count);
    if (status == DT_OK)
        status = dt_verb_expect_one_standard_input("bench --merge", files, count);
    if (status == DT_OK)
        status = dt_merge_verb(files, count, flags.json, flags.report);
    free(files);
    return status;
}

dt_status dt_verb_merge(const dt_verb *verb, int argc, char **argv) {
    dt_world world;
    DT_TRY(dt_world_open(&world));
    dt_log_open(world.rank == 0, dt_log_find_terminal());
    dt_status status = dt_verb_same_launch(&world, argc, argv);
    if (status == DT_OK)
        status = dt_agree(&world, world.rank == 0 ? merge(verb, argc, argv) : DT_OK);
    return dt_verb_leave(&world, status);
}
