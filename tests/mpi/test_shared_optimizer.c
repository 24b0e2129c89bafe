/* Pieces of a vector on several ranks: their sum, their norm, what is made of them, and how it comes back. */
#include "support/cmocka_mpi.h"

#include <omp.h>
#include <string.h>

#include "allreduce/allreduce.h"
#include "allreduce/buckets.h"
#include "base/memory.h"
#include "optim/clip.h"
#include "optim/moments.h"
#include "optim/shared_norm.h"
#include "step/arrival.h"

/* Numbers of all sizes, so that another order of additions shows. */
static float number(int64_t element, int64_t seed) {
    const uint64_t mixed =
        (uint64_t)(element + 1) * 0x9e3779b97f4a7c15u + (uint64_t)seed * 0xbf58476d1ce4e5b9u;
    const float small = (float)(mixed >> 40) / (float)(1 << 24) - 0.5f;
    return small * (float)(1 << (mixed % 19));
}

static const dt_allreduce_options every_option[] = {
    {.algorithm = DT_ALGORITHM_FLAT},         {.algorithm = DT_ALGORITHM_AUTO, .host_ranks = 2},
    {.algorithm = DT_ALGORITHM_HIERARCHICAL}, {.algorithm = DT_ALGORITHM_HIERARCHICAL, .host_ranks = 2},
    {.algorithm = DT_ALGORITHM_LIBRARY},
};
#define OPTIONS (sizeof every_option / sizeof *every_option)

/* Buckets: one that no rank's chunks fill, many, and a last one that is a part of a chunk. */
static const int64_t lengths[] = {16, 5 * 1024, 40 * 1024 + 48, 100 * 1024};

static float *new_vector(int64_t elements) {
    float *vector = dt_memory_alloc(elements, sizeof *vector, "a vector");
    assert_non_null(vector);
    return vector;
}

/* Sums vectors of all ranks into the pieces of `m`. */
static void sum_pieces(const dt_moments *m, int64_t elements, float *mine) {
    dt_allreduce *scatter;
    float *nodes[1] = {mine};
    assert_int_equal(m->options.form, DT_FORM_REDUCE_SCATTER);
    assert_ok(
        dt_allreduce_create(&scatter, &world, world.size, elements, m->bounds, m->buckets, &m->options));
    for (int64_t b = m->buckets - 1; b >= 0; b--)
        assert_ok(dt_allreduce_start(scatter, b, nodes, mine));
    assert_ok(dt_allreduce_finish(scatter));
    dt_allreduce_free(scatter);
}

/* The whole sum, by an allreduce. */
static float *sum_whole(int64_t elements, const float *mine, dt_algorithm algorithm) {
    const int64_t bounds[] = {0, elements};
    const dt_allreduce_options options = {.algorithm = algorithm};
    float *sum = new_vector(elements), *nodes[1] = {sum};
    dt_allreduce *allreduce;
    memcpy(sum, mine, (size_t)elements * sizeof *sum);
    assert_ok(dt_allreduce_create(&allreduce, &world, world.size, elements, bounds, 1, &options));
    assert_ok(dt_allreduce_start(allreduce, 0, nodes, sum));
    assert_ok(dt_allreduce_finish(allreduce));
    dt_allreduce_free(allreduce);
    return sum;
}

/* The norm of the pieces has the bits of the whole's, and so has the sum of its bits. */
static void check_norm(const dt_moments *m, const float *pieces, const float *whole, int64_t elements) {
    dt_shared_norm norm;
    double *partial = dt_memory_alloc(dt_clip_chunks(elements), sizeof *partial, "partial norms");
    uint64_t bits, expected_bits;
    double value;
    assert_non_null(partial);
    assert_ok(dt_shared_norm_create(&norm, &world, dt_allreduce_pieces(m->gather)));
    for (int threads = 1; threads <= (world.size > 2 ? 1 : 2); threads++) {
        omp_set_num_threads(threads);
        assert_ok(dt_shared_norm_of(&norm, pieces, &value, &bits));
    }
    const double expected = dt_clip_norm(whole, elements, partial, &expected_bits);
    assert_memory_equal(&value, &expected, sizeof value);
    assert_int_equal(bits, expected_bits);
    dt_shared_norm_free(&norm);
    dt_memory_free(partial);
}

/* From the pieces alone, every rank gets the whole vector back: as a pass asks for it, or all at once. */
static void check_arrival(const dt_moments *m, const float *whole, int64_t elements) {
    const dt_pieces *pieces = dt_allreduce_pieces(m->gather);
    dt_overlap_times times = {0};
    dt_arrival *arrival;
    float *weights = new_vector(elements);
    assert_ok(dt_arrival_create(&arrival, m, weights, NULL, NULL));
    for (int round = 0; round < 3; round++) {
        for (int64_t e = 0; e < elements; e++)
            weights[e] = -1.0f;
        for (int64_t b = 0; b < pieces->buckets; b++) {
            const dt_slice own = dt_pieces_of(pieces, world.rank, b);
            memcpy(weights + own.first, whole + own.first, (size_t)own.count * sizeof *weights);
        }
        assert_ok(dt_arrival_start(arrival));
        const dt_weights_arrival *await = dt_arrival_await(arrival);
        int wrong = 0;
#pragma omp parallel num_threads(world.size > 2 ? 1 : 3) reduction(+ : wrong)
        for (int64_t end = 0; round > 0 && end <= elements; end += 16 * 37) {
            await->await(await->context, end);
            for (int64_t e = 0; e < end; e += 5)
                wrong += memcmp(&weights[e], &whole[e], sizeof *weights) != 0;
        }
        assert_int_equal(wrong, 0);
        assert_true(dt_arrival_is_under_way(arrival));
        assert_ok(dt_arrival_finish(arrival, &times));
        assert_false(dt_arrival_is_under_way(arrival));
        assert_memory_equal(weights, whole, (size_t)elements * sizeof *weights);
    }
    assert_true(times.exposed >= 0.0 && times.total >= times.exposed);
    dt_arrival_free(arrival);
    dt_memory_free(weights);
}

