/* Saving: what each file of the folder holds. How the folder comes to its place is path.c. */
#include "checkpoint/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/replace.h"
#include "optim/fingerprint.h"
#include "checkpoint/metadata.h"
#include "checkpoint/path.h"
#include "base/checksum.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tokenizer_files.h"

int64_t dt_checkpoint_bytes(const dt_layout *layout) {
    int64_t bytes;
    return __builtin_mul_overflow(layout->elements, 3 * (int64_t)sizeof(float), &bytes) ? INT64_MAX : bytes;
}

static dt_status no_memory(const char *folder) {
    return dt_fail("out of memory while saving a checkpoint in %s", folder);
}

/* GPT2Config's keys; those that are not here have the meaning of its defaults in dtrain too. */
static json_t *make_config(const dt_config *config, const dt_shape *shape, const dt_tokenizer *tokenizer) {
    json_t *object = json_pack(
        "{s:[s], s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:b, s:b, s:s}",
        "architectures", "GPT2LMHeadModel", "model_type", "gpt2", "activation_function", "gelu_new",
        "vocab_size", (json_int_t)shape->V, "n_positions", (json_int_t)shape->T, "n_ctx",
        (json_int_t)shape->T, "n_embd", (json_int_t)shape->C, "n_layer", (json_int_t)shape->n_layers,
        "n_head", (json_int_t)shape->H, "n_inner", (json_int_t)shape->F, "layer_norm_epsilon", 1e-5,
        "embd_pdrop", config->dropout, "attn_pdrop", config->dropout, "resid_pdrop", config->dropout,
        "initializer_range", 0.02, "tie_word_embeddings", 1, "scale_attn_weights", 1, "torch_dtype",
        "float32");
    if (object && !dt_tokenizer_files_name_ids(object, tokenizer)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

/* Writes `length` bytes of text as folder/name and notes its size and checksum in `files`. */
static dt_status write_text(const char *folder, const char *name, const char *text, size_t length,
                            json_t *files) {
    char digits[DT_CHECKSUM_TEXT_BYTES];
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
    dt_status status = text ? write_text(folder, name, text, strlen(text), files) : no_memory(folder);
    free(text);
    return status;
}

static dt_status write_tokenizer(const char *folder, const dt_tokenizer *tokenizer, int64_t T,
                                 json_t *files) {
    size_t length;
    if (tokenizer == NULL)
        return DT_OK;
    char *json = dt_tokenizer_json(tokenizer, &length);
    dt_status status =
        json ? write_text(folder, DT_TOKENIZER_FILES_JSON, json, length, files) : no_memory(folder);
    free(json);
    DT_TRY(status);
    return write_json(folder, DT_TOKENIZER_FILES_CONFIG, dt_tokenizer_files_config(tokenizer, T), files);
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
    dt_status status = fclose(memory) == 0 ? write_text(folder, DT_CHECKPOINT_CHECKSUMS, text, length, files)
                                           : no_memory(folder);
    free(text);
    return status;
}

/* A file of one or two of the state's vectors: which is the first, and what names begin with. */
typedef struct vectors_file {
    const char *name;
    int first, count;
    dt_safetensors_section sections[2];
} vectors_file;

/* What the file at `path` has just been written from, slices [first, end), is still what it was to be: a copy
 * that is written long after it was made may no longer be one. */
static dt_status expect_slices(const char *path, const dt_state *state, const uint64_t *hashes, int64_t first,
                               int64_t end) {
    for (int64_t slice = first; hashes && slice < end; slice++) {
        const uint64_t found = dt_fingerprint_slice(state, slice);
        char name[DT_STATE_SLICE_BYTES];
        if (found == hashes[slice])
            continue;
        dt_state_slice_name(state->layout, slice, name);
        return dt_fail("%s: the copy of %s that was to be written has XXH3-64 %016" PRIx64
                       ", but the state of the run has %016" PRIx64
                       "; a bit has flipped in the memory of this host",
                       path, name, found, hashes[slice]);
    }
    return DT_OK;
}

/* `source` is of a file whose vectors are not in the state: it sees to its own hashes. */
static dt_status write_vectors(const char *folder, const vectors_file *file, const dt_state *state,
                               const uint64_t *hashes, const dt_checkpoint_moments *source, json_t *files) {
    const int64_t per_vector = dt_state_slices(state->layout) / DT_STATE_VECTORS;
    json_t *sums = NULL;
    char *path = dt_file_join(folder, file->name);
    dt_status status = path == NULL
                           ? DT_FAILED
                           : dt_safetensors_write_from(path, state->layout, file->sections, file->count,
                                                       source ? &source->source : NULL, &sums);
    if (status == DT_OK && json_object_set_new(files, file->name, sums) != 0)
        status = no_memory(folder);
    if (status == DT_OK && source)
        status = source->end(source->source.context);
    else if (status == DT_OK)
        status = expect_slices(path, state, hashes, file->first * per_vector,
                               (file->first + file->count) * per_vector);
    free(path);
    return status;
}

/* With the hash of the state, which the ranks compare, so that states can be compared by one text. */
static dt_status write_metadata(const char *folder, const dt_checkpoint_about *about, const dt_state *state,
                                const uint64_t *hashes, json_t *files) {
    dt_checkpoint_about whole = *about;
    uint64_t hash;
    if (hashes)
        hash = dt_fingerprint_whole(hashes, dt_state_slices(state->layout));
    else
        DT_TRY(dt_fingerprint_state(state, &hash));
    snprintf(whole.state_hash, sizeof whole.state_hash, "%016" PRIx64, hash);
    return dt_checkpoint_metadata_write(folder, &whole, files);
}

/* metadata.json comes last: it vouches for the others. */
static dt_status write_files(const char *folder, const dt_checkpoint_about *about,
                             const dt_tokenizer *tokenizer, const dt_state *state, const uint64_t *hashes,
                             const dt_checkpoint_moments *source, json_t *files) {
    const dt_shape *shape = &state->layout->shape;
    const vectors_file model = {DT_CHECKPOINT_MODEL, 0, 1, {{"", state->parameters}}};
    const vectors_file moments = {
        DT_CHECKPOINT_OPTIMIZER,
        1,
        2,
        {{"exp_avg.", source ? NULL : state->exp_avg}, {"exp_avg_sq.", source ? NULL : state->exp_avg_sq}}};
    DT_TRY(write_json(folder, DT_CHECKPOINT_CONFIG, make_config(&about->config, shape, tokenizer), files));
    DT_TRY(write_tokenizer(folder, tokenizer, shape->T, files));
    DT_TRY(write_vectors(folder, &model, state, hashes, NULL, files));
    DT_TRY(write_vectors(folder, &moments, state, hashes, source, files));
    DT_TRY(write_checksums(folder, files));
    DT_TRY(write_metadata(folder, about, state, hashes, files));
    return dt_file_sync_folder(folder);
}

/* A checkpoint whose parts contradict each other would be refused on reading; better not to write it. */
static dt_status check_agreement(const dt_checkpoint_about *about, const dt_state *state) {
    const dt_shape *shape = &state->layout->shape;
    const dt_config *config = &about->config;
    if (state->phase != DT_STATE_COMPLETE)
        return dt_fail("fault in the program: the state of step %" PRId64 " was to be saved while it changes",
                       state->step);
    if (about->step != state->step || dt_is_null_int(config->seed) || shape->n_layers != config->n_layers ||
        shape->C != config->d_model || shape->H != config->n_heads || shape->F != config->d_ff ||
        shape->T != config->max_seq_len || shape->V != about->V)
        return dt_fail("fault in the program: the state of step %" PRId64
                       " was to be saved with a config of another model or without a seed",
                       state->step);
    return DT_OK;
}

dt_status dt_checkpoint_write(dt_checkpoint_path *paths, const char *checkpoints_folder,
                              const dt_checkpoint_about *about, const dt_tokenizer *tokenizer,
                              const dt_state *state, const uint64_t *hashes,
                              const dt_checkpoint_moments *moments) {
    DT_ASSERT((moments != NULL) == state->sharded && (moments == NULL || hashes));
    *paths = (dt_checkpoint_path){0};
    DT_TRY(check_agreement(about, state));
    json_t *files = json_object();
    dt_status status = dt_checkpoint_path_prepare(paths, checkpoints_folder, about->step);
    if (status == DT_OK)
        status = files == NULL
                     ? no_memory(checkpoints_folder)
                     : write_files(paths->temporary, about, tokenizer, state, hashes, moments, files);
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
