/*
 * A step of timed kernels is the step of the plain ones, bit for bit; every product of the model is counted
 * once, so that their FLOP are the model FLOP; the other kernels' bytes are those of docs/benchmarks.md; and
 * no time is counted twice, so that the parts of a step never last longer than the step.
 */
#include <stdlib.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "bench/profile.h"
#include "plan/timed_kernels.h"
#include "model/flop.h"
#include "support/small_harness.h"

#define STEPS 3

/* Two of the sides are the same, so that shapes do not tell products apart; the last micro-batch is shorter
 * than the others. */
static void describe(dt_config *config) {
    small_config(config, 13);
    config->n_layers = 2;
    config->d_ff = 96;
    config->gradient_dtype = DT_DTYPE_BF16;
}

static const dt_tensor *find_tensor(const void *step, const float *at) {
    return dt_step_tensor_at(step, at);
}

/* A harness whose kernels and step are timed. */
static void create_timed(dt_harness *harness, const dt_config *config, int threads) {
    assert_ok(dt_harness_create(harness, &world, config, threads));
    assert_ok(dt_spans_create(&harness->spans, DT_SPANS + dt_timed_kernels_rows(), harness->workers.threads));
    harness->gpt.kernels = dt_timed_kernels_of(harness->gpt.kernels, &harness->spans,
                                               (dt_timed_finder){find_tensor, harness->step});
}

static void timing_changes_no_bit(void **state) {
    (void)state;
    dt_config config;
    dt_harness plain, timed;
    dt_step_result expected, found;
    describe(&config);
    assert_ok(dt_harness_create(&plain, &world, &config, 1));
    create_timed(&timed, &config, 2);
    dt_spans_start(&timed.spans);
    expected = take_steps(&plain, STEPS);
    found = take_steps(&timed, STEPS);
    const size_t bytes = (size_t)plain.layout.elements * sizeof(float);
    assert_memory_equal(&expected.loss, &found.loss, sizeof found.loss);
    assert_memory_equal(plain.state.parameters, timed.state.parameters, bytes);
    assert_memory_equal(plain.state.exp_avg, timed.state.exp_avg, bytes);
    assert_memory_equal(plain.state.exp_avg_sq, timed.state.exp_avg_sq, bytes);
    dt_harness_free(&plain);
    dt_harness_free(&timed);
    dt_config_free(&config);
}

/* The sum of a number over all ranks. */
static double sum_over_ranks(double mine) {
    double *all = dt_memory_alloc(world.size, sizeof *all, "the ranks' numbers"), sum = 0.0;
    assert_non_null(all);
    all[world.rank] = mine;
    assert_ok(dt_world_gather_same(&world, all, (int64_t)sizeof *all));
    for (int r = 0; r < world.size; r++)
        sum += all[r];
    dt_memory_free(all);
    return sum;
}

static dt_span_total total_of(const dt_harness *harness, const char *name) {
    for (int64_t row = 0; row < dt_timed_kernels_rows(); row++)
        if (strcmp(dt_timed_kernels_name(row), name) == 0)
            return dt_spans_read(&harness->spans, DT_SPANS + row);
    fail_msg("there is no row \"%s\"", name);
    return (dt_span_total){0};
}

/* What a row of the kernels moves for a token, in arrays of `size` elements: of floats, and of operands,
 * which the compute dtype decides. */
