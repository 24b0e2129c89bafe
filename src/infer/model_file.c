/* The part of a run that sample and eval need. */
#include "infer/model_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/choose.h"
#include "checkpoint/pretrained.h"
#include "checkpoint/tokenizer_files.h"

static dt_status check_vocabulary(const dt_config *c, int64_t V) {
    return dt_is_null_int(c->vocab_size) || c->vocab_size >= V
               ? DT_OK
               : dt_usage("vocab_size: expected at least the %" PRId64
                          " tokens of the tokenizer %s, found %" PRId64 "%s%s; %s",
                          V, c->tokenizer ? c->tokenizer : "null", c->vocab_size, c->init_from ? " in " : "",
                          c->init_from ? c->init_from : "",
                          c->init_from
                              ? "give the tokenizer of that model, or one of at most as many tokens, "
                                "or leave init_from out"
                              : "give a larger one, or null for as many as it has");
}

dt_status dt_model_file_shape(const dt_config *c, const dt_tokenizer *tokenizer, dt_shape *shape) {
    *shape = (dt_shape){c->n_layers, c->d_model, c->n_heads, c->d_ff, c->max_seq_len, c->vocab_size};
    if (tokenizer == NULL && !dt_is_null_int(c->vocab_size))
        return DT_OK;
    dt_tokenizer named = {0};
    dt_status status = DT_OK;
    if (tokenizer == NULL)
        status = dt_tokenizer_open(&named, c->tokenizer);
    const int64_t V = tokenizer ? tokenizer->V : named.V;
    if (status == DT_OK)
        status = check_vocabulary(c, V);
    if (status == DT_OK && V == 0 && tokenizer == NULL)
        status = dt_usage(
            "vocab_size: expected a number, since tokenizer %s finds its tokens in a text, which is not "
            "read here; found null; give the \"vocabulary\" of such a run's metadata.json, or a guess",
            c->tokenizer);
    if (dt_is_null_int(c->vocab_size))
        shape->V = V;
    dt_tokenizer_free(&named);
    return status;
}

/* What a config says of a model of `shape`. */
static void take_shape(dt_config *config, const dt_shape *shape) {
    config->n_layers = shape->n_layers;
    config->d_model = shape->C;
    config->n_heads = shape->H;
    config->d_ff = shape->F;
    config->max_seq_len = shape->T;
    config->vocab_size = shape->V;
}

dt_status dt_model_file_find(const char *name, char **path) {
    *path = NULL;
    if (!dt_checkpoint_find_is_name(name) && dt_pretrained_is(name)) {
        *path = strdup(name);
        return *path ? DT_OK : dt_fail("out of memory for the name of a folder");
    }
    return dt_checkpoint_choose(name, path);
}

static dt_status create_parameters(dt_model_file *m, dt_shape shape) {
    DT_TRY(dt_layout_create(&m->layout, shape));
    m->state.layout = &m->layout;
    m->state.parameters = dt_memory_alloc(m->layout.elements, sizeof(float), "the weights");
    return m->state.parameters ? DT_OK : DT_FAILED;
}

static dt_status read_checkpoint(dt_model_file *m) {
    DT_TRY(dt_checkpoint_read_about(m->path, &m->about));
    const dt_config *c = &m->about.config;
    DT_TRY(create_parameters(
        m, (dt_shape){c->n_layers, c->d_model, c->n_heads, c->d_ff, c->max_seq_len, m->about.V}));
    return dt_checkpoint_load(m->path, &m->state, false);
}

static dt_status read_pretrained(dt_model_file *m) {
    dt_pretrained source;
    DT_TRY(dt_config_init(&m->about.config));
    dt_status status = dt_pretrained_open(&source, m->path);
    if (status == DT_OK) {
        take_shape(&m->about.config, &source.layout.shape);
        status = create_parameters(m, source.layout.shape);
    }
    if (status == DT_OK)
        status = dt_pretrained_read(&source, &m->layout, m->state.parameters);
    if (status == DT_OK)
        dt_state_arrive(&m->state, 0);
    dt_pretrained_close(&source);
    return status;
}

static dt_status read_model(dt_model_file *m, const char *name) {
    DT_TRY(dt_model_file_find(name, &m->path));
    m->pretrained = dt_pretrained_is(m->path);
    return m->pretrained ? read_pretrained(m) : read_checkpoint(m);
}

dt_status dt_model_file_read(dt_model_file *model, const char *name) {
    *model = (dt_model_file){0};
    return read_model(model, name);
}

/* The one that a flag names, or the folder's; the model must know all of its tokens. */
static dt_status open_tokenizer(dt_model_file *m, const char *flag) {
    dt_config *config = &m->about.config;
    dt_status status = DT_OK;
    if (flag)
        status = dt_config_set(config, "tokenizer", flag, "--tokenizer");
    else if (m->pretrained) {
        char *file = NULL;
        status = dt_pretrained_tokenizer(m->path, &file);
        if (status == DT_OK)
            status = dt_config_set(config, "tokenizer", file, m->path);
        free(file);
    }
    if (status == DT_OK && config->tokenizer == NULL)
        return DT_OK; /* a model of tokens alone */
    if (status == DT_OK)
        status = flag || m->pretrained ? dt_tokenizer_open(&m->tokenizer, config->tokenizer)
                                       : dt_tokenizer_files_open(&m->tokenizer, m->path, config->tokenizer);
    if (status == DT_OK && m->tokenizer.kind && m->tokenizer.V == 0)
        status = dt_usage(
            "--tokenizer: expected one that knows its tokens, found %s, which finds them in a text; leave "
            "--tokenizer out, or name a checkpoint's tokenizer.json",
            config->tokenizer);
    if (status == DT_OK && m->tokenizer.V > m->layout.shape.V)
        status = dt_usage("the tokenizer %s has %" PRId64 " tokens, but the model in %s knows only %" PRId64
                          "; name the one that it was trained with by --tokenizer",
                          config->tokenizer, m->tokenizer.V, m->path, m->layout.shape.V);
    return status;
}

dt_status dt_model_file_load(dt_model_file *model, const char *name, const dt_model_file_flags *flags) {
    *model = (dt_model_file){0};
    DT_TRY(dt_kernels_check());
    DT_TRY(read_model(model, name));
    DT_TRY(open_tokenizer(model, flags->tokenizer));
    dt_config *config = &model->about.config;
    if (flags->compute_dtype)
        DT_TRY(dt_config_set(config, "compute_dtype", flags->compute_dtype, "--compute-dtype"));
    model->gpt =
        (dt_gpt){.layout = &model->layout, .kernels = dt_kernels_best((dt_dtype)config->compute_dtype)};
    DT_TRY(dt_weights_create(&model->weights, &model->gpt, model->state.parameters));
    dt_weights_pack(&model->weights, &model->gpt, 0, model->weights.panels);
    return DT_OK;
}

void dt_model_file_free(dt_model_file *model) {
    dt_weights_free(&model->weights);
    dt_state_free(&model->state);
    dt_layout_free(&model->layout);
    dt_tokenizer_free(&model->tokenizer);
    dt_config_free(&model->about.config);
    free(model->path);
    *model = (dt_model_file){0};
}
