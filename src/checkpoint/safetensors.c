/* Writing: the header first, then every tensor straight from its vector. Reading is safetensors_read.c. */
#include "checkpoint/safetensors.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/minmax.h"

#define HEADER_ALIGN 64

/* Numbers that are rounded and written at a time. */
#define PIECE_ELEMENTS ((int64_t)1 << 16)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vectors go to disk as they lie in memory");

/* A file being written: what goes into its checksums goes through put(). */
typedef struct writer {
    const char *path;
    dt_element element;
    const dt_safetensors_source *source; /* of vectors that are not in memory, or NULL */
    int descriptor;
    int64_t bytes;
    char *piece; /* [PIECE_ELEMENTS] of the element */
    dt_checksum whole;
    json_t *tensors; /* name -> digits */
} writer;

static dt_status no_memory(const char *path) {
    return dt_fail("out of memory while writing %s", path);
}

/* One tensor's entry of the header. A tensor of one dimension has a shape of one number. */
static json_t *make_entry(const dt_tensor *tensor, dt_element element, int64_t begin) {
    json_t *shape = tensor->dims == 1 ? json_pack("[I]", (json_int_t)tensor->cols)
                                      : json_pack("[II]", (json_int_t)tensor->rows, (json_int_t)tensor->cols);
    int64_t end = begin + tensor->count * (int64_t)dt_element_bytes(element);
    return json_pack("{s:s, s:o, s:[II]}", "dtype", dt_element_safetensors[element], "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static json_t *make_header(const dt_layout *layout, const dt_safetensors_section *sections, int count,
                           dt_element element) {
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    bool complete = header != NULL;
    int64_t begin = 0;
    for (int p = 0; complete && p < count; p++)
        for (int64_t t = 0; complete && t < layout->tensors; t++) {
            const dt_tensor *tensor = &layout->tensor[t];
            char *name = dt_safetensors_name(&sections[p], tensor);
            complete =
                name != NULL && json_object_set_new(header, name, make_entry(tensor, element, begin)) == 0;
            free(name);
            begin += tensor->count * (int64_t)dt_element_bytes(element);
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

static dt_status put_and_add(writer *out, const void *elements, int64_t count, dt_checksum *checksum) {
    const size_t length = (size_t)count * dt_element_bytes(out->element);
    dt_checksum_add(checksum, elements, length);
    return put(out, elements, length);
}

/* The tensor's elements as they are stored: floats as they lie in memory, others a piece at a time. */
static dt_status put_elements(writer *out, const char *name, const dt_tensor *tensor, const float *values,
                              dt_checksum *checksum) {
    if (out->element == DT_ELEMENT_FP32)
        return put_and_add(out, values, tensor->count, checksum);
    for (int64_t first = 0; first < tensor->count; first += PIECE_ELEMENTS) {
        const int64_t piece = dt_min(tensor->count - first, PIECE_ELEMENTS);
        const int64_t beyond = dt_element_round(out->element, out->piece, values + first, piece);
        if (beyond >= 0)
            return dt_fail("cannot write %s: tensor %s holds %.9g, at [%" PRId64 ",%" PRId64
                           "], which is beyond the largest number of %s; use another --dtype",
                           out->path, name, (double)values[first + beyond], (first + beyond) / tensor->cols,
                           (first + beyond) % tensor->cols, dt_element_names[out->element]);
        DT_TRY(put_and_add(out, out->piece, piece, checksum));
    }
    return DT_OK;
}

/* The same of a vector that is not in memory: as much at a time as its source lends. */
static dt_status put_lent(writer *out, int section, const dt_tensor *tensor, dt_checksum *checksum) {
    for (int64_t done = 0, count; done < tensor->count; done += count) {
        const float *elements;
        DT_TRY(out->source->give(out->source->context, section, tensor->offset + done, &elements, &count));
        count = dt_min(count, tensor->count - done);
        DT_TRY(put_and_add(out, elements, count, checksum));
    }
    return DT_OK;
}

static dt_status put_tensor(writer *out, const dt_safetensors_section *sections, int p,
                            const dt_tensor *tensor) {
    char digits[DT_CHECKSUM_TEXT_BYTES], *name = dt_safetensors_name(&sections[p], tensor);
    dt_checksum checksum;
    dt_status status = name ? dt_checksum_create(&checksum, 64) : no_memory(out->path);
    if (status == DT_OK) {
        status = sections[p].vector
                     ? put_elements(out, name, tensor, sections[p].vector + tensor->offset, &checksum)
                     : put_lent(out, p, tensor, &checksum);
        dt_checksum_text(&checksum, digits);
        dt_checksum_free(&checksum);
    }
    if (status == DT_OK && json_object_set_new(out->tensors, name, json_string(digits)) != 0)
        status = no_memory(out->path);
    free(name);
    return status;
}

static dt_status put_all(writer *out, const dt_layout *layout, const dt_safetensors_section *sections,
                         int count) {
    size_t length = 0;
    json_t *header = make_header(layout, sections, count, out->element);
    char *text = header == NULL ? NULL : print_header(header, &length);
    json_decref(header);
    dt_status status = text == NULL ? no_memory(out->path) : put(out, text, length);
    free(text);
    for (int p = 0; p < count; p++)
        for (int64_t t = 0; status == DT_OK && t < layout->tensors; t++)
            status = put_tensor(out, sections, p, &layout->tensor[t]);
    return status;
}

static dt_status prepare(writer *out) {
    DT_TRY(dt_checksum_create(&out->whole, 128));
    out->tensors = json_object();
    out->piece =
        dt_memory_alloc(PIECE_ELEMENTS, dt_element_bytes(out->element), "a piece of a safetensors file");
    if (out->piece == NULL)
        return DT_FAILED;
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

static dt_status write_file(const char *path, const dt_layout *layout, const dt_safetensors_section *sections,
                            int count, dt_element element, const dt_safetensors_source *source,
                            json_t **checksums) {
    writer out = {.path = path, .element = element, .source = source, .descriptor = -1};
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
    dt_memory_free(out.piece);
    json_decref(out.tensors);
    return status;
}

dt_status dt_safetensors_write(const char *path, const dt_layout *layout,
                               const dt_safetensors_section *sections, int count, dt_element element,
                               json_t **checksums) {
    return write_file(path, layout, sections, count, element, NULL, checksums);
}

dt_status dt_safetensors_write_from(const char *path, const dt_layout *layout,
                                    const dt_safetensors_section *sections, int count,
                                    const dt_safetensors_source *source, json_t **checksums) {
    return write_file(path, layout, sections, count, DT_ELEMENT_FP32, source, checksums);
}
