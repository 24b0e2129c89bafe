/* After the gathering every rank has every micro-batch's values, and draws the same from them: the loss,
 * whoever asks to stop, and whether one rank started from another state. */
#include "support/cmocka_mpi.h"

#include "allreduce/tree.h"
#include "step/micro_batch_values.h"

enum { MICRO_BATCHES = 7, HOOK_VALUES = 2 };

static dt_micro_batch_values values;

static int set_up(void **unused) {
    (void)unused;
    assert_ok(dt_micro_batch_values_create(&values, &world, MICRO_BATCHES, HOOK_VALUES));
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    dt_micro_batch_values_free(&values);
    return 0;
}

/* Of which the sum depends on the order. */
static double loss_of(int64_t index) {
    return 1.0 / (double)(3 + index);
}

/* Fills this rank's rows in `step` and gathers, with this rank's reason to stop and hash. */
static dt_micro_batch_findings gather(int64_t step, int stop, uint64_t hash) {
    dt_micro_batch_findings found;
    int64_t first, end;
    dt_tree_run(MICRO_BATCHES, world.rank, world.size, &first, &end);
    for (int64_t i = first; i < end; i++) {
        *dt_micro_batch_values_loss(&values, i) = loss_of(i + step);
        for (int64_t v = 0; v < HOOK_VALUES; v++)
            dt_micro_batch_values_hooks(&values, i)[v] = (double)(100 * step + 10 * i + v);
    }
    assert_ok(dt_micro_batch_values_gather(&values, &world, stop, hash, &found));
    return found;
}

static void every_rank_has_all_values(void **unused) {
    (void)unused;
    for (int64_t step = 1; step < 4; step++) {
        const dt_micro_batch_findings found = gather(step, 0, 0);
        double loss[MICRO_BATCHES];
        for (int64_t i = 0; i < MICRO_BATCHES; i++) {
            loss[i] = loss_of(i + step);
            assert_true(*dt_micro_batch_values_loss(&values, i) == loss[i]);
            for (int64_t v = 0; v < HOOK_VALUES; v++)
                assert_true(dt_micro_batch_values_hooks(&values, 0)[i * values.stride + v] ==
                            (double)(100 * step + 10 * i + v));
        }
        /* The canonical tree over seven, written out. */
        assert_true(found.loss ==
                    ((loss[0] + loss[1]) + (loss[2] + loss[3])) + ((loss[4] + loss[5]) + loss[6]));
        assert_int_equal(found.stop, 0);
        assert_true(found.same_state);
    }
}

static void one_ranks_reason_to_stop_is_everybodys(void **unused) {
    (void)unused;
    for (int asked = 0; asked < world.size; asked++)
        assert_int_equal(gather(1, world.rank == asked ? 15 : 0, 0).stop, 15);
}

static void the_smallest_reason_to_stop_is_taken(void **unused) {
    (void)unused;
    assert_int_equal(gather(1, 2 + world.rank, 0).stop, 2);
    assert_int_equal(gather(1, 2 + world.size - world.rank, 0).stop, 3);
}

/* Also where its bits are those of a NaN, which is not equal to itself. */
static void one_bit_of_a_states_hash_is_seen(void **unused) {
    (void)unused;
    const uint64_t hashes[] = {0, UINT64_C(0x3ff0000000000000), UINT64_C(0x7ff8000000000001), UINT64_MAX};
    for (int h = 0; h < 4; h++) {
        assert_true(gather(1, 0, hashes[h]).same_state);
        for (int differing = 0; differing < world.size; differing++)
            assert_int_equal(gather(1, 0, hashes[h] ^ (world.rank == differing)).same_state, world.size == 1);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(every_rank_has_all_values, set_up, tear_down),
    cmocka_unit_test_setup_teardown(one_ranks_reason_to_stop_is_everybodys, set_up, tear_down),
    cmocka_unit_test_setup_teardown(the_smallest_reason_to_stop_is_taken, set_up, tear_down),
    cmocka_unit_test_setup_teardown(one_bit_of_a_states_hash_is_seen, set_up, tear_down)};

CMOCKA_MPI_MAIN(tests)
