/* Saving: what each file of the folder holds. How the folder comes to its place is path.c. */
#include "checkpoint/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/replace.h"
#include "data/tokenizer.h"
#include "checkpoint/metadata.h"
#include "checkpoint/path.h"
#include "base/checksum.h"
#include "checkpoint/safetensors.h"

static dt_status no_memory(const char *folder) {
    return dt_fail("out of memory while saving a checkpoint in %s", folder);
}

/* GPT2Config's keys; those that are not here have the meaning of its defaults in dtrain too. */
static json_t *make_config(const dt_config *config, const dt_shape *shape) {
    return json_pack(
        "{s:[s], s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:b, s:b, s:n, s:n, "
        "s:s}",
        "architectures", "GPT2LMHeadModel", "model_type", "gpt2", "activation_function", "gelu_new",
        "vocab_size", (json_int_t)shape->V, "n_positions", (json_int_t)shape->T, "n_ctx",
        (json_int_t)shape->T, "n_embd", (json_int_t)shape->C, "n_layer", (json_int_t)shape->n_layers,
        "n_head", (json_int_t)shape->H, "n_inner", (json_int_t)shape->F, "layer_norm_epsilon", 1e-5,
        "embd_pdrop", config->dropout, "attn_pdrop", config->dropout, "resid_pdrop", config->dropout,
        "initializer_range", 0.02, "tie_word_embeddings", 1, "scale_attn_weights", 1, "bos_token_id",
        "eos_token_id", "torch_dtype", "float32");
}

static json_t *make_vocab(void) {
    json_t *vocab = json_object();
    for (int token = 0; vocab != NULL && token < DT_VOCAB; token++)
        if (json_object_set_new(vocab, dt_tokenizer_name(token), json_integer(token)) != 0) {
            json_decref(vocab);
            vocab = NULL;
        }
    return vocab;
}

/* Writes `text` as folder/name and notes its size and checksum in `files`. */
static dt_status write_text(const char *folder, const char *name, const char *text, json_t *files) {
    char digits[DT_CHECKSUM_TEXT_BYTES];
    const size_t length = strlen(text);
    char *path = dt_file_join(folder, name);
    dt_checksum_block(text, length, digits);
    json_t *sums = json_pack("{s:I, s:s}", "bytes", (json_int_t)length, "xxh3_128", digits);
    dt_status status = path && json_object_set_new(files, name, sums) == 0 ? dt_file_save(path, text, length)
                                                                           : no_memory(folder);
    free(path);
    return status;
}

/* The same of `object`, which is taken; NULL is a failure. */
static dt_status write_json(const char *folder, const char *name, json_t *object, json_t *files) {
    /* 15 digits print 0.1 as 0.1. What must come back in every bit stands in metadata.json. */
    char *text = dt_checkpoint_metadata_print(object, JSON_REAL_PRECISION(15));
    dt_status status = text ? write_text(folder, name, text, files) : no_memory(folder);
    free(text);
    return status;
}

/* A line per file that is written so far, as xxhsum prints them and reads them with -c: the 32 digits of
 * XXH3-128, two spaces, the name. metadata.json is not among them: it may change, and has digits of its own.
 */
static dt_status write_checksums(const char *folder, json_t *files) {
    char *text = NULL;
    size_t length;
    const char *name;
    json_t *sums;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return no_memory(folder);
    json_object_foreach(files, name, sums) {
        fprintf(memory, "%s  %s\n", json_string_value(json_object_get(sums, "xxh3_128")), name);
    }
    dt_status status =
        fclose(memory) == 0 ? write_text(folder, DT_CHECKPOINT_CHECKSUMS, text, files) : no_memory(folder);
    free(text);
    return status;
}

static dt_status write_tensors(const char *folder, const char *name, const dt_layout *layout,
                               const dt_safetensors_section *sections, const uint64_t *hashes, int count,
                               json_t *files) {
    json_t *sums = NULL;
    char *path = dt_file_join(folder, name);
    dt_status status =
        path == NULL ? no_memory(folder) : dt_safetensors_write(path, layout, sections, hashes, count, &sums);
    if (status == DT_OK && json_object_set_new(files, name, sums) != 0)
        status = no_memory(folder);
    free(path);
    return status;
}

