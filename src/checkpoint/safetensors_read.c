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
#include "base/checksum.h"
#include "optim/finite.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_header.h"

/* An entry of the header has a name of the table and at most four numbers, in some 150 bytes. */
#define LARGEST_ENTRY_BYTES 512
#define PIECE_BYTES         ((int64_t)256 << 10) /* read and hashed while it is in the cache */

/* Where a tensor of the table lies in the file. */
typedef struct extent {
    const dt_tensor *tensor;
    int section;
    float *elements; /* where it goes, or NULL */
    char *name;
    dt_safetensors_extent at;
} extent;

typedef struct reader {
    const char *path;
    const dt_layout *layout;
    const dt_safetensors_section *sections;
    int count;
    const json_t *checksums;
    const dt_safetensors_sink *sink; /* of what has no place in memory, or NULL */
    int descriptor;
    int64_t size_bytes;
    dt_safetensors_header header;
    extent *extents; /* [layout->tensors * count], by position in the file once they are checked */
    int64_t tensors;
    dt_checksum whole, single;
    char *piece; /* [PIECE_BYTES, or size_bytes if that is less] for data that go nowhere */
} reader;

static const char *text_of(const json_t *value) {
    const char *text = json_string_value(value);
    return text == NULL ? "nothing" : text;
}

/* Every tensor was found, names are unique: a header with more entries holds a stranger. Names it. */
static dt_status refuse_strangers(const reader *in) {
    const json_t *entries = in->header.entries;
    const char *name;
    json_t *value;
    DT_TRY(dt_safetensors_header_expect_about(&in->header));
    const bool about = json_object_get(entries, DT_SAFETENSORS_ABOUT) != NULL;
    if ((int64_t)json_object_size(entries) == in->tensors + about)
        return DT_OK;
    json_object_foreach((json_t *)entries, name, value) {
        bool known = strcmp(name, DT_SAFETENSORS_ABOUT) == 0;
        for (int64_t i = 0; !known && i < in->tensors; i++)
            known = strcmp(name, in->extents[i].name) == 0;
        if (!known)
            return dt_fail("cannot use %s: it holds a tensor %s that the model does not have", in->path,
                           name);
    }
    return dt_fail("cannot use %s: its header holds more entries than the model has tensors", in->path);
}

static int by_begin(const void *left, const void *right) {
    int64_t a = ((const extent *)left)->at.begin, b = ((const extent *)right)->at.begin;
    return (a > b) - (a < b);
}

static dt_status find_extents(reader *in) {
    static const char *const stored[] = {"F32", NULL};
    in->extents = dt_memory_alloc(in->layout->tensors * in->count, sizeof *in->extents, "a table of tensors");
    if (in->extents == NULL)
        return DT_FAILED;
    for (int p = 0; p < in->count; p++)
        for (int64_t t = 0; t < in->layout->tensors; t++) {
            const dt_tensor *tensor = &in->layout->tensor[t];
            extent *at = &in->extents[in->tensors++];
            at->tensor = tensor;
            at->section = p;
            at->elements = in->sections[p].vector == NULL ? NULL : in->sections[p].vector + tensor->offset;
            at->name = dt_safetensors_name(&in->sections[p], tensor);
            if (at->name == NULL)
                return dt_fail("out of memory while reading %s", in->path);
            DT_TRY(dt_safetensors_header_find(&in->header, at->name, tensor, stored, &at->at));
        }
    DT_TRY(refuse_strangers(in));
    DT_TRY(dt_safetensors_header_expect_cover(&in->header));
    /* The file is read from its start to its end. */
    qsort(in->extents, (size_t)in->tensors, sizeof *in->extents, by_begin);
    return DT_OK;
}

/* `length` bytes of a tensor, the first of them at byte `done` of its data. */
static dt_status pass_on(const reader *in, const extent *at, int64_t done, const void *bytes, size_t length) {
    return at->elements || in->sink == NULL
               ? DT_OK
               : in->sink->take(in->sink->context, at->section,
                                at->tensor->offset + done / (int64_t)sizeof(float), bytes,
                                (int64_t)(length / sizeof(float)));
}

/* Streams one tensor to where it goes, or past the checksums only. */
static dt_status read_tensor(reader *in, const extent *at) {
    char digits[DT_CHECKSUM_TEXT_BYTES];
    bool finite = true;
    dt_checksum_restart(&in->single);
    for (int64_t done = at->at.begin; done < at->at.end; done += PIECE_BYTES) {
        size_t length = (size_t)(at->at.end - done < PIECE_BYTES ? at->at.end - done : PIECE_BYTES);
        char *target = at->elements == NULL ? in->piece : (char *)at->elements + (done - at->at.begin);
        DT_TRY(dt_file_read_at(in->descriptor, in->path, target, length, in->header.data_start + done));
        dt_checksum_add(&in->single, target, length);
        dt_checksum_add(&in->whole, target, length);
        finite &= dt_finite_all((const float *)(const void *)target, (int64_t)(length / sizeof(float)));
        DT_TRY(pass_on(in, at, done - at->at.begin, target, length));
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
    DT_TRY(dt_safetensors_header_read(&in->header, in->descriptor, in->path, in->size_bytes,
                                      (1 + in->layout->tensors * in->count) * LARGEST_ENTRY_BYTES,
                                      &in->whole));
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
    return dt_safetensors_read_to(path, layout, sections, count, checksums, NULL);
}

dt_status dt_safetensors_read_to(const char *path, const dt_layout *layout,
                                 const dt_safetensors_section *sections, int count, const json_t *checksums,
                                 const dt_safetensors_sink *sink) {
    reader in = {.path = path,
                 .layout = layout,
                 .sections = sections,
                 .count = count,
                 .checksums = checksums,
                 .sink = sink,
                 .descriptor = -1};
    dt_status status = read_all(&in);
    if (in.descriptor >= 0)
        close(in.descriptor);
    for (int64_t i = 0; i < in.tensors; i++)
        free(in.extents[i].name);
    dt_memory_free(in.extents);
    dt_memory_free(in.piece);
    dt_safetensors_header_free(&in.header);
    dt_checksum_free(&in.whole);
    dt_checksum_free(&in.single);
    return status;
}
