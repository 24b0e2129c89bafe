/* The part of a run that sample and eval need. */
#include "infer/model_file.h"

#include <stdlib.h>

#include "base/memory.h"
#include "data/tokenizer.h"

dt_shape dt_model_file_shape(const dt_config *c) {
    return (dt_shape){c->n_layers, c->d_model, c->n_heads, c->d_ff, c->max_seq_len, DT_VOCAB};
}

dt_status dt_model_file_find(const char *name, char **path) {
    DT_TRY(dt_checkpoint_find("checkpoints", name, path));
    return *path
               ? DT_OK
               : dt_usage("there is no checkpoint in checkpoints/ of the working folder; name a checkpoint's "
                          "folder, such as OUT_DIR/checkpoints/latest");
}

static dt_status load(dt_model_file *m, const char *name, const char *compute_dtype) {
    DT_TRY(dt_kernels_check());
    DT_TRY(dt_model_file_find(name, &m->path));
    DT_TRY(dt_checkpoint_read_about(m->path, &m->about));
    if (compute_dtype)
        DT_TRY(dt_config_set(&m->about.config, "compute_dtype", compute_dtype, "--compute-dtype"));
    DT_TRY(dt_layout_create(&m->layout, dt_model_file_shape(&m->about.config)));
    m->state.layout = &m->layout;
    m->state.parameters = dt_memory_alloc(m->layout.elements, sizeof(float), "the weights");
    if (m->state.parameters == NULL)
        return DT_FAILED;
    DT_TRY(dt_checkpoint_load(m->path, &m->state, false));
    m->gpt =
        (dt_gpt){.layout = &m->layout, .kernels = dt_kernels_best((dt_dtype)m->about.config.compute_dtype)};
    DT_TRY(dt_weights_create(&m->weights, &m->gpt, m->state.parameters));
    dt_weights_pack(&m->weights, &m->gpt, 0, m->weights.panels);
    return DT_OK;
}

dt_status dt_model_file_load(dt_model_file *model, const char *name, const char *compute_dtype) {
    *model = (dt_model_file){0};
    return load(model, name, compute_dtype);
}

void dt_model_file_free(dt_model_file *model) {
    dt_weights_free(&model->weights);
    dt_state_free(&model->state);
    dt_layout_free(&model->layout);
    dt_config_free(&model->about.config);
    free(model->path);
    *model = (dt_model_file){0};
}
