/* Two buckets stand for all: those of full length have their pieces at the same places. */
#include "allreduce/pieces.h"

#include "allreduce/generator.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"

dt_status dt_pieces_create(dt_pieces *p, const dt_pieces_job *job, int64_t elements, int64_t bucket_floats) {
    DT_ASSERT(elements > 0 && bucket_floats > 0 && bucket_floats % DT_FORM_CHUNK_FLOATS == 0);
    const dt_generator_job planned = {.size = job->size,
                                      .hosts = job->hosts,
                                      .starts = job->starts,
                                      .micro_batches = job->micro_batches,
                                      .algorithm = job->algorithm,
                                      .form = DT_FORM_ALLGATHER};
    dt_generator generator;
    *p = (dt_pieces){.size = job->size, .elements = elements, .bucket_floats = bucket_floats};
    p->buckets = (elements + bucket_floats - 1) / bucket_floats;
    p->full = dt_memory_alloc(p->size, sizeof *p->full, "the pieces of the buckets");
    p->last = dt_memory_alloc(p->size, sizeof *p->last, "the pieces of the buckets");
    if (!p->full || !p->last)
        return DT_FAILED;
    dt_status status = dt_generator_create(&generator, &planned, 0);
    for (int r = 0; status == DT_OK && r < p->size; r++)
        if ((status = dt_generator_set_rank(&generator, r)) == DT_OK) {
            p->full[r] = dt_generator_piece(&generator, bucket_floats);
            p->last[r] = dt_generator_piece(&generator, elements - (p->buckets - 1) * bucket_floats);
        }
    dt_generator_free(&generator);
    return status;
}

void dt_pieces_free(dt_pieces *p) {
    dt_memory_free(p->full);
    dt_memory_free(p->last);
    *p = (dt_pieces){0};
}

dt_slice dt_pieces_of(const dt_pieces *p, int rank, int64_t bucket) {
    DT_ASSERT(rank >= 0 && rank < p->size && bucket >= 0 && bucket < p->buckets);
    dt_slice piece = bucket < p->buckets - 1 ? p->full[rank] : p->last[rank];
    piece.first += bucket * p->bucket_floats;
    return piece;
}

int64_t dt_pieces_before(const dt_pieces *p, int rank, int64_t element) {
    DT_ASSERT(element >= 0 && element <= p->elements);
    if (element == p->elements)
        return dt_pieces_floats(p, rank);
    const int64_t bucket = element / p->bucket_floats; /* those before it are full */
    const dt_slice piece = dt_pieces_of(p, rank, bucket);
    return bucket * p->full[rank].count + dt_min(dt_max(element - piece.first, 0), piece.count);
}

int64_t dt_pieces_floats(const dt_pieces *p, int rank) {
    DT_ASSERT(rank >= 0 && rank < p->size);
    return (p->buckets - 1) * p->full[rank].count + p->last[rank].count;
}
