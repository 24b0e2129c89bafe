/* Rounding, and nothing else. */
#include "allreduce/buckets.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "base/plural.h"

int64_t dt_buckets_floats(int64_t bucket_bytes, dt_form form, int size) {
    DT_ASSERT(bucket_bytes > 0 && size > 0);
    const int64_t unit = dt_form_unit(form), min = form == DT_FORM_ALLREDUCE ? unit : unit * size;
    return dt_max(bucket_bytes / (int64_t)sizeof(float) / unit * unit, min);
}

int64_t dt_buckets_count(int64_t elements, int64_t floats) {
    return elements / floats + (elements % floats != 0);
}

dt_status dt_buckets_cut(int64_t elements, int64_t bucket_bytes, dt_form form, int size, int64_t **bounds,
                         int64_t *buckets) {
    DT_ASSERT(elements > 0);
    const int64_t floats = dt_buckets_floats(bucket_bytes, form, size);
    *buckets = dt_buckets_count(elements, floats);
    *bounds = calloc((size_t)*buckets + 1, sizeof **bounds);
    if (*bounds == NULL)
        return dt_fail("out of memory for %" PRId64 " bucket%s; use a larger bucket_bytes", *buckets,
                       dt_plural_s(*buckets));
    for (int64_t b = 0; b <= *buckets; b++)
        (*bounds)[b] = b < *buckets ? b * floats : elements;
    return DT_OK;
}
