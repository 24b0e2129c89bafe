/**
 * The types in which files store the numbers of a model, and the way between them and floats.
 *
 * Widening is exact. Rounding is to nearest, ties to even, and keeps denormals (those of bfloat16 too, unlike
 * base/bf16.h, which computes): a number that was widened is rounded to the bits it had. All functions are
 * local.
 */
#ifndef DT_BASE_ELEMENT_H
#define DT_BASE_ELEMENT_H

#include <stddef.h>
#include <stdint.h>

typedef enum dt_element { DT_ELEMENT_FP32, DT_ELEMENT_FP16, DT_ELEMENT_BF16 } dt_element;

/** Their names at the index of their value, ended by NULL: a user's, safetensors', PyTorch's. */
extern const char *const dt_element_names[];
extern const char *const dt_element_safetensors[];
extern const char *const dt_element_torch[];

/** The element that `names`, one of the lists above, calls `name`; -1 when it is none. */
int dt_element_find(const char *const *names, const char *name);

/** Bytes of one. */
size_t dt_element_bytes(dt_element element);

/** The floats that `count` elements at `stored` stand for, which need no alignment. */
void dt_element_widen(dt_element element, float *values, const void *stored, int64_t count);

/** Rounds `count` floats, which must not be NaN, into `stored`. Returns the index of the first one that is
 * finite but becomes infinite, or -1. */
int64_t dt_element_round(dt_element element, void *stored, const float *values, int64_t count);

#endif
