/* The forward half of step.c, on other windows. */
#include "train/evaluate.h"

#include <inttypes.h>
#include <omp.h>

#include "base/memory.h"
#include "base/progress.h"
#include "comm/tree.h"
#include "config/config.h"
#include "model/forward.h"
#include "train/finite.h"

/* Stands for the loss of a leaf that was left out: a cross-entropy is never negative. */
#define LEFT_OUT (-1.0)

/* Which leaves a rank takes. */
static void share(const dt_evaluator *e, bool on_all, int rank, int64_t *first, int64_t *end) {
    if (on_all)
        dt_tree_share(e->leaves, rank, e->world->size, first, end);
    else {
        *first = rank == 0 ? 0 : e->leaves;
        *end = e->leaves;
    }
}

static dt_status load(dt_evaluator *e, const dt_corpus *corpus, int64_t first_token) {
    const int64_t first = e->first_leaf * e->u, last = e->end_leaf * e->u;
    const int64_t count = (last < e->windows ? last : e->windows) - (first < e->windows ? first : e->windows);
    e->tokens = dt_memory_alloc(count * e->T + 1, 1, "the validation split");
    e->window = dt_memory_alloc(count, sizeof *e->window, "the validation windows");
    if (e->tokens == NULL || e->window == NULL)
        return DT_FAILED;
    if (count == 0)
        return DT_OK;
    for (int64_t w = 0; w < count; w++)
        e->window[w] = e->tokens + w * e->T;
    const int64_t at = first_token + first * e->T;
    return dt_corpus_read(corpus, at, at + count * e->T + 1, e->tokens);
}

dt_status dt_evaluate_create(dt_evaluator *e, const dt_world *world, const dt_corpus *corpus,
                             int64_t first_token, int64_t T, int64_t u, int64_t most_windows, bool on_all) {
    const int64_t tokens = corpus->total.tokens - first_token;
    *e = (dt_evaluator){.world = world, .T = T, .u = u, .windows = tokens > 0 ? (tokens - 1) / T : 0};
    if (e->windows < 1)
        return dt_usage(
            "the text to evaluate on has %" PRId64 " tokens, but one window needs %" PRId64
            " (max_seq_len + 1); use a longer text, or in training a smaller max_seq_len or train_ratio, or no "
            "eval_cadence",
            tokens, T + 1);
    if (!dt_is_null_int(most_windows) && most_windows < e->windows)
        e->windows = most_windows;
    e->leaves = (e->windows + u - 1) / u;
    e->losses = dt_memory_alloc(e->leaves, sizeof(double), "the validation losses");
    e->counts = dt_memory_alloc(world->size, sizeof(int64_t), "the ranks' numbers of validation leaves");
    if (e->losses == NULL || e->counts == NULL)
        return DT_FAILED;
    for (int r = 0; r < world->size; r++) {
        int64_t first, end;
        share(e, on_all, r, &first, &end);
        e->counts[r] = end - first;
    }
    share(e, on_all, world->rank, &e->first_leaf, &e->end_leaf);
    return load(e, corpus, first_token);
}

void dt_evaluate_free(dt_evaluator *e) {
    dt_memory_free(e->tokens);
    dt_memory_free(e->window);
    dt_memory_free(e->losses);
    dt_memory_free(e->counts);
    *e = (dt_evaluator){0};
}

dt_status dt_evaluate_run(dt_evaluator *e, const dt_gpt *gpt, const dt_gpt_view *weights, dt_workers *workers,
                          double *loss, bool *complete) {
#pragma omp parallel for schedule(static, 1) num_threads(workers->threads)
    for (int64_t l = e->first_leaf; l < e->end_leaf; l++) {
        if (e->stop_requested && e->stop_requested()) {
            e->losses[l] = LEFT_OUT;
            continue;
        }
        const int64_t first = l * e->u, left = e->windows - first;
        const dt_leaf leaf = {.sequences = left < e->u ? left : e->u,
                              .windows = e->window + (first - e->first_leaf * e->u)};
        dt_activations *a = &workers->activations[omp_get_thread_num()];
        dt_forward_run(gpt, weights, &leaf, a);
        e->losses[l] = dt_forward_loss(gpt, &leaf, a);
        dt_progress_mark();
    }
    DT_TRY(dt_world_gather_all(e->world, e->losses, (int64_t)sizeof(double), e->counts));
    *complete = true;
    for (int64_t l = 0; l < e->leaves; l++)
        *complete = *complete && e->losses[l] != LEFT_OUT;
    *loss = dt_finite_plain(dt_tree_sum(e->losses, e->leaves) / ((double)e->windows * (double)e->T));
    return DT_OK;
}
