/**
 * A model of one or two layers with all that a run has: small buckets, so that many are under way, and
 * dropout, so that slots must stay whose they are. For tests that take steps with plan/harness.h.
 */
#ifndef DT_TESTS_SMALL_HARNESS_H
#define DT_TESTS_SMALL_HARNESS_H

#include "plan/harness.h"
#include "support/cmocka_mpi.h"

/** Options for `batch_size` sequences, to be changed further and freed by the caller. */
static inline void small_config(dt_config *config, int64_t batch_size) {
    assert_ok(dt_config_init(config));
    config->n_layers = 1;
    config->d_model = 32;
    config->n_heads = 2;
    config->d_ff = 64;
    config->max_seq_len = 16;
    config->batch_size = batch_size;
    config->micro_batch_size = 2;
    config->bucket_bytes = 4096;
}

/** Takes steps, which must count, and returns the last one's result. Collective. */
static inline dt_step_result take_steps(dt_harness *harness, int steps) {
    dt_step_result result = {0};
    for (int i = 0; i < steps; i++) {
        assert_ok(dt_harness_step(harness, &result));
        assert_int_equal(result.outcome, DT_STEP_TAKEN);
    }
    return result;
}

#endif
