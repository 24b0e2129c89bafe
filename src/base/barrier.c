/* A counter for those who come, a number for how often all have come, and a condition to sleep on. */
#include "base/barrier.h"

#include "base/assert.h"

/* Some 20 us: about as long as it takes to wake a thread that sleeps. */
#define LOOKS 400

static inline void pause_a_moment(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("isb" ::: "memory");
#endif
}

dt_status dt_barrier_create(dt_barrier *barrier, bool spins) {
    atomic_init(&barrier->arrived, 0);
    atomic_init(&barrier->round, 0);
    barrier->looks = spins ? LOOKS : 0;
    if (pthread_mutex_init(&barrier->mutex, NULL) != 0)
        return dt_fail("the system gives no mutex for threads to wait at");
    if (pthread_cond_init(&barrier->all_came, NULL) != 0) {
        pthread_mutex_destroy(&barrier->mutex);
        return dt_fail("the system gives no condition for threads to wait at");
    }
    return DT_OK;
}

/* The last one: lets the others go. Under the mutex, or one that is about to sleep would miss it. */
static void release(dt_barrier *barrier, unsigned round) {
    atomic_store(&barrier->arrived, 0);
    pthread_mutex_lock(&barrier->mutex);
    atomic_store(&barrier->round, round + 1);
    pthread_mutex_unlock(&barrier->mutex);
    pthread_cond_broadcast(&barrier->all_came);
}

void dt_barrier_wait(dt_barrier *barrier, int threads) {
    DT_ASSERT(threads > 0);
    const unsigned round = atomic_load(&barrier->round);
    if (atomic_fetch_add(&barrier->arrived, 1) + 1 == threads) {
        release(barrier, round);
        return;
    }
    for (int look = 0; look < barrier->looks; look++) {
        if (atomic_load(&barrier->round) != round)
            return;
        pause_a_moment();
    }
    pthread_mutex_lock(&barrier->mutex);
    while (atomic_load(&barrier->round) == round)
        pthread_cond_wait(&barrier->all_came, &barrier->mutex);
    pthread_mutex_unlock(&barrier->mutex);
}

void dt_barrier_free(dt_barrier *barrier) {
    pthread_cond_destroy(&barrier->all_came);
    pthread_mutex_destroy(&barrier->mutex);
}
