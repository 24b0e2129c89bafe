/*
 * A rank's schedule, played with numbers in place of gradients: whatever the run of micro-batches and the
 * threads, the buffers of the cover end with the sums that the canonical tree defines, and no buffer is
 * written to while its content counts.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/micro_batch_sums.h"
#include "step/micro_batches.h"

#define MICRO_BATCHES_MAX 24
#define THREADS_MAX       5

/* One buffer while a schedule is played: the micro-batches [first, end) summed, or nothing that counts. */
typedef struct buffer {
    bool used;
    int64_t first, end;
    float sum;
} buffer;

static void play_wave(const dt_micro_batches *schedule, int64_t wave, buffer *buffers) {
    const int64_t run = schedule->end - schedule->first, from = wave * schedule->wave_micro_batches;
    for (int64_t i = from; i < run && i < from + schedule->wave_micro_batches; i++) {
        assert_in_range(schedule->buffer[i], 0, schedule->buffers - 1);
        buffer *b = &buffers[schedule->buffer[i]];
        assert_false(b->used);
        *b = (buffer){true, schedule->first + i, schedule->first + i + 1,
                      micro_batch_value(schedule->first + i)};
    }
    for (int64_t a = wave > 0 ? schedule->wave_adds_end[wave - 1] : 0; a < schedule->wave_adds_end[wave];
         a++) {
        buffer *into = &buffers[schedule->add[a].into], *other = &buffers[schedule->add[a].from];
        assert_true(into->used && other->used && into != other);
        assert_int_equal(into->end, other->first);
        into->end = other->end;
        into->sum += other->sum;
        other->used = false;
    }
}

/* Plays one schedule to its end and compares what remains with the cover. */
static void check_schedule(int64_t micro_batches, int64_t first, int64_t end, int threads) {
    dt_micro_batches schedule;
    buffer buffers[MICRO_BATCHES_MAX] = {{0}};
    dt_tree_node cover[DT_TREE_COVER_MAX];
    assert_int_equal(dt_micro_batches_schedule(&schedule, micro_batches, first, end, threads), DT_OK);
    assert_in_range(schedule.buffers, 1, end - first);
    assert_int_equal(schedule.wave_micro_batches, threads);
    for (int64_t wave = 0; wave < schedule.waves; wave++)
        play_wave(&schedule, wave, buffers);
    assert_int_equal(schedule.cover_count, dt_tree_cover(micro_batches, first, end, cover));
    for (int64_t c = 0; c < schedule.cover_count; c++) {
        buffer *b = &buffers[schedule.cover_buffer[c]];
        const float expected = sum_by_definition(cover[c].first, cover[c].end);
        assert_true(b->used);
        assert_int_equal(b->first, cover[c].first);
        assert_int_equal(b->end, cover[c].end);
        assert_memory_equal(&b->sum, &expected, sizeof expected);
        b->used = false;
    }
    for (int64_t b = 0; b < schedule.buffers; b++)
        assert_false(buffers[b].used); /* no micro-batch is left out of the cover */
    dt_micro_batches_free(&schedule);
}

/* For every run of micro-batches and every number of threads: the cover's buffers hold the tree's sums. */
static void ends_with_the_sums_of_the_cover(void **state) {
    (void)state;
    for (int64_t micro_batches = 1; micro_batches <= MICRO_BATCHES_MAX; micro_batches++)
        for (int64_t first = 0; first < micro_batches; first++)
            for (int64_t end = first + 1; end <= micro_batches; end++)
                for (int threads = 1; threads <= THREADS_MAX; threads++)
                    check_schedule(micro_batches, first, end, threads);
}

static int64_t log2_above(int64_t count) {
    int64_t log = 0;
    while ((int64_t)1 << log < count)
        log++;
    return log;
}

/*
 * buffers <= threads + the subtrees that can stand unfinished. A run from micro-batch 0 has one of each size
 * at most, which is log2(micro-batches); a run from the middle also has those on the rise to its largest
 * subtree, as many again.
 */
static void needs_few_buffers(void **state) {
    (void)state;
    const int64_t many[] = {1, 2, 3, 5, 8, 13, 64, 100, 255, 256, 1000};
    for (size_t m = 0; m < sizeof many / sizeof *many; m++)
        for (int threads = 1; threads <= THREADS_MAX; threads++)
            for (int64_t first = 0; first < many[m]; first += 1 + many[m] / 7) {
                dt_micro_batches schedule;
                const int64_t log = log2_above(many[m]);
                assert_int_equal(dt_micro_batches_schedule(&schedule, many[m], first, many[m], threads),
                                 DT_OK);
                assert_true(schedule.buffers <= threads + (first == 0 ? log : 2 * log));
                dt_micro_batches_free(&schedule);
            }
}

/*
 * Where micro-batches and threads are powers of two, as docs/architecture.md says: a wave's buffers, and one
 * for each level of the tree above a wave, the k of a walk down it; a single wave takes as many as it has
 * micro-batches.
 */
static void a_power_of_two_takes_its_depth(void **state) {
    (void)state;
    for (int t = 0; t <= 5; t++)
        for (int k = 0; k <= 10; k++) {
            dt_micro_batches schedule;
            const int64_t micro_batches = (int64_t)1 << k;
            const int threads = 1 << t;
            assert_int_equal(dt_micro_batches_schedule(&schedule, micro_batches, 0, micro_batches, threads),
                             DT_OK);
            assert_int_equal(schedule.buffers, k <= t ? micro_batches : threads + k - t);
            dt_micro_batches_free(&schedule);
        }
    dt_micro_batches schedule;
    assert_int_equal(dt_micro_batches_schedule(&schedule, 14, 0, 14, 7), DT_OK);
    assert_int_equal(schedule.buffers, 10);
    dt_micro_batches_free(&schedule);
}

static void frees_what_was_never_created(void **state) {
    (void)state;
    dt_micro_batches schedule = {0};
    dt_micro_batches_free(&schedule);
    dt_micro_batches_free(&schedule);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_with_the_sums_of_the_cover), cmocka_unit_test(needs_few_buffers),
        cmocka_unit_test(a_power_of_two_takes_its_depth), cmocka_unit_test(frees_what_was_never_created)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
