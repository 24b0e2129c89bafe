/* The forward half of step.c, on other windows. */
#include "infer/evaluate.h"

#include <inttypes.h>
#include <omp.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/meter.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "base/progress.h"
#include "allreduce/tree.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "config/config.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokens.h"
#include "model/forward.h"
#include "model/head.h"
#include "optim/finite.h"

/* Stands for the loss of a micro-batch that was left out: a cross-entropy is never negative. */
#define LEFT_OUT (-1.0)

/* Which micro-batches a rank takes. */
static void divide(const dt_evaluator *e, bool on_all, int rank, int64_t *first, int64_t *end) {
    if (on_all)
        dt_tree_run(e->micro_batches, rank, e->world->size, first, end);
    else {
        *first = rank == 0 ? 0 : e->micro_batches;
        *end = e->micro_batches;
    }
}

/* Where window `window` begins, in targets of the range, the shorter one being the last; and where all end.
 */
static int64_t start_of(const dt_evaluator *e, int64_t window) {
    return dt_min(window * e->T, e->windows * e->T + e->rest);
}

/* The windows of micro-batch `micro_batch` begin with this one: the rest has a micro-batch of its own. */
static int64_t first_window(const dt_evaluator *e, int64_t micro_batch) {
    const int64_t first = micro_batch * e->u;
    if (first < e->windows)
        return first;
    return micro_batch < e->micro_batches ? e->windows : e->windows + (e->rest > 0);
}

/* The tokens that this rank's windows are made of. */
static void own_tokens(const dt_evaluator *e, const dt_evaluate_range *range, int64_t *first, int64_t *end) {
    const int64_t from = start_of(e, first_window(e, e->first_micro_batch)),
                  to = start_of(e, first_window(e, e->end_micro_batch));
    *first = range->first_token + from;
    *end = range->first_token + to + (from < to);
}

static dt_status load(dt_evaluator *e, dt_corpus *corpus, const dt_evaluate_range *range) {
    const int64_t teams = range->teams;
    const int64_t first = first_window(e, e->first_micro_batch), end = first_window(e, e->end_micro_batch);
    e->targets = start_of(e, end) - start_of(e, first);
    e->token_bytes = corpus->token_bytes;
    e->tokenizer = corpus->tokenizer;
    e->tokens = dt_memory_alloc_untouched(e->targets + 1, (size_t)e->token_bytes, "the text to evaluate on");
    e->ids = dt_memory_alloc(teams * (e->u * e->T + 1), sizeof *e->ids, "the tokens of a micro-batch");
    e->window = dt_memory_alloc(teams * e->u, sizeof *e->window, "the windows of a micro-batch");
    if (range->keep_losses)
        e->each = dt_memory_alloc(e->targets + 1, sizeof *e->each, "the losses of tokens");
    if (e->tokens == NULL || e->ids == NULL || e->window == NULL || (range->keep_losses && e->each == NULL))
        return DT_FAILED;
    if (e->targets == 0)
        return DT_OK;
    for (int64_t w = 0; w < teams * e->u; w++)
        e->window[w] = e->ids + w / e->u * (e->u * e->T + 1) + w % e->u * e->T;
    int64_t at, end_token;
    own_tokens(e, range, &at, &end_token);
    return dt_corpus_take(corpus, at, end_token, e->tokens);
}

static dt_status refuse(const dt_evaluate_range *range, int64_t T) {
    const int64_t tokens = range->end_token - range->first_token;
    return range->with_rest
               ? dt_usage(
                     "expected at least 2 tokens to evaluate on, one to predict the other from, found %" PRId64
                     "; use a longer text",
                     tokens)
               : dt_usage("the text to evaluate on has %" PRId64 " token%s, but one window needs %" PRId64
                          " (max_seq_len + 1); use a longer text, or in training a smaller max_seq_len or "
                          "train_ratio, or no eval_cadence",
                          tokens, dt_plural_s(tokens), T + 1);
}

