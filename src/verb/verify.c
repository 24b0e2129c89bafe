/* `dtrain verify CHECKPOINT`: is every byte what was written? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "infer/model_file.h"
#include "verb/verb.h"

dt_status dt_verb_verify(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    const char *name;
    char *path = NULL;
    dt_checkpoint_about about;
    DT_TRY(dt_verb_checkpoint(verb, argc, argv, &flags, &name, NULL));
    dt_status status = dt_model_file_find(name, &path);
    if (status == DT_OK)
        status = dt_checkpoint_verify(path, &about);
    if (status == DT_OK) {
        dt_log_line("%s: whole; step %" PRId64 " of run %s%s%s, every checksum matches", path, about.step,
                    about.run_id, *about.parent_run_id ? ", which began from run " : "", about.parent_run_id);
        status = dt_verb_printed("what was found");
        dt_config_free(&about.config);
    }
    free(path);
    return status;
}
