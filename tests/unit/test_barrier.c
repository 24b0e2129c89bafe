/* Nobody leaves a barrier before all have come, whether they look or sleep, round after round. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/barrier.h"
#include "support/sentence.h"

enum { THREADS = 5, ROUNDS = 400 };

static dt_barrier barrier;
static int threads;          /* that meet */
static int written[THREADS]; /* in which round each was last */
static int behind[THREADS];  /* how often each found another behind */

/* Plain reads and writes: the barriers alone keep them apart. */
static void *go_round(void *given) {
    const int own = (int)(intptr_t)given;
    for (int round = 1; round <= ROUNDS; round++) {
        written[own] = round;
        dt_barrier_wait(&barrier, threads);
        for (int t = 0; t < threads; t++)
            behind[own] += written[t] != round;
        dt_barrier_wait(&barrier, threads);
    }
    return NULL;
}

static void run(int count) {
    pthread_t thread[THREADS];
    threads = count;
    for (int t = 0; t < count; t++)
        behind[t] = 0;
    for (int t = 1; t < count; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, go_round, (void *)(intptr_t)t), 0);
    (void)go_round((void *)(intptr_t)0);
    for (int t = 1; t < count; t++)
        assert_int_equal(pthread_join(thread[t], NULL), 0);
    for (int t = 0; t < count; t++)
        assert_int_equal(behind[t], 0);
}

/* One barrier serves more threads and fewer, one after the other. */
static void all_come_before_any_leaves(void **state) {
    (void)state;
    for (int spins = 0; spins <= 1; spins++) {
        assert_done(dt_barrier_create(&barrier, spins));
        for (int count = 1; count <= THREADS; count++)
            run(count);
        run(2);
        dt_barrier_free(&barrier);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_come_before_any_leaves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