/* metadata.json comes last: it vouches for the others. */
static dt_status write_files(const char *folder, const dt_checkpoint_about *about, const dt_state *state,
                             const uint64_t *hashes, json_t *files) {
    const uint64_t *moment_hashes = hashes ? hashes + state->layout->tensors : NULL;
    const dt_safetensors_section model[] = {{"", state->parameters}};
    const dt_safetensors_section moments[] = {{"exp_avg.", state->exp_avg},
                                              {"exp_avg_sq.", state->exp_avg_sq}};
    DT_TRY(
        write_json(folder, DT_CHECKPOINT_CONFIG, make_config(&about->config, &state->layout->shape), files));
    DT_TRY(write_json(folder, DT_CHECKPOINT_VOCAB, make_vocab(), files));
    DT_TRY(write_tensors(folder, DT_CHECKPOINT_MODEL, state->layout, model, hashes, 1, files));
    DT_TRY(write_tensors(folder, DT_CHECKPOINT_OPTIMIZER, state->layout, moments, moment_hashes, 2, files));
    DT_TRY(write_checksums(folder, files));
    DT_TRY(dt_checkpoint_metadata_write(folder, about, files));
    return dt_file_sync_folder(folder);
}

/* A checkpoint whose parts contradict each other would be refused on reading; better not to write it. */
static dt_status check_agreement(const dt_checkpoint_about *about, const dt_state *state) {
    const dt_shape *shape = &state->layout->shape;
    const dt_config *config = &about->config;
    if (about->step != state->step || dt_is_null_int(config->seed) || shape->n_layers != config->n_layers ||
        shape->C != config->d_model || shape->H != config->n_heads || shape->F != config->d_ff ||
        shape->T != config->max_seq_len || shape->V != DT_VOCAB)
        return dt_fail("fault in the program: the state of step %" PRId64
                       " was to be saved with a config of another model or without a seed",
                       state->step);
    return DT_OK;
}

dt_status dt_checkpoint_write(dt_checkpoint_path *paths, const char *checkpoints_folder,
                              const dt_checkpoint_about *about, const dt_state *state,
                              const uint64_t *hashes) {
    *paths = (dt_checkpoint_path){0};
    DT_TRY(check_agreement(about, state));
    json_t *files = json_object();
    dt_status status = dt_checkpoint_path_prepare(paths, checkpoints_folder, about->step);
    if (status == DT_OK)
        status = files == NULL ? no_memory(checkpoints_folder)
                               : write_files(paths->temporary, about, state, hashes, files);
    if (status != DT_OK)
        dt_checkpoint_discard(paths);
    json_decref(files);
    return status;
}

dt_status dt_checkpoint_publish(dt_checkpoint_path *paths, char **path) {
    char *saved = strdup(paths->final);
    dt_status status = saved ? dt_checkpoint_path_publish(paths) : no_memory(paths->folder);
    if (status != DT_OK) {
        dt_checkpoint_discard(paths);
        free(saved);
        saved = NULL;
    }
    dt_checkpoint_path_free(paths);
    if (path == NULL)
        free(saved);
    else
        *path = saved;
    return status;
}

void dt_checkpoint_discard(dt_checkpoint_path *paths) {
    dt_checkpoint_path_abandon(paths);
    dt_checkpoint_path_free(paths);
}

dt_status dt_checkpoint_amend(const char *path, double val_loss) {
    dt_checkpoint_about about;
    json_t *files;
    DT_TRY(dt_checkpoint_metadata_read(path, &about, &files));
    about.val_loss = val_loss;
    char *file = dt_file_join(path, DT_CHECKPOINT_METADATA),
         *text = dt_checkpoint_metadata_text(&about, files);
    dt_status status = file && text ? dt_replace_write(file, text, strlen(text)) : no_memory(path);
    free(file);
    free(text);
    dt_config_free(&about.config);
    json_decref(files);
    return status;
}
