/* From a folder to the headers of its files; the index is held against each. */
#include "checkpoint/weight_files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/suffix.h"
#include "checkpoint/metadata.h"
#include "config/json.h"

/* A name of some 60 bytes and four numbers a tensor make 3 MB for 1024 layers. */
#define LARGEST_TEXT_BYTES ((int64_t)32 << 20)

#define END ".safetensors"

/* A weight's name is shorter by far. */
#define LONGEST_NAME_BYTES 256

const char *dt_weight_files_bare(const char *name) {
    const size_t length = strlen(DT_WEIGHT_FILES_PREFIX);
    return strncmp(name, DT_WEIGHT_FILES_PREFIX, length) == 0 ? name + length : name;
}

/* h.3.attn.bias, which no weight is called. */
bool dt_weight_files_is_mask(const char *name) {
    const char *bare = dt_weight_files_bare(name);
    return strncmp(bare, "h.", 2) == 0 &&
           (dt_has_suffix(bare, ".attn.bias") || dt_has_suffix(bare, ".attn.masked_bias"));
}

static dt_status open_file(dt_weight_file *file, const char *folder, const char *name) {
    int descriptor = -1;
    int64_t size_bytes = 0;
    file->name = strdup(name);
    if (file->name == NULL)
        return dt_fail("out of memory while looking at the model in %s", folder);
    file->path = dt_file_join(folder, name);
    if (file->path == NULL)
        return DT_FAILED;
    DT_TRY(dt_file_open(file->path, &descriptor, &size_bytes));
    dt_status status = dt_safetensors_header_read(&file->header, descriptor, file->path, size_bytes,
                                                  LARGEST_TEXT_BYTES, NULL);
    close(descriptor);
    if (status == DT_OK)
        status = dt_safetensors_header_expect_about(&file->header);
    if (status == DT_OK)
        status = dt_safetensors_header_expect_cover(&file->header);
    return status;
}

/* A shard is a file of the folder itself. */
static dt_status check_name(const char *index, const char *tensor, const json_t *value) {
    const char *name = json_string_value(value);
    if (name && dt_has_suffix(name, END) && strcmp(name, END) != 0 && strchr(name, '/') == NULL &&
        strlen(name) == json_string_length(value))
        return DT_OK;
    return dt_fail("cannot use %s: it says that tensor %s is in %s, expected the name of a " END
                   " file of the same folder",
                   index, tensor, name ? name : "no file");
}

static dt_weight_file *find(const dt_weight_files *files, const char *name) {
    for (int64_t i = 0; i < files->count; i++)
        if (strcmp(files->file[i].name, name) == 0)
            return &files->file[i];
    return NULL;
}

/* The value of the tensor, whose name has the prefix there, or has it here, or in both places or neither;
 * NULL: there is none. */
static const json_t *look_up(const json_t *object, const char *tensor) {
    char prefixed[LONGEST_NAME_BYTES];
    const char *bare = dt_weight_files_bare(tensor);
    const json_t *value = json_object_get(object, tensor);
    if (value == NULL)
        value = json_object_get(object, bare);
    if (value == NULL &&
        snprintf(prefixed, sizeof prefixed, DT_WEIGHT_FILES_PREFIX "%s", bare) < (int)sizeof prefixed)
        value = json_object_get(object, prefixed);
    return value;
}

/* Each file holds what the map says of it, and no tensor beside. */
static dt_status check_contents(const dt_weight_files *files, const char *index, const json_t *map) {
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)map, tensor, value) {
        const dt_weight_file *file = find(files, json_string_value(value));
        if (look_up(file->header.entries, tensor) == NULL)
            return dt_fail("cannot use %s: it says that tensor %s is in %s, which has none of that name",
                           index, tensor, file->path);
    }
    for (int64_t i = 0; i < files->count; i++) {
        json_object_foreach(files->file[i].header.entries, tensor, value) {
            const char *told = json_string_value(look_up(map, tensor));
            if (strcmp(tensor, DT_SAFETENSORS_ABOUT) != 0 && !dt_weight_files_is_mask(tensor) &&
                (told == NULL || strcmp(told, files->file[i].name) != 0))
                return dt_fail("cannot use %s: it says that tensor %s is in %s, found it in %s", index,
                               tensor, told ? told : "no file", files->file[i].path);
        }
    }
    return DT_OK;
}

static dt_status open_shards(dt_weight_files *files, const char *folder, const char *index,
                             const json_t *map) {
    const char *tensor;
    json_t *value;
    if (!json_is_object(map) || json_object_size(map) == 0)
        return dt_fail("cannot use %s: expected a \"weight_map\" from tensors to files, found none", index);
    files->file = dt_memory_alloc((int64_t)json_object_size(map), sizeof *files->file, "a table of files");
    if (files->file == NULL)
        return DT_FAILED;
    json_object_foreach((json_t *)map, tensor, value) {
        DT_TRY(check_name(index, tensor, value));
        const char *name = json_string_value(value);
        if (find(files, name))
            continue;
        const dt_status status = open_file(&files->file[files->count++], folder, name);
        if (status != DT_OK)
            return dt_fail("%s; %s says that tensor %s is in it", dt_error(), index, tensor);
    }
    return check_contents(files, index, map);
}

static dt_status open_index(dt_weight_files *files, const char *folder, const char *index) {
    char *text = NULL;
    size_t length = 0;
    json_t *object = NULL;
    DT_TRY(dt_file_read_regular(index, LARGEST_TEXT_BYTES, &text, &length));
    dt_status status = dt_json_parse(text, length, &object);
    free(text);
    if (status != DT_OK)
        return dt_fail("cannot use %s: %s", index, dt_error());
    status = open_shards(files, folder, index, json_object_get(object, "weight_map"));
    json_decref(object);
    return status;
}

static dt_status open_single(dt_weight_files *files, const char *folder) {
    files->file = dt_memory_alloc(1, sizeof *files->file, "a table of files");
    if (files->file == NULL)
        return DT_FAILED;
    files->count = 1;
    return open_file(&files->file[0], folder, DT_CHECKPOINT_MODEL);
}

static dt_status refuse_folder(const char *folder) {
    char *pickle = dt_file_join(folder, "pytorch_model.bin");
    const bool pickled = pickle && dt_file_exists(pickle);
    free(pickle);
    return dt_usage("%s holds no weights: expected " DT_CHECKPOINT_MODEL " or " DT_WEIGHT_FILES_INDEX
                    ", found neither%s",
                    folder,
                    pickled ? " but pytorch_model.bin, which only PyTorch can read; have transformers save "
                              "the model again, by save_pretrained"
                            : "");
}

dt_status dt_weight_files_open(dt_weight_files *files, const char *folder) {
    *files = (dt_weight_files){0};
    char *single = dt_file_join(folder, DT_CHECKPOINT_MODEL),
         *index = dt_file_join(folder, DT_WEIGHT_FILES_INDEX);
    dt_status status;
    if (single == NULL || index == NULL)
        status = DT_FAILED;
    else if (dt_file_is_there(single))
        status = open_single(files, folder);
    else
        status = dt_file_is_there(index) ? open_index(files, folder, index) : refuse_folder(folder);
    free(single);
    free(index);
    return status;
}

void dt_weight_files_free(dt_weight_files *files) {
    for (int64_t i = 0; i < files->count; i++) {
        free(files->file[i].name);
        free(files->file[i].path);
        dt_safetensors_header_free(&files->file[i].header);
    }
    dt_memory_free(files->file);
    *files = (dt_weight_files){0};
}
