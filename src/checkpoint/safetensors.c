/* Writing: the header first, then every tensor straight from its vector. Reading is safetensors_read.c. */
#include "checkpoint/safetensors.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/checksum.h"

#define HEADER_ALIGN 64

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vectors go to disk as they lie in memory");

/* A file being written: what goes into its checksums goes through put(). */
typedef struct writer {
    const char *path;
    int descriptor;
    int64_t bytes;
    dt_checksum whole;
    json_t *tensors; /* name -> digits */
} writer;

static dt_status no_memory(const char *path) {
    return dt_fail("out of memory while writing %s", path);
}

/* One tensor's entry of the header. A tensor of one dimension has a shape of one number. */
static json_t *make_entry(const dt_tensor *tensor, int64_t begin) {
    json_t *shape = tensor->dims == 1 ? json_pack("[I]", (json_int_t)tensor->cols)
                                      : json_pack("[II]", (json_int_t)tensor->rows, (json_int_t)tensor->cols);
    int64_t end = begin + tensor->count * (int64_t)sizeof(float);
    return json_pack("{s:s, s:o, s:[II]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)end);
}

static json_t *make_header(const dt_layout *layout, const dt_safetensors_section *sections, int count) {
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    bool complete = header != NULL;
    int64_t begin = 0;
    for (int p = 0; complete && p < count; p++)
        for (int64_t t = 0; complete && t < layout->tensors; t++) {
            const dt_tensor *tensor = &layout->tensor[t];
            char *name = dt_safetensors_name(&sections[p], tensor);
            complete = name != NULL && json_object_set_new(header, name, make_entry(tensor, begin)) == 0;
            free(name);
            begin += tensor->count * (int64_t)sizeof(float);
        }
    if (complete)
        return header;
    json_decref(header);
    return NULL;
}

/* The header as text behind its length, padded so that the data start on a multiple of HEADER_ALIGN. */
static char *print_header(const json_t *header, size_t *length) {
    char *json = json_dumps(header, JSON_COMPACT);
    if (json == NULL)
        return NULL;
    size_t used = strlen(json);
    size_t padded = (sizeof(uint64_t) + used + HEADER_ALIGN - 1) / HEADER_ALIGN * HEADER_ALIGN;
    uint64_t stated = padded - sizeof stated;
    char *text = malloc(padded);
    if (text != NULL) {
        memset(text, ' ', padded);
        memcpy(text, &stated, sizeof stated);
        memcpy(text + sizeof stated, json, used);
    }
    free(json);
    *length = padded;
    return text;
}

static dt_status put(writer *out, const void *bytes, size_t length) {
    dt_checksum_add(&out->whole, bytes, length);
    out->bytes += (int64_t)length;
    return dt_file_write(out->descriptor, out->path, bytes, length);
}

static dt_status put_tensor(writer *out, const dt_safetensors_section *section, const dt_tensor *tensor) {
    const float *elements = section->vector + tensor->offset;
    const size_t length = (size_t)tensor->count * sizeof *elements;
    const uint64_t hash = dt_checksum_64(elements, length);
    char *name = dt_safetensors_name(section, tensor);
    const bool noted =
        name && json_object_set_new(out->tensors, name, json_sprintf("%016" PRIx64, hash)) == 0;
    free(name);
    return noted ? put(out, elements, length) : no_memory(out->path);
}

static dt_status put_all(writer *out, const dt_layout *layout, const dt_safetensors_section *sections,
                         int count) {
    size_t length = 0;
    json_t *header = make_header(layout, sections, count);
    char *text = header == NULL ? NULL : print_header(header, &length);
    json_decref(header);
    dt_status status = text == NULL ? no_memory(out->path) : put(out, text, length);
    free(text);
    for (int p = 0; p < count; p++)
        for (int64_t t = 0; status == DT_OK && t < layout->tensors; t++)
            status = put_tensor(out, &sections[p], &layout->tensor[t]);
    return status;
}

static dt_status prepare(writer *out) {
    DT_TRY(dt_checksum_create(&out->whole, 128));
    out->tensors = json_object();
    return out->tensors == NULL ? no_memory(out->path) : dt_file_create(out->path, &out->descriptor);
}

/* What the file holds, for the caller. */
static dt_status report(const writer *out, json_t **checksums) {
    char digits[DT_CHECKSUM_TEXT_BYTES];
    dt_checksum_text(&out->whole, digits);
    *checksums = json_pack("{s:I, s:s, s:O}", "bytes", (json_int_t)out->bytes, "xxh3_128", digits, "tensors",
                           out->tensors);
    return *checksums == NULL ? no_memory(out->path) : DT_OK;
}

char *dt_safetensors_name(const dt_safetensors_section *section, const dt_tensor *tensor) {
    char *name = NULL;
    return asprintf(&name, "%s%s", section->prefix, tensor->name) < 0 ? NULL : name;
}

dt_status dt_safetensors_write(const char *path, const dt_layout *layout,
                               const dt_safetensors_section *sections, int count, json_t **checksums) {
    writer out = {.path = path, .descriptor = -1};
    dt_status status = prepare(&out);
    if (status == DT_OK)
        status = put_all(&out, layout, sections, count);
    if (status == DT_OK) {
        status = dt_file_finish(out.descriptor, path);
        out.descriptor = -1;
    }
    if (status == DT_OK)
        status = report(&out, checksums);
    if (out.descriptor >= 0)
        close(out.descriptor);
    dt_checksum_free(&out.whole);
    json_decref(out.tensors);
    return status;
}
