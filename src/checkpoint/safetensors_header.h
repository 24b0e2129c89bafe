/**
 * The header of a safetensors file (checkpoint/safetensors.h): what the file says it holds, and whether that
 * can be. Nothing in it is believed before every length and offset is checked against the file's size.
 *
 * Private to the checkpoint's own files.
 */
#ifndef DT_CHECKPOINT_SAFETENSORS_HEADER_H
#define DT_CHECKPOINT_SAFETENSORS_HEADER_H

#include <jansson.h>
#include <stdint.h>

#include "base/checksum.h"
#include "base/element.h"
#include "base/status.h"
#include "model/layout.h"

/** The entry of the header that is none of a tensor. */
#define DT_SAFETENSORS_ABOUT "__metadata__"

typedef struct dt_safetensors_header {
    const char *path;   /**< the caller's, for sentences */
    int64_t data_start; /**< the byte of the file that offsets count from */
    int64_t data_bytes;
    json_t *entries; /**< name -> {"dtype", "shape", "data_offsets"}, and perhaps DT_SAFETENSORS_ABOUT */
} dt_safetensors_header;

/** Where the elements of a tensor are: bytes from the start of the data. */
typedef struct dt_safetensors_extent {
    dt_element element;
    int64_t begin, end;
} dt_safetensors_extent;

/**
 * Reads the header of the open file at `path` (which must outlive it) of `size_bytes`. One that claims to be
 * longer than `limit_bytes` is refused. The bytes read enter `checksum`, which may be NULL. The caller frees
 * the header, after a failure too. Local.
 */
dt_status dt_safetensors_header_read(dt_safetensors_header *header, int descriptor, const char *path,
                                     int64_t size_bytes, int64_t limit_bytes, dt_checksum *checksum);

/** Frees what the header holds. Local. */
void dt_safetensors_header_free(dt_safetensors_header *header);

/**
 * What the header says of the tensor `name`, which must be there with the shape of `tensor`, in an element
 * that `elements` (dt_element_safetensors, or fewer of its names) lists, and with as many bytes within the
 * data. Local.
 */
dt_status dt_safetensors_header_find(const dt_safetensors_header *header, const char *name,
                                     const dt_tensor *tensor, const char *const *elements,
                                     dt_safetensors_extent *extent);

/** Fails unless DT_SAFETENSORS_ABOUT, where there is one, is an object of strings. Local. */
dt_status dt_safetensors_header_expect_about(const dt_safetensors_header *header);

/** Fails unless the tensors of the header fill the data, each beginning where the one before it ends. Local.
 */
dt_status dt_safetensors_header_expect_cover(const dt_safetensors_header *header);

#endif
