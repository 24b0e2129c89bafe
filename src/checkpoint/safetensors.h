/**
 * The safetensors format: named tensors in one file, as Hugging Face defines it.
 *
 *     offset 0      uint64, little endian: N, the length of the header
 *     offset 8      N bytes of JSON, padded with spaces so that 8 + N is a multiple of 64:
 *                   {"__metadata__": {"format": "pt"},
 *                    "wte.weight": {"dtype": "F32", "shape": [99, 256], "data_offsets": [begin, end]}, ..}
 *     offset 8 + N  the data; offsets count bytes from here, row-major, little endian, without holes
 *
 * (Format: the README of the safetensors project.) A file written here holds the tensors of a layout, each
 * under a prefix, in the order of the table: a checkpoint's are F32, and other elements (base/element.h) are
 * for models that leave.
 */
#ifndef DT_CHECKPOINT_SAFETENSORS_H
#define DT_CHECKPOINT_SAFETENSORS_H

#include <jansson.h>
#include <stdint.h>

#include "base/element.h"
#include "base/status.h"
#include "model/layout.h"

/** One vector of a layout that goes into a file: its tensors are named prefix + the table's name. */
typedef struct dt_safetensors_section {
    const char *prefix; /**< "" or "exp_avg." */
    float *vector;      /**< [layout->elements], or NULL: it is not in memory */
} dt_safetensors_section;

/** Where the vectors come from that are not in memory. */
typedef struct dt_safetensors_source {
    /** Lends elements of the vector of section `section`, from `first` on, `*count` of them, until the next
     * call. Sections come one after another, and `first` rises. */
    dt_status (*give)(void *context, int section, int64_t first, const float **elements, int64_t *count);
    void *context;
} dt_safetensors_source;

/** Where they go. */
typedef struct dt_safetensors_sink {
    /** Takes `count` elements of the vector of section `section`, from `first` on: all of a tensor after one
     * another, tensors in any order, before what they should be is known. */
    dt_status (*take)(void *context, int section, int64_t first, const float *elements, int64_t count);
    void *context;
} dt_safetensors_sink;

/** A new string: how a file calls `section`'s `tensor`; the caller frees it. NULL when out of memory. Local.
 */
char *dt_safetensors_name(const dt_safetensors_section *section, const dt_tensor *tensor);

/**
 * Writes the sections as the new file `path`, durable, rounded to `element`; a number that would become
 * infinite by that fails, with its tensor's name. `*checksums` becomes a new JSON object, owned by the
 * caller, with hashes as hex digits (base/checksum.h):
 *
 *     {"bytes": file size, "xxh3_128": hash of the whole file, "tensors": {name: XXH3-64 of its data}}
 *
 * A failure may leave a part of the file behind. Local.
 */
dt_status dt_safetensors_write(const char *path, const dt_layout *layout,
                               const dt_safetensors_section *sections, int count, dt_element element,
                               json_t **checksums);

/** The same in F32, where vectors that are NULL come from `source`. Local. */
dt_status dt_safetensors_write_from(const char *path, const dt_layout *layout,
                                    const dt_safetensors_section *sections, int count,
                                    const dt_safetensors_source *source, json_t **checksums);

/**
 * Reads `path` into the sections' vectors and verifies it against `checksums` (as above), naming file and
 * tensor where they differ. The file must hold exactly the tensors that the layout and the prefixes name, in
 * any order, with their shapes. Nothing in the file is trusted: every length and offset is checked against
 * the file's size before it is used. Numbers that are not finite are refused too: nothing can be made of such
 * a model. With vectors that are NULL the file is verified only. Local.
 */
dt_status dt_safetensors_read(const char *path, const dt_layout *layout,
                              const dt_safetensors_section *sections, int count, const json_t *checksums);

/** The same, where vectors that are NULL go to `sink`. After a failure it may have taken wrong numbers.
 * Local. */
dt_status dt_safetensors_read_to(const char *path, const dt_layout *layout,
                                 const dt_safetensors_section *sections, int count, const json_t *checksums,
                                 const dt_safetensors_sink *sink);

#endif
