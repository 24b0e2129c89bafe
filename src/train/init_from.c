/* Rank 0 looks and reads; the others are told. */
#include "train/init_from.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/choose.h"
#include "checkpoint/pretrained.h"
#include "checkpoint/tokenizer_files.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "config/check.h"

/* ---- what the folder says ---- */

/* What the option is of a run that goes by the tokenizer in the checkpoint `path`, whose run called it
 * `name`: whatever file it was made of is in the folder now. */
static dt_status find_own_tokenizer(const char *path, const char *name, char **tokenizer) {
    if (name == NULL)
        *tokenizer = strdup("null");
    else
        *tokenizer = dt_tokenizer_is_kind(name) ? strdup(name) : dt_file_join(path, DT_TOKENIZER_FILES_JSON);
    return *tokenizer ? DT_OK : dt_fail("out of memory while looking at %s", path);
}

static dt_status look_at_checkpoint(dt_init_from *from, const char *path, bool given, char **tokenizer) {
    dt_checkpoint_about about;
    DT_TRY(dt_checkpoint_read_about(path, &about));
    const dt_config *c = &about.config;
    from->step = about.step;
    from->shape = (dt_shape){c->n_layers, c->d_model, c->n_heads, c->d_ff, c->max_seq_len, about.V};
    memcpy(from->run_id, about.run_id, sizeof from->run_id);
    from->own_tokenizer = !given && c->tokenizer;
    const dt_status status = given ? DT_OK : find_own_tokenizer(path, c->tokenizer, tokenizer);
    dt_config_free(&about.config);
    return status;
}

static dt_status look_at_pretrained(dt_init_from *from, const char *path, bool given, char **tokenizer) {
    dt_pretrained model;
    dt_status status = dt_pretrained_open(&model, path);
    from->step = -1;
    from->shape = model.layout.shape;
    dt_pretrained_close(&model);
    if (status == DT_OK && !given)
        status = dt_pretrained_tokenizer(path, tokenizer);
    return status;
}

/* The folder that `name` means, which a run that goes on would mean by another one later. */
static dt_status choose_folder(dt_init_from *from, const char *name, bool pretrained) {
    char *path = NULL;
    dt_status status = DT_OK;
    if (!pretrained)
        status = dt_checkpoint_choose(name, &path);
    if (status == DT_USAGE)
        return dt_usage("%s, or a model folder with a config.json and a model.safetensors", dt_error());
    if (status == DT_OK &&
        snprintf(from->path, sizeof from->path, "%s", path ? path : name) >= (int)sizeof from->path)
        status = dt_usage("expected a path of less than %zu bytes, found %s", sizeof from->path, name);
    free(path);
    return status;
}

/* `*tokenizer` becomes what the option is where it is not given, or NULL. */
static dt_status look(dt_init_from *from, const dt_config *config, char **tokenizer) {
    const bool given = dt_config_is_given(config, "tokenizer");
    *tokenizer = NULL;
    from->found = 1;
    const bool pretrained = dt_pretrained_is(config->init_from);
    dt_status status = choose_folder(from, config->init_from, pretrained);
    if (status == DT_OK)
        status = pretrained ? look_at_pretrained(from, from->path, given, tokenizer)
                            : look_at_checkpoint(from, from->path, given, tokenizer);
    return status == DT_USAGE ? dt_usage("init_from: %s", dt_error()) : status;
}

/* ---- what becomes of it ---- */

/* Takes the folder's size where none is given, or else expects it. */
static dt_status take_size(dt_config *config, const char *key, int64_t *field, int64_t size) {
    if (!dt_config_is_given(config, key) || dt_is_null_int(*field))
        *field = size;
    if (*field == size)
        return DT_OK;
    return dt_usage("init_from: %s is %" PRId64 " in this run and %" PRId64
                    " in %s, whose weights decide it; leave %s out",
                    key, *field, size, config->init_from, key);
}

static dt_status take_context(dt_config *config, int64_t T) {
    if (dt_config_is_given(config, "max_seq_len") && config->max_seq_len < T)
        return DT_OK;
    if (dt_config_is_given(config, "max_seq_len") && config->max_seq_len > T)
        return dt_usage("init_from: max_seq_len is %" PRId64 " in this run, but %s has %" PRId64
                        " positions; give at most that, or leave max_seq_len out",
                        config->max_seq_len, config->init_from, T);
    config->max_seq_len = T;
    return DT_OK;
}