static const struct moved {
    const char *row, *kernel, *pass, *dimension;
    double size;
    int64_t calls; /* for a micro-batch, or for a sequence of it */
    double floats, operands;
} moved[] = {{"embedding forward", "embedding", "forward ", "C", 32.0, 1, 3.0, 0.0},
             {"embedding backward", "embedding", "backward ", "C", 32.0, 1, 7.0, 0.0},
             {"layernorm forward", "layernorm", "forward ", "C", 32.0, 5, 1.0, 1.0},
             {"layernorm backward", "layernorm", "backward ", "C", 32.0, 5, 4.0, 0.0},
             {"attention forward", "attention", "forward ", "C", 32.0, 2, 0.0, 4.0},
             {"attention backward", "attention", "backward ", "C", 32.0, 2, 0.0, 8.0},
             {"gelu forward", "gelu", "forward ", "F", 96.0, 2, 0.0, 2.0},
             {"gelu backward", "gelu", "backward ", "F", 96.0, 2, 0.0, 4.0},
             {"dropout+residual forward", "dropout+residual", "forward ", "C", 32.0, 4, 3.0, 0.0},
             {"dropout+residual backward", "dropout+residual", "backward ", "C", 32.0, 4, 1.0, 1.0},
             {"loss", "loss", "", "V", 112.0, 1, 1.0, 1.0}};

#define MOVED (sizeof moved / sizeof *moved)

/* Parts of a call that a team has made add up to the whole, but for the rounding of the parts. */
static bool is(double found, double expected) {
    return fabs(found - expected) <= 1e-12 * fabs(expected);
}

/* The bytes of all ranks are those of the batch. */
static void expect_bytes(const dt_harness *harness, const dt_config *config) {
    const double tokens = (double)(config->batch_size * config->max_seq_len);
    const double operand = (double)harness->gpt.kernels->operand_bytes;
    for (size_t i = 0; i < MOVED; i++) {
        const struct moved *m = &moved[i];
        const double expected =
            tokens * (double)m->calls * m->size * (4.0 * m->floats + operand * m->operands);
        const double found = sum_over_ranks(total_of(harness, m->row).bytes);
        if (!is(found, expected))
            fail_msg("%s: expected %g bytes, found %g", m->row, expected, found);
    }
    /* x[n, 32] and dy[n, 96] of 7 micro-batches and 2 layers, and as many gradients of w[32, 96]. */
    const dt_span_total c_fc = total_of(harness, "c_fc dW");
    assert_true(is(sum_over_ranks(c_fc.flop), 2.0 * 2.0 * tokens * 32.0 * 96.0));
    assert_true(
        is(sum_over_ranks(c_fc.bytes), 2.0 * (operand * tokens * (32.0 + 96.0) + 4.0 * 7.0 * 32.0 * 96.0)));
    /* The head's logits are floats, made of operands. */
    assert_true(is(sum_over_ranks(total_of(harness, "head forward").bytes),
                   operand * (tokens * 32.0 + 7.0 * 32.0 * 99.0) + 4.0 * tokens * 99.0));
}

static void the_work_is_the_models(void **state) {
    (void)state;
    for (int64_t compute = DT_DTYPE_FP32; compute <= DT_DTYPE_BF16; compute++)
        /* Threads of several ranks would only take turns on a test's cores. */
        for (int threads = 1; threads <= (world.size == 1 ? 2 : 1); threads++) {
            dt_config config;
            dt_harness harness;
            dt_step_result result;
            double flop = 0.0;
            describe(&config);
            config.compute_dtype = compute;
            create_timed(&harness, &config, threads);
            dt_spans_start(&harness.spans);
            assert_ok(dt_harness_step(&harness, &result));
            for (int64_t row = 0; row < dt_timed_kernels_rows(); row++)
                flop += dt_spans_read(&harness.spans, DT_SPANS + row).flop;
            /* Two threads have a last wave of one micro-batch, a sequence, for which each calls. */
            const double twice = threads - 1;
            assert_true(is(sum_over_ranks(flop), dt_flop_step(&harness.layout, config.batch_size)));
            assert_true(sum_over_ranks((double)total_of(&harness, "head dX").calls) == 7.0 + twice);
            assert_true(sum_over_ranks((double)total_of(&harness, "layernorm backward").calls) ==
                        (7.0 + twice) * 5.0);
            assert_true(sum_over_ranks((double)total_of(&harness, "attention backward").calls) ==
                        (13.0 + twice) * 2.0);
            expect_bytes(&harness, &config);
            /* Of each matrix both panels are packed: 4 C C + 2 C F for a layer, and the head's V C. */
            const double matrices = 2.0 * (4.0 * 32.0 * 32.0 + 2.0 * 32.0 * 96.0) + 99.0 * 32.0;
            assert_true(dt_spans_read(&harness.spans, DT_SPAN_PACKING).bytes ==
                        (compute == DT_DTYPE_BF16 ? 2.0 * 6.0 * matrices : 0.0));
            dt_harness_free(&harness);
            dt_config_free(&config);
        }
}