/* Where elements stand in a vector of a rank's pieces alone. */
static void check_offsets(const dt_pieces *pieces) {
    for (int r = 0; r < pieces->size; r++) {
        int64_t before = 0;
        for (int64_t b = 0; b < pieces->buckets; b++) {
            const dt_slice piece = dt_pieces_of(pieces, r, b);
            assert_int_equal(dt_pieces_before(pieces, r, piece.first), before);
            if (piece.count > 0)
                assert_int_equal(dt_pieces_before(pieces, r, piece.first + piece.count - 1),
                                 before + piece.count - 1);
            before += piece.count;
        }
        assert_int_equal(dt_pieces_before(pieces, r, pieces->elements), before);
    }
}

static void pieces_are_the_whole(void **state) {
    (void)state;
    for (size_t o = 0; o < OPTIONS; o++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            const int64_t elements = lengths[l];
            dt_moments moments;
            float *mine = new_vector(elements);
            for (int64_t e = 0; e < elements; e++)
                mine[e] = number(e, world.rank + (int64_t)l);
            assert_ok(dt_moments_create(&moments, &world, world.size, elements, 4096, &every_option[o]));
            float *whole = sum_whole(elements, mine,
                                     every_option[o].algorithm == DT_ALGORITHM_LIBRARY ? DT_ALGORITHM_LIBRARY
                                                                                       : DT_ALGORITHM_FLAT);
            sum_pieces(&moments, elements, mine);
            const dt_pieces *pieces = dt_allreduce_pieces(moments.gather);
            int64_t all = 0;
            for (int r = 0; r < world.size; r++)
                all += dt_pieces_floats(pieces, r);
            assert_int_equal(all, elements);
            check_offsets(pieces);
            for (int64_t b = 0; b < pieces->buckets && every_option[o].algorithm != DT_ALGORITHM_LIBRARY;
                 b++) {
                const dt_slice own = dt_pieces_of(pieces, world.rank, b);
                assert_memory_equal(mine + own.first, whole + own.first, (size_t)own.count * sizeof *mine);
            }
            if (every_option[o].algorithm != DT_ALGORITHM_LIBRARY)
                check_norm(&moments, mine, whole, elements);
            check_arrival(&moments, whole, elements);
            dt_moments_free(&moments);
            dt_memory_free(whole);
            dt_memory_free(mine);
        }
}

/* Rank 0 deals elements as a file has them, tensor by tensor in any order, and each rank has its own after.
 */
static void moments_are_dealt(void **state) {
    (void)state;
    const dt_shape shape = {.n_layers = 2, .C = 64, .H = 2, .F = 128, .T = 32, .V = 99};
    dt_layout layout;
    dt_moments moments;
    dt_state mine;
    assert_ok(dt_layout_create(&layout, shape));
    assert_ok(dt_moments_create(&moments, &world, world.size, layout.elements, 8192, &every_option[1]));
    assert_ok(dt_moments_create_state(&moments, &mine, &layout));
    float *elements = new_vector(layout.elements);
    for (int vector = 0; world.rank == 0 && vector < 2; vector++)
        for (int64_t t = layout.tensors - 1; t >= 0; t--) {
            const dt_tensor *tensor = &layout.tensor[t];
            for (int64_t e = 0; e < tensor->count; e++)
                elements[e] = number(tensor->offset + e, vector + 1);
            assert_ok(dt_moments_deal(&moments, &mine, vector, tensor->offset, elements, tensor->count));
        }
    assert_ok(world.rank == 0 ? dt_moments_deal_end(&moments) : dt_moments_receive(&moments, &mine));
    for (int64_t t = 0, dealt = 0; t < layout.tensors; t++, dealt = 0) {
        const dt_tensor *tensor = &layout.tensor[t];
        for (int64_t r = 0, at = 0; r < mine.runs; at += mine.run[r++].count)
            for (int64_t i = 0; i < mine.run[r].count; i++) {
                const int64_t e = mine.run[r].first + i;
                const float expected[] = {number(e, 1), number(e, 2)};
                if (e < tensor->offset || e >= tensor->offset + tensor->count)
                    continue;
                assert_memory_equal(&mine.exp_avg[at + i], &expected[0], sizeof *expected);
                assert_memory_equal(&mine.exp_avg_sq[at + i], &expected[1], sizeof *expected);
                dealt++;
            }
        assert_true(world.size > 1 || dealt == tensor->count);
    }
    dt_memory_free(elements);
    dt_state_free(&mine);
    dt_moments_free(&moments);
    dt_layout_free(&layout);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_are_the_whole),
                                          cmocka_unit_test(moments_are_dealt)};

CMOCKA_MPI_MAIN(tests)
