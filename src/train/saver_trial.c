/* One verdict at a time. */
#include "train/saver_trial.h"

#include "base/clock.h"

void dt_saver_trial_open(dt_saver_trial *t) {
    *t = (dt_saver_trial){0};
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, NULL);
}

void dt_saver_trial_close(dt_saver_trial *t) {
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
}

bool dt_saver_trial_waits(dt_save_kind kind) {
    return kind == DT_SAVE_PROVISIONAL || kind == DT_SAVE_ON_TRIAL;
}

void dt_saver_trial_begin(dt_saver_trial *t, dt_save_kind kind) {
    pthread_mutex_lock(&t->mutex);
    t->kind = kind;
    t->verdict = DT_SAVE_GOOD;
    t->pending = dt_saver_trial_waits(kind);
    pthread_mutex_unlock(&t->mutex);
}

dt_save_kind dt_saver_trial_kind(dt_saver_trial *t) {
    pthread_mutex_lock(&t->mutex);
    const dt_save_kind kind = t->kind;
    pthread_mutex_unlock(&t->mutex);
    return kind;
}

void dt_saver_trial_decide(dt_saver_trial *t, dt_save_verdict verdict, uint64_t state_hash) {
    pthread_mutex_lock(&t->mutex);
    if (t->pending) {
        t->pending = false;
        t->verdict = verdict;
        t->state_hash = state_hash;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->mutex);
}

void dt_saver_trial_leave(dt_saver_trial *t) {
    pthread_mutex_lock(&t->mutex);
    t->leaving = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

dt_save_verdict dt_saver_trial_await(dt_saver_trial *t, dt_save_verdict unsaid, double *seconds) {
    const double asked = dt_clock_seconds();
    pthread_mutex_lock(&t->mutex);
    while (t->pending && !t->leaving)
        pthread_cond_wait(&t->changed, &t->mutex);
    const dt_save_verdict found = t->pending ? unsaid : t->verdict;
    pthread_mutex_unlock(&t->mutex);
    *seconds += dt_clock_seconds() - asked;
    return found;
}

uint64_t dt_saver_trial_hash(dt_saver_trial *t) {
    pthread_mutex_lock(&t->mutex);
    const uint64_t hash = t->state_hash;
    pthread_mutex_unlock(&t->mutex);
    return hash;
}
