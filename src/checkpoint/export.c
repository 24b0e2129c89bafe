/* What is not weights is copied. */
#include "checkpoint/export.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/gpt2_config.h"
#include "checkpoint/metadata.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tokenizer_files.h"

#define LARGEST_TEXT_BYTES ((int64_t)1 << 30)

/* By the names that transformers gives and looks for. */
static const char *const tokenizer_files[] = {
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt",     "chat_template.jinja",   "generation_config.json",
};

static dt_status no_memory(const char *path) {
    return dt_fail("out of memory while writing %s", path);
}

static dt_status copy_file(const char *from, const char *to) {
    char *text = NULL;
    size_t length = 0;
    DT_TRY(dt_file_read_regular(from, LARGEST_TEXT_BYTES, &text, &length));
    const dt_status status = dt_file_save(to, text, length);
    free(text);
    return status;
}

static bool has_file(const char *folder, const char *name) {
    char *path = dt_file_join(folder, name);
    const bool there = path && dt_file_exists(path);
    free(path);
    return there;
}

static dt_status copy_files(const char *folder, const char *source) {
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && i < sizeof tokenizer_files / sizeof *tokenizer_files; i++) {
        char *from = dt_file_join(source, tokenizer_files[i]), *to = dt_file_join(folder, tokenizer_files[i]);
        if (from == NULL || to == NULL)
            status = DT_FAILED;
        else if (dt_file_exists(from))
            status = copy_file(from, to);
        free(from);
        free(to);
    }
    return status;
}

static dt_status save_text(const char *folder, const char *name, const char *text, size_t length) {
    char *path = text ? dt_file_join(folder, name) : NULL;
    const dt_status status = path ? dt_file_save(path, text, length) : no_memory(folder);
    free(path);
    return status;
}

/* Checkpoints of version 0.1.0 name their characters in a vocab.json that no other program reads. */
static dt_status write_ascii(const char *folder, int64_t T) {
    dt_tokenizer tokenizer;
    size_t length = 0;
    DT_TRY(dt_tokenizer_open(&tokenizer, "ascii"));
    char *json = dt_tokenizer_json(&tokenizer, &length),
         *config = dt_checkpoint_metadata_print(dt_tokenizer_files_config(&tokenizer, T), 0);
    dt_status status = save_text(folder, DT_TOKENIZER_FILES_JSON, json, length);
    if (status == DT_OK)
        status = save_text(folder, DT_TOKENIZER_FILES_CONFIG, config, config ? strlen(config) : 0);
    free(json);
    free(config);
    dt_tokenizer_free(&tokenizer);
    return status;
}

static dt_status write_tokenizer(const char *folder, const char *source, int64_t T) {
    const bool is_first_version = has_file(source, DT_CHECKPOINT_METADATA) &&
                                  has_file(source, DT_CHECKPOINT_VOCAB) &&
                                  !has_file(source, DT_TOKENIZER_FILES_JSON);
    return is_first_version ? write_ascii(folder, T) : copy_files(folder, source);
}

/* What the config says of the weights' form is true of the new ones. Version 5 of transformers says "dtype"
 * where those before it have "torch_dtype". */
static dt_status tell_form(json_t *config, dt_element element) {
    const char *key = json_object_get(config, "dtype") ? "dtype" : "torch_dtype";
    if (json_object_set_new(config, "architectures", json_pack("[s]", "GPT2LMHeadModel")) != 0 ||
        json_object_set_new(config, key, json_string(dt_element_torch[element])) != 0)
        return dt_fail("out of memory for a config");
    return DT_OK;
}

static dt_status write_config(const char *folder, const char *source, dt_element element) {
    dt_shape unused;
    json_t *config = NULL;
    char *from = dt_file_join(source, DT_CHECKPOINT_CONFIG), *to = dt_file_join(folder, DT_CHECKPOINT_CONFIG);
    char *text = NULL;
    dt_status status = from && to ? dt_gpt2_config_read(from, &unused, &config) : DT_FAILED;
    if (status == DT_OK)
        status = tell_form(config, element);
    if (status == DT_OK) {
        /* 15 digits print 0.1 as 0.1. */
        text = dt_checkpoint_metadata_print(json_incref(config), JSON_REAL_PRECISION(15));
        status = text ? dt_file_save(to, text, strlen(text)) : no_memory(folder);
    }
    free(text);
    json_decref(config);
    free(from);
    free(to);
    return status;
}

