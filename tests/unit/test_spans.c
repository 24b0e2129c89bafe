/* What spans add up to, and that nothing is measured where nobody asked for it. The clock is the test's own.
 */
#include "support/sentence.h"

#include <omp.h>

#include "step/spans.h"

#define THREADS 3

static double now_seconds;

double __wrap_dt_clock_seconds(void);

double __wrap_dt_clock_seconds(void) {
    return now_seconds;
}

static void a_row_adds_up_its_spans(void **state) {
    (void)state;
    dt_spans spans;
    assert_done(dt_spans_create(&spans, DT_SPANS + 2, THREADS));
    dt_spans_start(&spans);
    for (int i = 0; i < 3; i++) {
        now_seconds = 10.0;
        const double begun = dt_spans_begin(&spans);
        now_seconds = 12.0;
        dt_spans_end(&spans, DT_SPAN_ADAMW, begun, 100.0);
        dt_spans_count(&spans, DT_SPANS + 1, begun, 5.0, 7.0);
    }
    const dt_span_total adamw = dt_spans_read(&spans, DT_SPAN_ADAMW),
                        own = dt_spans_read(&spans, DT_SPANS + 1);
    assert_true(adamw.seconds == 6.0 && adamw.calls == 3);
    assert_true(adamw.bytes == 3.0 * 28.0 * 100.0); /* 7 floats of 4 bytes for an element */
    assert_true(own.seconds == 6.0 && own.flop == 15.0 && own.bytes == 21.0);
    assert_int_equal(dt_spans_read(&spans, DT_SPAN_NORM).calls, 0);
    assert_int_equal(dt_spans_read(&spans, DT_SPANS).calls, 0);
    dt_spans_start(&spans);
    assert_int_equal(dt_spans_read(&spans, DT_SPAN_ADAMW).calls, 0);
    dt_spans_free(&spans);
}

/* Threads that are all busy for two seconds make two seconds of a step, and one alone two thirds of one. */
static void a_thread_counts_its_part_of_the_step(void **state) {
    (void)state;
    dt_spans spans;
    assert_done(dt_spans_create(&spans, DT_SPANS, THREADS));
    dt_spans_start(&spans);
    now_seconds = 2.0;
    int team = 0;
#pragma omp parallel num_threads(THREADS)
    {
#pragma omp single
        team = omp_get_num_threads();
        dt_spans_end(&spans, DT_SPAN_ADDITIONS, 0.0, 8.0);
#pragma omp master
        dt_spans_end(&spans, DT_SPAN_ALLREDUCE, 0.0, 0.0);
    }
    assert_int_equal(team, THREADS);
    const dt_span_total all = dt_spans_read(&spans, DT_SPAN_ADDITIONS),
                        one = dt_spans_read(&spans, DT_SPAN_ALLREDUCE);
    assert_float_equal(all.seconds, 2.0, 1e-12);
    assert_int_equal(all.calls, THREADS);
    assert_true(all.bytes == THREADS * 8.0 * 12.0);
    assert_float_equal(one.seconds, 2.0 / THREADS, 1e-12);
    dt_spans_free(&spans);
}

static void nothing_is_measured_that_is_not_asked_for(void **state) {
    (void)state;
    dt_spans spans;
    assert_done(dt_spans_create(&spans, DT_SPANS, 1));
    now_seconds = 3.0;
    assert_true(dt_spans_begin(NULL) == 0.0 && dt_spans_begin(&spans) == 0.0);
    dt_spans_end(NULL, DT_SPAN_NORM, 0.0, 1.0);
    dt_spans_end(&spans, DT_SPAN_NORM, 0.0, 1.0);
    dt_spans_start(&spans);
    dt_spans_end(&spans, DT_SPAN_NORM, dt_spans_begin(&spans), 1.0);
    dt_spans_stop(&spans);
    dt_spans_end(&spans, DT_SPAN_NORM, 0.0, 1.0);
    assert_int_equal(dt_spans_read(&spans, DT_SPAN_NORM).calls, 1);
    dt_spans_free(&spans);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_adds_up_its_spans),
        cmocka_unit_test(a_thread_counts_its_part_of_the_step),
        cmocka_unit_test(nothing_is_measured_that_is_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
