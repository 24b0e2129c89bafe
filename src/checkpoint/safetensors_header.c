/* Lengths first, then JSON, then each entry when it is asked for. */
#include "checkpoint/safetensors_header.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/json.h"

/* The length that the file states, checked before anything is allocated for it. */
dt_status dt_safetensors_header_read(dt_safetensors_header *header, int descriptor, const char *path,
                                     int64_t size_bytes, int64_t limit_bytes, dt_checksum *checksum) {
    uint64_t length;
    *header = (dt_safetensors_header){.path = path};
    if (size_bytes < (int64_t)sizeof length)
        return dt_fail("cannot use %s: expected a safetensors file, found only %" PRId64 " bytes", path,
                       size_bytes);
    DT_TRY(dt_file_read_at(descriptor, path, &length, sizeof length, 0));
    const uint64_t rest = (uint64_t)size_bytes - sizeof length;
    const uint64_t limit = rest < (uint64_t)limit_bytes ? rest : (uint64_t)limit_bytes;
    if (length > limit)
        return dt_fail("cannot use %s: its header claims %" PRIu64 " bytes, expected at most %" PRIu64
                       "; it is damaged or not a safetensors file",
                       path, length, limit);
    char *text = dt_memory_alloc((int64_t)length + 1, 1, "a safetensors header");
    if (text == NULL)
        return DT_FAILED;
    dt_status status = dt_file_read_at(descriptor, path, text, length, sizeof length);
    if (status == DT_OK) {
        if (checksum) {
            dt_checksum_add(checksum, &length, sizeof length);
            dt_checksum_add(checksum, text, length);
        }
        if (text[0] != '{')
            status = dt_fail("cannot use %s: expected a header of JSON, found: no '{' at byte 8", path);
        else if (dt_json_parse(text, length, &header->entries) != DT_OK)
            status = dt_fail("cannot use %s: expected a header of JSON: %s", path, dt_error());
    }
    dt_memory_free(text);
    header->data_start = (int64_t)(sizeof length + length);
    header->data_bytes = size_bytes - header->data_start;
    return status;
}

void dt_safetensors_header_free(dt_safetensors_header *header) {
    json_decref(header->entries);
    *header = (dt_safetensors_header){0};
}

/* The integers of `list`, which must hold exactly `expected` of them, none negative. */
static bool read_integers(const json_t *list, size_t expected, int64_t *numbers) {
    if (!json_is_array(list) || json_array_size(list) != expected)
        return false;
    for (size_t i = 0; i < expected; i++) {
        const json_t *number = json_array_get(list, i);
        numbers[i] = json_integer_value(number);
        if (!json_is_integer(number) || numbers[i] < 0)
            return false;
    }
    return true;
}

static dt_status check_shape(const char *path, const char *name, const dt_tensor *tensor,
                             const json_t *entry) {
    int64_t sides[2] = {0, 0};
    bool readable = read_integers(json_object_get(entry, "shape"), (size_t)tensor->dims, sides);
    if (readable && sides[tensor->dims - 1] == tensor->cols &&
        (tensor->dims == 1 || sides[0] == tensor->rows))
        return DT_OK;
    char *found = json_dumps(json_object_get(entry, "shape"), JSON_COMPACT | JSON_ENCODE_ANY);
    dt_status status =
        tensor->dims == 1
            ? dt_fail("cannot use %s: tensor %s has shape %s, expected [%" PRId64 "]", path, name,
                      found == NULL ? "nothing" : found, tensor->cols)
            : dt_fail("cannot use %s: tensor %s has shape %s, expected [%" PRId64 ",%" PRId64 "]", path, name,
                      found == NULL ? "nothing" : found, tensor->rows, tensor->cols);
    free(found);
    return status;
}

static dt_status check_element(const char *path, const char *name, const char *const *elements,
                               const json_t *entry, dt_element *element) {
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const int found = type == NULL ? -1 : dt_element_find(elements, type);
    if (found < 0) {
        char names[32] = "";
        for (int i = 0; elements[i]; i++) {
            strcat(names, i == 0 ? "" : elements[i + 1] ? ", " : " or ");
            strcat(names, elements[i]);
        }
        return dt_fail("cannot use %s: tensor %s has dtype %s, expected %s", path, name,
                       type == NULL ? "nothing" : type, names);
    }
    *element = (dt_element)found;
    return DT_OK;
}

