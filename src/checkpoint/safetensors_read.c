/*
 * Reading and verifying. First the header alone decides where each tensor lies, and every number in it is
 * checked against the table and the file's size; then the data stream once, in the file's order, through the
 * checksums.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/json.h"
#include "base/checksum.h"
#include "optim/finite.h"
#include "checkpoint/safetensors.h"

/* An entry of the header has a name of the table and at most four numbers, in some 150 bytes. */
#define LARGEST_ENTRY_BYTES 512
#define PIECE_BYTES         ((int64_t)256 << 10) /* read and hashed while it is in the cache */

/* Where a tensor of the table lies in the file. */
typedef struct extent {
    const dt_tensor *tensor;
    float *elements; /* where it goes, or NULL */
    char *name;
    int64_t begin, end; /* bytes from the start of the data */
} extent;

typedef struct reader {
    const char *path;
    const dt_layout *layout;
    const dt_safetensors_section *sections;
    int count;
    const json_t *checksums;
    int descriptor;
    int64_t size_bytes, data_start;
    json_t *header;
    extent *extents; /* [layout->tensors * count], by position in the file once they are checked */
    int64_t tensors;
    dt_checksum whole, single;
    char *piece; /* [PIECE_BYTES, or size_bytes if that is less] for data that go nowhere */
} reader;

static const char *text_of(const json_t *value) {
    const char *text = json_string_value(value);
    return text == NULL ? "nothing" : text;
}