static dt_status write_weights(const char *folder, const dt_layout *layout, float *parameters,
                               dt_element element) {
    const dt_safetensors_section section = {"", parameters};
    json_t *checksums = NULL;
    char *path = dt_file_join(folder, DT_CHECKPOINT_MODEL);
    const dt_status status =
        path ? dt_safetensors_write(path, layout, &section, 1, element, &checksums) : DT_FAILED;
    json_decref(checksums);
    free(path);
    return status;
}

static dt_status write_all(const char *folder, const char *source, const dt_layout *layout, float *parameters,
                           dt_element element) {
    if (mkdir(folder, 0777) != 0)
        return dt_fail("cannot make folder %s: %s", folder, strerror(errno));
    DT_TRY(write_config(folder, source, element));
    DT_TRY(write_tokenizer(folder, source, layout->shape.T));
    DT_TRY(write_weights(folder, layout, parameters, element));
    return dt_file_sync_folder(folder);
}

/* The names that a folder has and is under while it is written. */
typedef struct names {
    char *path;   /* without a '/' at its end */
    char *parent; /* the folder that it is to stand in */
    char *temporary;
} names;

static dt_status find_names(names *n, const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t parent = length; /* the length of its name, with the '/' */
    while (parent > 0 && path[parent - 1] != '/')
        parent--;
    *n = (names){.path = strndup(path, length), .parent = parent > 0 ? strndup(path, parent) : strdup(".")};
    if (asprintf(&n->temporary, "%.*s.%.*s.%ld.tmp", (int)parent, path, (int)(length - parent), path + parent,
                 (long)getpid()) < 0)
        n->temporary = NULL;
    return n->path && n->parent && n->temporary ? DT_OK : no_memory(path);
}

static void free_names(names *n) {
    free(n->path);
    free(n->parent);
    free(n->temporary);
}

static dt_status refuse_there(const char *path) {
    return dt_usage("cannot write %s: expected the name of a new folder, found %s of that name", path,
                    dt_file_is_folder(path) ? "a folder" : "a file");
}

/* Neither an empty folder nor a file gives way, as rename would have it. */
static dt_status publish(const char *temporary, const char *path) {
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return DT_OK;
    if (errno == EEXIST)
        return refuse_there(path); /* since it was looked for: another task may write the same */
    if (errno != EINVAL && errno != ENOSYS)
        return dt_fail("cannot rename %s to %s: %s", temporary, path, strerror(errno));
    return dt_file_rename(temporary, path);
}

static void abandon(const char *temporary) {
    char cause[DT_ERROR_BYTES];
    snprintf(cause, sizeof cause, "%s", dt_error());
    (void)dt_file_remove_tree(temporary);
    (void)dt_fail("%s", cause);
}

static dt_status write_named(const names *n, const char *source, const dt_layout *layout, float *parameters,
                             dt_element element) {
    if (dt_file_is_there(n->path))
        return refuse_there(n->path);
    DT_TRY(dt_file_make_folder(n->parent));
    dt_status status = write_all(n->temporary, source, layout, parameters, element);
    if (status == DT_OK)
        status = publish(n->temporary, n->path);
    if (status != DT_OK)
        abandon(n->temporary);
    return status == DT_OK ? dt_file_sync_folder(n->parent) : status;
}

dt_status dt_export_write(const char *path, const char *source, const dt_layout *layout, float *parameters,
                          dt_element element) {
    names n;
    dt_status status = find_names(&n, path);
    if (status == DT_OK)
        status = write_named(&n, source, layout, parameters, element);
    free_names(&n);
    return status;
}