/* The table of docs/benchmarks.md: the row of a kernel says what each of its passes moves, "forward 2 n F".
 */
static void the_docs_have_the_same_table(void **state) {
    (void)state;
    char *page;
    size_t length;
    assert_ok(dt_file_read(DTRAIN_SOURCE_DIR "/docs/benchmarks.md", 1 << 20, &page, &length));
    for (size_t i = 0; i < MOVED; i++) {
        const struct moved *m = &moved[i];
        char start[64], cell[64];
        snprintf(start, sizeof start, "\n| %s | ", m->kernel);
        snprintf(cell, sizeof cell, "%s%g n %s", m->pass, m->floats + m->operands, m->dimension);
        const char *line = strstr(page, start), *found = line ? strstr(line, cell) : NULL;
        if (found == NULL || found > strchr(line + 1, '\n'))
            fail_msg("docs/benchmarks.md: expected \"%s\" in the row of %s", cell, m->kernel);
    }
    free(page);
}

/* Of the spans of the step itself: what happened at all, and what of the vector each had to do with. */
static void expect_spans(const dt_harness *harness) {
    const double elements = (double)harness->layout.elements;
    const dt_spans *spans = &harness->spans;
    assert_int_equal(dt_spans_read(spans, DT_SPAN_BATCH).calls, 1);
    assert_int_equal(dt_spans_read(spans, DT_SPAN_LOSSES).calls, 1);
    assert_int_equal(dt_spans_read(spans, DT_SPAN_CONSENT).calls, 1);
    assert_true(dt_spans_read(spans, DT_SPAN_NORM).bytes == 4.0 * elements);
    assert_true(dt_spans_read(spans, DT_SPAN_ADAMW).bytes == 28.0 * elements);
    assert_int_equal(dt_spans_read(spans, DT_SPAN_ROUNDING).calls, world.size == 1);
    assert_int_equal(dt_spans_read(spans, DT_SPAN_ALLREDUCE).calls > 0, world.size > 1);
    /* 7 micro-batches are 6 additions on one rank; on more, some are made between ranks, in the allreduce. */
    const double additions = sum_over_ranks(dt_spans_read(spans, DT_SPAN_ADDITIONS).bytes) / 12.0 / elements;
    if (world.size == 1)
        assert_true(additions == 6.0);
    else
        assert_true(additions <= 6.0);
}

/* Spans of a thread do not overlap, and all lie within the step. */
static void parts_last_no_longer_than_the_step(void **state) {
    (void)state;
    /* Threads of several ranks would only take turns on a test's cores. */
    for (int threads = 1; threads <= (world.size == 1 ? 3 : 1); threads++) {
        dt_config config;
        dt_harness harness;
        dt_step_result result;
        describe(&config);
        create_timed(&harness, &config, threads);
        for (int step = 0; step < 20; step++) {
            double sum = 0.0;
            dt_spans_start(&harness.spans);
            assert_ok(dt_harness_step(&harness, &result));
            dt_spans_stop(&harness.spans);
            for (int64_t row = 0; row < harness.spans.rows; row++)
                sum += dt_spans_read(&harness.spans, row).seconds;
            assert_true(sum > 0.0 && sum <= result.step_seconds);
        }
        expect_spans(&harness);
        dt_harness_free(&harness);
        dt_config_free(&config);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(timing_changes_no_bit), cmocka_unit_test(the_work_is_the_models),
    cmocka_unit_test(the_docs_have_the_same_table), cmocka_unit_test(parts_last_no_longer_than_the_step)};

CMOCKA_MPI_MAIN(tests)