/* What there is to evaluate, and which of it is this rank's. */
static dt_status divide_range(dt_evaluator *e, const dt_world *world, int64_t T, int64_t u,
                              const dt_evaluate_range *range) {
    DT_ASSERT(T > 0 && u > 0);
    const int64_t tokens = range->end_token - range->first_token, targets = tokens > 0 ? tokens - 1 : 0;
    *e = (dt_evaluator){.world = world, .T = T, .u = u, .windows = targets / T};
    if (!dt_is_null_int(range->max_windows) && range->max_windows <= e->windows)
        e->windows = range->max_windows;
    else if (range->with_rest)
        e->rest = targets % T;
    if (e->windows < 1 && e->rest < 1)
        return refuse(range, T);
    e->micro_batches = (e->windows + u - 1) / u + (e->rest > 0);
    divide(e, range->on_all, world->rank, &e->first_micro_batch, &e->end_micro_batch);
    return DT_OK;
}

dt_status dt_evaluate_tokens(const dt_world *world, int64_t T, int64_t u, const dt_evaluate_range *range,
                             int64_t *first, int64_t *end) {
    dt_evaluator e;
    *first = *end = 0;
    DT_TRY(divide_range(&e, world, T, u, range));
    own_tokens(&e, range, first, end);
    return DT_OK;
}

dt_status dt_evaluate_create(dt_evaluator *e, const dt_world *world, dt_corpus *corpus, int64_t T, int64_t u,
                             const dt_evaluate_range *range) {
    DT_TRY(divide_range(e, world, T, u, range));
    e->losses = dt_memory_alloc(e->micro_batches, sizeof(double), "the validation losses");
    e->counts =
        dt_memory_alloc(world->size, sizeof(int64_t), "the ranks' numbers of validation micro-batches");
    if (e->losses == NULL || e->counts == NULL)
        return DT_FAILED;
    for (int r = 0; r < world->size; r++) {
        int64_t first, end;
        divide(e, range->on_all, r, &first, &end);
        e->counts[r] = end - first;
    }
    return load(e, corpus, range);
}

void dt_evaluate_free(dt_evaluator *e) {
    dt_memory_free(e->tokens);
    dt_memory_free(e->ids);
    dt_memory_free(e->window);
    dt_memory_free(e->losses);
    dt_memory_free(e->each);
    dt_memory_free(e->counts);
    *e = (dt_evaluator){0};
}

/* The loss of one micro-batch, number `slot` of those that are worked on, by the calling thread and its team;
 * that of the rest is the same model's with a shorter context. */
static double run_micro_batch(const dt_evaluator *e, const dt_gpt *gpt, const dt_weights *weights, int64_t l,
                              int slot, dt_activations *a, const dt_team *team) {
    const int64_t first = first_window(e, l), start = start_of(e, first);
    const bool is_rest = first == e->windows;
    const dt_micro_batch micro_batch = {.sequences = is_rest ? 1 : first_window(e, l + 1) - first,
                                        .windows = e->window + slot * e->u};
    const int64_t at = start - start_of(e, first_window(e, e->first_micro_batch));
    if (team->index == 0)
        dt_tokens_widen(e->ids + slot * (e->u * e->T + 1), e->tokens + at * e->token_bytes, e->token_bytes,
                        start_of(e, first + micro_batch.sequences) - start + 1);
    dt_team_meet(team);
    dt_layout layout = *gpt->layout;
    dt_gpt shorter = *gpt;
    shorter.layout = &layout;
    if (is_rest)
        layout.shape.T = e->rest;
    dt_forward_run(&shorter, weights, &micro_batch, a, team);
    const int64_t targets = micro_batch.sequences * layout.shape.T;
    const double loss = dt_head_loss(&shorter, weights, targets, a, team);
    for (int64_t t = 0; e->each && team->index == 0 && t < targets; t++)
        e->each[at + t] = (float)a->losses[t];
    return loss;
}

static bool is_over(const dt_evaluator *e) {
    return (e->stop_requested && e->stop_requested()) ||
           (e->until_seconds > 0.0 && dt_clock_seconds() > e->until_seconds);
}

/* This rank's micro-batches, wave by wave, in one of which each team has one. All threads hear of a stop at
 * the same wave, since those of a team wait for each other. */
static void run_own(dt_evaluator *e, const dt_gpt *gpt, const dt_weights *weights,
                    const dt_workers *workers) {
    const int64_t first = e->first_micro_batch, end = e->end_micro_batch;
    bool over = false;
    dt_meter meter;
    dt_meter_start(&meter, "evaluating", e->told_as, e->windows, "windows");
#pragma omp parallel num_threads(workers->threads)
    for (int64_t wave = first; wave < end; wave += workers->teams) {
        const int64_t count = dt_min(workers->teams, end - wave);
        dt_team team;
        const int own = dt_workers_join(workers, count, omp_get_thread_num(), &team);
#pragma omp single
        over = over || is_over(e);
        const double loss =
            over ? LEFT_OUT
                 : run_micro_batch(e, gpt, weights, wave + own, own, &workers->activations[own], &team);
        if (team.index == 0)
            e->losses[wave + own] = loss;
        dt_progress_mark();
        if (e->told_as && !over && omp_get_thread_num() == 0)
            dt_meter_move(&meter, e->windows * (wave + count - first) / (end - first));
#pragma omp barrier
    }
}