static dt_status take_tokenizer(dt_config *config, const char *tokenizer) {
    return tokenizer && !dt_config_is_given(config, "tokenizer")
               ? dt_config_set(config, "tokenizer", tokenizer, "init_from")
               : DT_OK;
}

static dt_status adopt(const dt_init_from *from, dt_config *config, const char *tokenizer) {
    const dt_shape *shape = &from->shape;
    DT_TRY(take_size(config, "n_layers", &config->n_layers, shape->n_layers));
    DT_TRY(take_size(config, "d_model", &config->d_model, shape->C));
    DT_TRY(take_size(config, "n_heads", &config->n_heads, shape->H));
    DT_TRY(take_size(config, "d_ff", &config->d_ff, shape->F));
    DT_TRY(take_size(config, "vocab_size", &config->vocab_size, shape->V));
    DT_TRY(take_context(config, shape->T));
    DT_TRY(take_tokenizer(config, tokenizer));
    return dt_config_check(config);
}

/* With a world all ranks agree on `status`. */
static dt_status agree(const dt_world *world, dt_status status) {
    return world ? dt_agree(world, status) : status;
}

dt_status dt_init_from_find(dt_init_from *from, const dt_world *world, dt_config *config) {
    char *tokenizer = NULL;
    dt_status status = DT_OK;
    memset(from, 0, sizeof *from);
    if (config->init_from == NULL)
        return DT_OK;
    if (world)
        DT_COLLECTIVE(world, DT_SAME_TEXT(config->init_from));
    if (world == NULL || world->rank == 0)
        status = look(from, config, &tokenizer);
    status = agree(world, status);
    if (status == DT_OK && world) {
        size_t length = tokenizer ? strlen(tokenizer) : 0;
        status = dt_world_broadcast(world, from, (int64_t)sizeof *from);
        if (status == DT_OK)
            status = dt_world_broadcast_block(world, &tokenizer, &length);
    }
    if (status == DT_OK)
        status = agree(world, adopt(from, config, tokenizer));
    free(tokenizer);
    return status;
}

/* ---- the weights ---- */

/* Each tensor of `layout` from the one of `source`, which has as many rows or more. */
static void copy_rows(const dt_layout *source, const float *weights, const dt_layout *layout,
                      float *parameters) {
    for (int64_t t = 0; t < layout->tensors; t++)
        memcpy(parameters + layout->tensor[t].offset, weights + source->tensor[t].offset,
               (size_t)layout->tensor[t].count * sizeof *parameters);
}

static dt_status read_longer(const char *path, const dt_layout *source, dt_state *state) {
    dt_state whole = {.layout = source};
    whole.parameters = dt_memory_alloc(source->elements, sizeof(float), "the weights of init_from");
    dt_status status = whole.parameters ? dt_checkpoint_load(path, &whole, false) : DT_FAILED;
    if (status == DT_OK)
        copy_rows(source, whole.parameters, state->layout, state->parameters);
    dt_memory_free(whole.parameters);
    return status;
}

static dt_status read_checkpoint(const dt_init_from *from, dt_state *state) {
    dt_layout source;
    if (from->shape.T == state->layout->shape.T)
        return dt_checkpoint_load(from->path, state, false);
    DT_TRY(dt_layout_create(&source, from->shape));
    const dt_status status = read_longer(from->path, &source, state);
    dt_layout_free(&source);
    return status;
}

static dt_status read_pretrained(const dt_init_from *from, dt_state *state) {
    dt_pretrained model;
    dt_status status = dt_pretrained_open(&model, from->path);
    if (status == DT_OK && memcmp(&model.layout.shape, &from->shape, sizeof from->shape) != 0)
        status = dt_fail("cannot use %s: its model has become another one while the run began; start again",
                         from->path);
    if (status == DT_OK)
        status = dt_pretrained_read(&model, state->layout, state->parameters);
    dt_pretrained_close(&model);
    return status;
}

dt_status dt_init_from_load(const dt_init_from *from, const dt_world *world, dt_state *state) {
    DT_COLLECTIVE(world, DT_SAME_INT(state->layout->elements), DT_SAME_INT(from->step));
    dt_status status = DT_OK;
    if (world->rank == 0)
        status = from->step < 0 ? read_pretrained(from, state) : read_checkpoint(from, state);
    DT_TRY(dt_agree(world, status));
    DT_TRY(dt_world_broadcast(world, state->parameters, state->layout->elements * (int64_t)sizeof(float)));
    dt_state_arrive(state, 0);
    return DT_OK;
}
