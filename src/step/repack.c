/* A counter of what is taken and one of what is done for each matrix; a condition for those who wait. */
#include "step/repack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/minmax.h"

/* Panels that a thread takes at a time. */
#define TAKEN_TOGETHER 4

/* One matrix, or its transpose. */
typedef struct matrix {
    int64_t first, panels; /* among all panels */
    int64_t elements;
    int64_t end; /* who reads weights up to here reads these panels */
    atomic_int_fast64_t taken, done;
} matrix;

struct dt_repack {
    const dt_gpt *gpt;
    const dt_weights *weights;
    dt_spans *spans;
    matrix *list; /* [count], by rising `end` */
    int64_t count;
    atomic_int_fast64_t whole; /* as many from the start are packed; may lag */
    pthread_mutex_t mutex;
    pthread_cond_t packed; /* another matrix */
};

/* The list of model/weights.h begins with the embedding and its transpose; here they stand last. */
static void fill(dt_repack *r) {
    const dt_weights *w = r->weights;
    const int64_t embeddings = 2;
    for (int64_t i = 0; i < r->count; i++) {
        const int64_t from = (i + embeddings) % r->count;
        const dt_packing *p = &w->packing[from];
        const int64_t next = from + 1 < r->count ? w->packing[from + 1].first : w->panels;
        r->list[i].first = p->first;
        r->list[i].panels = next - p->first;
        r->list[i].elements = p->in * p->out;
        r->list[i].end =
            p->values == w->view.wte ? r->gpt->layout->elements : p->values - w->view.wte + p->in * p->out;
    }
}

dt_status dt_repack_create(dt_repack **created, const dt_gpt *gpt, const dt_weights *weights,
                           dt_spans *spans) {
    dt_repack *r = *created = calloc(1, sizeof *r);
    if (r == NULL)
        return dt_fail("out of memory for packing new weights");
    r->gpt = gpt;
    r->weights = weights;
    r->spans = spans;
    r->count = weights->packings;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->packed, NULL);
    r->list = calloc((size_t)r->count, sizeof *r->list);
    if (r->list == NULL)
        return dt_fail("out of memory for the list of new weights to pack");
    fill(r);
    return DT_OK;
}

void dt_repack_free(dt_repack *r) {
    if (r == NULL)
        return;
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->packed);
    free(r->list);
    free(r);
}

void dt_repack_start(dt_repack *r) {
    for (int64_t i = 0; i < r->count; i++) {
        atomic_store(&r->list[i].taken, 0);
        atomic_store(&r->list[i].done, 0);
    }
    atomic_store(&r->whole, 0);
}

/* Packs what is left of a matrix for this thread to take. */
static void pack(dt_repack *r, matrix *m) {
    for (;;) {
        const int64_t first = atomic_fetch_add(&m->taken, TAKEN_TOGETHER);
        if (first >= m->panels)
            return;
        const int64_t count = dt_min(TAKEN_TOGETHER, m->panels - first);
        const double begun = dt_spans_begin(r->spans);
        dt_weights_pack(r->weights, r->gpt, m->first + first, m->first + first + count);
        dt_spans_end(r->spans, DT_SPAN_PACKING, begun,
                     (double)m->elements * (double)count / (double)m->panels);
        if (atomic_fetch_add(&m->done, count) + count < m->panels)
            continue;
        pthread_mutex_lock(&r->mutex);
        pthread_cond_broadcast(&r->packed);
        pthread_mutex_unlock(&r->mutex);
    }
}

static void await(dt_repack *r, matrix *m) {
    if (atomic_load(&m->done) == m->panels)
        return;
    pthread_mutex_lock(&r->mutex);
    while (atomic_load(&m->done) < m->panels)
        pthread_cond_wait(&r->packed, &r->mutex);
    pthread_mutex_unlock(&r->mutex);
}

void dt_repack_until(dt_repack *r, int64_t offset) {
    const int64_t whole = atomic_load(&r->whole);
    int64_t end = whole;
    for (; end < r->count && r->list[end].end <= offset; end++)
        pack(r, &r->list[end]);
    if (end == whole)
        return;
    for (int64_t i = whole; i < end; i++)
        await(r, &r->list[i]);
    atomic_store(&r->whole, end); /* or a little less than another thread has found, which costs a look */
}
