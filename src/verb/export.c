/* `dtrain export CHECKPOINT --out FOLDER`: a model for other programs, without what only training needs. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "checkpoint/export.h"
#include "infer/model_file.h"
#include "verb/verb.h"

static dt_status choose_element(const dt_verb_flags *flags, dt_element *element) {
    const int found = flags->dtype ? dt_element_find(dt_element_names, flags->dtype) : DT_ELEMENT_FP32;
    if (found < 0)
        return dt_usage("--dtype: expected fp32, fp16 or bf16, found \"%s\"", flags->dtype);
    *element = (dt_element)found;
    return DT_OK;
}

dt_status dt_verb_export(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags flags;
    const char *name;
    dt_element element = DT_ELEMENT_FP32;
    dt_model_file model;
    dt_log_open(true, dt_log_find_terminal());
    DT_TRY(dt_verb_checkpoint(verb, argc, argv, &flags, &name, NULL));
    if (flags.out == NULL || *flags.out == 0)
        return dt_usage("export: expected the name of a new folder, as in --out model, found none");
    DT_TRY(choose_element(&flags, &element));
    dt_status status = dt_model_file_read(&model, name);
    if (status == DT_OK)
        status = dt_export_write(flags.out, model.path, &model.layout, model.state.parameters, element);
    if (status == DT_OK) {
        dt_log_line("%s: %" PRId64 " parameters in %s, from %s", flags.out, model.layout.parameters,
                    dt_element_names[element], model.path);
        status = dt_verb_printed("what was written");
    }
    dt_model_file_free(&model);
    return status;
}
