/* `dtrain verify CHECKPOINT`: is every byte what was written? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pretrained.h"
#include "infer/model_file.h"
#include "verb/verb.h"

/* A model folder has no checksums: what can be said is that it is a model. */
static dt_status verify_pretrained(const char *path) {
    dt_pretrained model;
    dt_status status = dt_pretrained_open(&model, path);
    if (status == DT_OK)
        status = dt_pretrained_read(&model, &model.layout, NULL);
    if (status == DT_OK) {
        dt_log_line("%s: complete; a model of %" PRId64 " parameters in %" PRId64
                    " finite tensors, without checksums to hold it against",
                    path, model.layout.parameters, model.layout.tensors);
        status = dt_verb_printed("what was found");
    }
    dt_pretrained_close(&model);
    return status;
}

static dt_status verify_checkpoint(const char *path) {
    dt_checkpoint_about about;
    DT_TRY(dt_checkpoint_verify(path, &about));
    dt_log_line("%s: whole; step %" PRId64 " of run %s%s%s, every checksum matches", path, about.step,
                about.run_id, *about.parent_run_id ? ", which began from run " : "", about.parent_run_id);
    dt_config_free(&about.config);
    return dt_verb_printed("what was found");
}

dt_status dt_verb_verify(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    const char *name;
    char *path = NULL;
    DT_TRY(dt_verb_checkpoint(verb, argc, argv, &flags, &name, NULL));
    dt_status status = dt_model_file_find(name, &path);
    if (status == DT_OK)
        status = dt_pretrained_is(path) ? verify_pretrained(path) : verify_checkpoint(path);
    free(path);
    return status;
}