/* The length that the file states, checked before anything is allocated for it. */
static dt_status read_header(reader *in) {
    uint64_t length;
    if (in->size_bytes < (int64_t)sizeof length)
        return dt_fail("cannot use %s: expected a safetensors file, found only %" PRId64 " bytes", in->path,
                       in->size_bytes);
    DT_TRY(dt_file_read_at(in->descriptor, in->path, &length, sizeof length, 0));
    uint64_t rest = (uint64_t)in->size_bytes - sizeof length;
    uint64_t limit = (uint64_t)(1 + in->layout->tensors * in->count) * LARGEST_ENTRY_BYTES;
    limit = rest < limit ? rest : limit;
    if (length > limit)
        return dt_fail("cannot use %s: its header claims %" PRIu64 " bytes, expected at most %" PRIu64
                       "; it is damaged or not a safetensors file",
                       in->path, length, limit);
    char *text = dt_memory_alloc((int64_t)length + 1, 1, "a safetensors header");
    if (text == NULL)
        return DT_FAILED;
    dt_status status = dt_file_read_at(in->descriptor, in->path, text, length, sizeof length);
    if (status == DT_OK) {
        dt_checksum_add(&in->whole, &length, sizeof length);
        dt_checksum_add(&in->whole, text, length);
        if (text[0] != '{')
            status = dt_fail("cannot use %s: expected a header of JSON, found: no '{' at byte 8", in->path);
        else if (dt_json_parse(text, length, &in->header) != DT_OK)
            status = dt_fail("cannot use %s: expected a header of JSON: %s", in->path, dt_error());
    }
    dt_memory_free(text);
    in->data_start = (int64_t)(sizeof length + length);
    return status;
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

static dt_status check_shape(const reader *in, const extent *at, const json_t *entry) {
    int64_t sides[2] = {0, 0};
    const dt_tensor *tensor = at->tensor;
    bool readable = read_integers(json_object_get(entry, "shape"), (size_t)tensor->dims, sides);
    if (readable && sides[tensor->dims - 1] == tensor->cols &&
        (tensor->dims == 1 || sides[0] == tensor->rows))
        return DT_OK;
    char *found = json_dumps(json_object_get(entry, "shape"), JSON_COMPACT | JSON_ENCODE_ANY);
    dt_status status =
        tensor->dims == 1
            ? dt_fail("cannot use %s: tensor %s has shape %s, expected [%" PRId64 "]", in->path, at->name,
                      found == NULL ? "nothing" : found, tensor->cols)
            : dt_fail("cannot use %s: tensor %s has shape %s, expected [%" PRId64 ",%" PRId64 "]", in->path,
                      at->name, found == NULL ? "nothing" : found, tensor->rows, tensor->cols);
    free(found);
    return status;
}

/* What the header says of one tensor: type, shape, and a length that fits them inside the data. */
static dt_status check_entry(const reader *in, extent *at) {
    const json_t *entry = json_object_get(in->header, at->name);
    int64_t offsets[2] = {0, 0}, data_bytes = in->size_bytes - in->data_start;
    if (!json_is_object(entry))
        return dt_fail("cannot use %s: tensor %s is missing", in->path, at->name);
    const char *type = text_of(json_object_get(entry, "dtype"));
    if (strcmp(type, "F32") != 0)
        return dt_fail("cannot use %s: tensor %s has dtype %s, expected F32", in->path, at->name, type);
    DT_TRY(check_shape(in, at, entry));
    int64_t bytes = at->tensor->count * (int64_t)sizeof(float);
    if (!read_integers(json_object_get(entry, "data_offsets"), 2, offsets) || offsets[1] > data_bytes ||
        offsets[0] > offsets[1] || offsets[1] - offsets[0] != bytes || json_object_size(entry) != 3)
        return dt_fail("cannot use %s: tensor %s must have data_offsets of %" PRId64
                       " bytes within the data of %" PRId64
                       ", and dtype and shape beside it, nothing else; the file is damaged",
                       in->path, at->name, bytes, data_bytes);
    at->begin = offsets[0];
    at->end = offsets[1];
    return DT_OK;
}

/* Every tensor was found, names are unique: a header with more entries holds a stranger. Names it. */
static dt_status refuse_strangers(const reader *in) {
    const json_t *about = json_object_get(in->header, "__metadata__");
    const char *name;
    json_t *value;
    if (about != NULL && !json_is_object(about))
        return dt_fail("cannot use %s: __metadata__ in its header must be an object of strings", in->path);
    json_object_foreach((json_t *)about, name, value) {
        if (!json_is_string(value))
            return dt_fail("cannot use %s: __metadata__ in its header must be an object of strings",
                           in->path);
    }
    if ((int64_t)json_object_size(in->header) == in->tensors + (about != NULL))
        return DT_OK;
    json_object_foreach(in->header, name, value) {
        bool known = strcmp(name, "__metadata__") == 0;
        for (int64_t i = 0; !known && i < in->tensors; i++)
            known = strcmp(name, in->extents[i].name) == 0;
        if (!known)
            return dt_fail("cannot use %s: it holds a tensor %s that the model does not have", in->path,
                           name);
    }
    return dt_fail("cannot use %s: its header holds more entries than the model has tensors", in->path);
}

static int by_begin(const void *left, const void *right) {
    int64_t a = ((const extent *)left)->begin, b = ((const extent *)right)->begin;
    return (a > b) - (a < b);
}

/* In order of position, each tensor must begin where the one before it ended, and the last one end with the
 * file. */
static dt_status check_cover(reader *in) {
    int64_t end = 0, data_bytes = in->size_bytes - in->data_start;
    qsort(in->extents, (size_t)in->tensors, sizeof *in->extents, by_begin);
    for (int64_t i = 0; i < in->tensors; i++) {
        if (in->extents[i].begin != end)
            return dt_fail("cannot use %s: tensor %s begins at byte %" PRId64
                           " of the data, expected %" PRId64
                           ", where the one before it ends; the file is damaged",
                           in->path, in->extents[i].name, in->extents[i].begin, end);
        end = in->extents[i].end;
    }
    if (end != data_bytes)
        return dt_fail("cannot use %s: its tensors end at byte %" PRId64 " of the data, which are %" PRId64
                       " bytes long; the file is damaged",
                       in->path, end, data_bytes);
    return DT_OK;
}

static dt_status find_extents(reader *in) {
    in->extents = dt_memory_alloc(in->layout->tensors * in->count, sizeof *in->extents, "a table of tensors");
    if (in->extents == NULL)
        return DT_FAILED;
    for (int p = 0; p < in->count; p++)
        for (int64_t t = 0; t < in->layout->tensors; t++) {
            const dt_tensor *tensor = &in->layout->tensor[t];
            extent *at = &in->extents[in->tensors++];
            at->tensor = tensor;
            at->elements = in->sections[p].vector == NULL ? NULL : in->sections[p].vector + tensor->offset;
            at->name = dt_safetensors_name(&in->sections[p], tensor);
            if (at->name == NULL)
                return dt_fail("out of memory while reading %s", in->path);
            DT_TRY(check_entry(in, at));
        }
    DT_TRY(refuse_strangers(in));
    return check_cover(in);
}

/* Streams one tensor to where it goes, or past the checksums only. */
static dt_status read_tensor(reader *in, const extent *at) {
    char digits[DT_CHECKSUM_TEXT_BYTES];
    bool finite = true;
    dt_checksum_restart(&in->single);
    for (int64_t done = at->begin; done < at->end; done += PIECE_BYTES) {
        size_t length = (size_t)(at->end - done < PIECE_BYTES ? at->end - done : PIECE_BYTES);
        char *target = at->elements == NULL ? in->piece : (char *)at->elements + (done - at->begin);
        DT_TRY(dt_file_read_at(in->descriptor, in->path, target, length, in->data_start + done));
        dt_checksum_add(&in->single, target, length);
        dt_checksum_add(&in->whole, target, length);
        finite &= dt_finite_all((const float *)(const void *)target, (int64_t)(length / sizeof(float)));
    }
    dt_checksum_text(&in->single, digits);
    const char *expected = text_of(json_object_get(json_object_get(in->checksums, "tensors"), at->name));
    if (strcmp(digits, expected) != 0)
        return dt_fail(
            "%s is damaged: the data of tensor %s have XXH3-64 %s, but %s was saved; use another checkpoint",
            in->path, at->name, digits, expected);
    if (!finite)
        return dt_fail(
            "cannot use %s: expected finite numbers, found NaN or infinity in tensor %s, which was saved "
            "so; use an earlier checkpoint",
            in->path, at->name);
    return DT_OK;
}

/* Compares what can be compared before the data are read. */
static dt_status check_promises(const reader *in) {
    const json_t *bytes = json_object_get(in->checksums, "bytes");
    const json_t *tensors = json_object_get(in->checksums, "tensors");
    if (!json_is_integer(bytes) || !json_is_object(tensors) ||
        !json_is_string(json_object_get(in->checksums, "xxh3_128")))
        return dt_fail("cannot verify %s: the checkpoint's metadata hold no size and checksums for it",
                       in->path);
    if (json_integer_value(bytes) != in->size_bytes)
        return dt_fail("%s is damaged: it has %" PRId64 " bytes, but %" PRId64
                       " were saved; use another checkpoint",
                       in->path, in->size_bytes, (int64_t)json_integer_value(bytes));
    return DT_OK;
}

static dt_status read_all(reader *in) {
    DT_TRY(dt_checksum_create(&in->whole, 128));
    DT_TRY(dt_checksum_create(&in->single, 64));
    DT_TRY(dt_file_open(in->path, &in->descriptor, &in->size_bytes));
    DT_TRY(check_promises(in));
    in->piece =
        dt_memory_alloc(in->size_bytes < PIECE_BYTES ? in->size_bytes : PIECE_BYTES, 1, "a piece of a file");
    if (in->piece == NULL)
        return DT_FAILED;
    DT_TRY(read_header(in));
    DT_TRY(find_extents(in));
    for (int64_t i = 0; i < in->tensors; i++)
        DT_TRY(read_tensor(in, &in->extents[i]));
    char digits[DT_CHECKSUM_TEXT_BYTES];
    dt_checksum_text(&in->whole, digits);
    const char *expected = text_of(json_object_get(in->checksums, "xxh3_128"));
    if (strcmp(digits, expected) != 0)
        return dt_fail(
            "%s is damaged in its header, since every tensor agrees: the whole has XXH3-128 %s, but "
            "%s was saved; use another checkpoint",
            in->path, digits, expected);
    return DT_OK;
}

dt_status dt_safetensors_read(const char *path, const dt_layout *layout,
                              const dt_safetensors_section *sections, int count, const json_t *checksums) {
    reader in = {.path = path,
                 .layout = layout,
                 .sections = sections,
                 .count = count,
                 .checksums = checksums,
                 .descriptor = -1};
    dt_status status = read_all(&in);
    if (in.descriptor >= 0)
        close(in.descriptor);
    for (int64_t i = 0; i < in.tensors; i++)
        free(in.extents[i].name);
    dt_memory_free(in.extents);
    dt_memory_free(in.piece);
    json_decref(in.header);
    dt_checksum_free(&in.whole);
    dt_checksum_free(&in.single);
    return status;
}