dt_status dt_safetensors_header_find(const dt_safetensors_header *header, const char *name,
                                     const dt_tensor *tensor, const char *const *elements,
                                     dt_safetensors_extent *extent) {
    const json_t *entry = json_object_get(header->entries, name);
    int64_t offsets[2] = {0, 0};
    if (!json_is_object(entry))
        return dt_fail("cannot use %s: tensor %s is missing", header->path, name);
    DT_TRY(check_element(header->path, name, elements, entry, &extent->element));
    DT_TRY(check_shape(header->path, name, tensor, entry));
    const int64_t bytes = tensor->count * (int64_t)dt_element_bytes(extent->element);
    if (!read_integers(json_object_get(entry, "data_offsets"), 2, offsets) ||
        offsets[1] > header->data_bytes || offsets[0] > offsets[1] || offsets[1] - offsets[0] != bytes ||
        json_object_size(entry) != 3)
        return dt_fail("cannot use %s: tensor %s must have data_offsets of %" PRId64
                       " bytes within the data of %" PRId64
                       ", and dtype and shape beside it, nothing else; the file is damaged",
                       header->path, name, bytes, header->data_bytes);
    extent->begin = offsets[0];
    extent->end = offsets[1];
    return DT_OK;
}

dt_status dt_safetensors_header_expect_about(const dt_safetensors_header *header) {
    const json_t *about = json_object_get(header->entries, DT_SAFETENSORS_ABOUT);
    const char *name;
    json_t *value;
    bool fits = about == NULL || json_is_object(about);
    json_object_foreach((json_t *)about, name, value) {
        fits = fits && json_is_string(value);
    }
    return fits
               ? DT_OK
               : dt_fail("cannot use %s: " DT_SAFETENSORS_ABOUT " in its header must be an object of strings",
                         header->path);
}

/* What one entry of the header covers. */
typedef struct span {
    const char *name;
    int64_t offsets[2];
} span;

static int by_begin(const void *left, const void *right) {
    const int64_t *a = ((const span *)left)->offsets, *b = ((const span *)right)->offsets;
    /* Of those that begin at one byte, one without elements comes first. */
    return a[0] != b[0] ? (a[0] > b[0]) - (a[0] < b[0]) : (a[1] > b[1]) - (a[1] < b[1]);
}

static dt_status check_spans(const dt_safetensors_header *header, const span *spans, size_t count) {
    int64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].offsets[0] != end || spans[i].offsets[1] < end)
            return dt_fail("cannot use %s: tensor %s begins at byte %" PRId64
                           " of the data, expected %" PRId64
                           ", where the one before it ends; the file is damaged",
                           header->path, spans[i].name, spans[i].offsets[0], end);
        end = spans[i].offsets[1];
    }
    if (end != header->data_bytes)
        return dt_fail("cannot use %s: its tensors end at byte %" PRId64 " of the data, which are %" PRId64
                       " bytes long; the file is damaged",
                       header->path, end, header->data_bytes);
    return DT_OK;
}

dt_status dt_safetensors_header_expect_cover(const dt_safetensors_header *header) {
    size_t count = 0;
    const char *name;
    json_t *entry;
    dt_status status = DT_OK;
    span *spans =
        dt_memory_alloc((int64_t)json_object_size(header->entries), sizeof *spans, "a table of tensors");
    if (spans == NULL)
        return DT_FAILED;
    json_object_foreach(header->entries, name, entry) {
        if (status != DT_OK || strcmp(name, DT_SAFETENSORS_ABOUT) == 0)
            continue;
        spans[count].name = name;
        if (!read_integers(json_object_get(entry, "data_offsets"), 2, spans[count++].offsets))
            status = dt_fail("cannot use %s: tensor %s has no data_offsets of two bytes within the data",
                             header->path, name);
    }
    if (status == DT_OK) {
        qsort(spans, count, sizeof *spans, by_begin);
        status = check_spans(header, spans, count);
    }
    dt_memory_free(spans);
    return status;
}