dt_status dt_evaluate_run(dt_evaluator *e, const dt_gpt *gpt, const dt_weights *weights, dt_workers *workers,
                          double *loss, bool *complete) {
    DT_COLLECTIVE(e->world, DT_SAME_INT(e->T), DT_SAME_INT(e->u), DT_SAME_INT(e->windows),
                  DT_SAME_INT(e->rest));
    run_own(e, gpt, weights, workers);
    DT_TRY(dt_world_gather_all(e->world, e->losses, (int64_t)sizeof(double), e->counts));
    *complete = true;
    for (int64_t l = 0; l < e->micro_batches; l++)
        *complete = *complete && e->losses[l] != LEFT_OUT;
    const int64_t whole_micro_batches = e->micro_batches - (e->rest > 0);
    const double whole_targets = (double)e->windows * (double)e->T;
    double sum = whole_micro_batches > 0 ? dt_tree_sum(e->losses, whole_micro_batches) : 0.0;
    *loss = dt_finite_plain(sum / whole_targets);
    if (e->rest > 0)
        sum += e->losses[whole_micro_batches];
    e->loss_with_rest = dt_finite_plain(sum / (whole_targets + (double)e->rest));
    if (whole_micro_batches == 0)
        *loss = e->loss_with_rest;
    return DT_OK;
}

void dt_evaluate_targets(const dt_evaluator *e, int rank, int64_t *first, int64_t *end) {
    int64_t micro_batch = 0;
    for (int r = 0; r < rank; r++)
        micro_batch += e->counts[r];
    *first = start_of(e, first_window(e, micro_batch));
    *end = start_of(e, first_window(e, micro_batch + e->counts[rank]));
}

/* The bytes that tokens[first..end) of this rank stand for. */
static int64_t count_bytes(const dt_evaluator *e, int64_t first, int64_t end) {
    int64_t bytes = 0;
    for (int64_t t = first; e->tokenizer && t < end; t++) {
        int32_t id;
        size_t length;
        dt_tokens_widen(&id, e->tokens + t * e->token_bytes, e->token_bytes, 1);
        (void)dt_tokenizer_decode(e->tokenizer, id, &length);
        bytes += (int64_t)length;
    }
    return bytes;
}

/* Of this rank. Its tokens begin with the one before its first target. */
static dt_evaluate_counts count_own(const dt_evaluator *e) {
    int64_t first, end;
    dt_evaluate_targets(e, e->world->rank, &first, &end);
    const int64_t whole = dt_max(dt_min(e->windows * e->T, end) - first, 0);
    return (dt_evaluate_counts){.targets = e->targets,
                                .unknown =
                                    dt_tokens_count(e->tokens + e->token_bytes, e->token_bytes, e->targets,
                                                    e->tokenizer ? e->tokenizer->unknown : -1),
                                .bytes = count_bytes(e, 1, 1 + whole),
                                .rest_bytes = count_bytes(e, 1 + whole, 1 + e->targets)};
}

dt_status dt_evaluate_count(const dt_evaluator *e, dt_evaluate_counts *counts) {
    DT_COLLECTIVE_CALL(e->world);
    const int size = e->world->size;
    dt_evaluate_counts *found = dt_memory_alloc(size, sizeof *found, "the ranks' counts of tokens");
    dt_status status = dt_agree(e->world, found ? DT_OK : DT_FAILED);
    if (status == DT_OK) {
        found[e->world->rank] = count_own(e);
        status = dt_world_gather_same(e->world, found, (int64_t)sizeof *found);
    }
    *counts = (dt_evaluate_counts){0};
    for (int r = 0; status == DT_OK && r < size; r++) {
        counts->targets += found[r].targets;
        counts->unknown += found[r].unknown;
        counts->bytes += found[r].bytes;
        counts->rest_bytes += found[r].rest_bytes;
    }
    dt_memory_free(found);
    return status;
}
