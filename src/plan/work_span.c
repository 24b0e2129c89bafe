/* The passes with kernels that do nothing but count, thread after thread. */
#include "plan/work_span.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "model/backward.h"
#include "model/forward.h"
#include "model/heads.h"
#include "plan/timed_kernels.h"

/* ---- kernels that do nothing ---- */

/* What attention's divided heads take: the timed kernels count what the model asks for. One counting at a
 * time, as there is one set of timed kernels. */
static struct {
    int64_t sequences;
    double flop;
} attention;

static void embedding_forward(float *x, const int32_t *tokens, const float *wte, const float *wpe,
                              int64_t position, dt_range rows, int64_t C, const dt_dropout *drop,
                              float *factor) {
    (void)x, (void)tokens, (void)wte, (void)wpe, (void)position, (void)rows, (void)C, (void)drop,
        (void)factor;
}

static void embedding_backward_positions(float *dwpe, float *dx, dt_range rows, int64_t C,
                                         const dt_dropout *drop, float *factor) {
    (void)dwpe, (void)dx, (void)rows, (void)C, (void)drop, (void)factor;
}

static void embedding_backward_tokens(float *dwte, const float *dx, const int32_t *tokens, int64_t T,
                                      int64_t C, dt_range ids) {
    (void)dwte, (void)dx, (void)tokens, (void)T, (void)C, (void)ids;
}

static void layernorm_forward(dt_operand *y, float *mean, float *rstd, const float *x, const float *weight,
                              const float *bias, dt_range rows, int64_t C) {
    (void)y, (void)mean, (void)rstd, (void)x, (void)weight, (void)bias, (void)rows, (void)C;
}

static void layernorm_backward(float *dx, float *dweight, float *dbias, const float *dy, const float *x,
                               const float *mean, const float *rstd, const float *weight, int64_t rows,
                               int64_t C, const dt_layernorm_ranges *ranges) {
    (void)dx, (void)dweight, (void)dbias, (void)dy, (void)x, (void)mean, (void)rstd, (void)weight, (void)rows,
        (void)C, (void)ranges;
}

/* A block's queries with a block's keys, in a product. */
static double block_flop(int64_t C, int64_t H) {
    const int64_t head_floats = C / H;
    return 2.0 * DT_ATTENTION_BLOCK * DT_ATTENTION_BLOCK * (double)head_floats;
}

static void count_heads(int64_t T, int64_t C, int64_t H, dt_range outputs, bool backward) {
    const dt_heads heads = {.sequences = attention.sequences, .T = T, .H = H, .backward = backward};
    const int64_t blocks = dt_attention_blocks(T);
    for (int64_t h = 0; h < H; h++) {
        const dt_range own = dt_range_within(h * blocks, (h + 1) * blocks, outputs);
        if (own.first < own.end)
            attention.flop +=
                block_flop(C, H) * dt_heads_cost(&heads, own.first - h * blocks, own.end - h * blocks);
    }
}

static void attention_forward(dt_operand *y, float *lse, const dt_operand *qkv, int64_t T, int64_t C,
                              int64_t H, const dt_dropout *drop, dt_range outputs, float *scratch) {
    (void)y, (void)lse, (void)qkv, (void)drop, (void)scratch;
    count_heads(T, C, H, outputs, false);
}

static void attention_backward(dt_operand *dqkv, const dt_operand *dy, const dt_operand *y, const float *lse,
                               const dt_operand *qkv, int64_t T, int64_t C, int64_t H, const dt_dropout *drop,
                               dt_range outputs, float *scratch) {
    (void)dqkv, (void)dy, (void)y, (void)lse, (void)qkv, (void)drop, (void)scratch;
    count_heads(T, C, H, outputs, true);
}

static void gelu_forward(dt_operand *y, const dt_operand *pre, dt_range rows, dt_gelu_shape shape) {
    (void)y, (void)pre, (void)rows, (void)shape;
}

static void gelu_backward(dt_operand *dpre, dt_operand *y, const dt_operand *dy, const dt_operand *pre,
                          dt_range rows, dt_gelu_shape shape) {
    (void)dpre, (void)y, (void)dy, (void)pre, (void)rows, (void)shape;
}

static void residual_forward(float *out, const float *residual, const float *x, const float *bias,
                             dt_range rows, int64_t C, const dt_dropout *drop, float *factor) {
    (void)out, (void)residual, (void)x, (void)bias, (void)rows, (void)C, (void)drop, (void)factor;
}

static void residual_backward(dt_operand *dx, const float *dout, dt_range rows, int64_t C,
                              const dt_dropout *drop, float *factor) {
    (void)dx, (void)dout, (void)rows, (void)C, (void)drop, (void)factor;
}

static void loss_backward(double *losses, float *logits, const int32_t *targets, dt_range rows, int64_t V,
                          int64_t stride, float scale) {
    (void)losses, (void)logits, (void)targets, (void)rows, (void)V, (void)stride, (void)scale;
}

static void linear_forward(void *y, dt_result result, const dt_operand *x, const dt_weight *w,
                           const float *bias, const dt_linear_shape *shape, dt_range tiles,
                           float *workspace) {
    (void)y, (void)result, (void)x, (void)w, (void)bias, (void)shape, (void)tiles, (void)workspace;
}

static void linear_backward_input(void *dx, dt_result result, const dt_operand *dy, const dt_weight *w,
                                  const dt_linear_shape *shape, dt_range tiles, float *workspace) {
    (void)dx, (void)result, (void)dy, (void)w, (void)shape, (void)tiles, (void)workspace;
}

static void linear_backward_weight(float *dw, float *dbias, const dt_operand *x, const dt_operand *dy,
                                   const dt_linear_shape *shape, bool add, dt_range tiles, float *workspace) {
    (void)dw, (void)dbias, (void)x, (void)dy, (void)shape, (void)add, (void)tiles, (void)workspace;
}

/* A set of all of these, whose products are cut as those of `kernels`. */
typedef struct idle_kernels {
    dt_kernels set;
    struct dt_embedding embedding;
    struct dt_layernorm layernorm;
    struct dt_attention attention;
    struct dt_gelu gelu;
    struct dt_linear linear;
    struct dt_residual residual;
    struct dt_loss loss;
} idle_kernels;

static void make_idle(idle_kernels *idle, const dt_kernels *kernels) {
    idle->embedding = (struct dt_embedding){.forward = embedding_forward,
                                            .backward_positions = embedding_backward_positions,
                                            .backward_tokens = embedding_backward_tokens};
    idle->layernorm = (struct dt_layernorm){.forward = layernorm_forward, .backward = layernorm_backward};
    idle->attention = *kernels->attention;
    idle->attention.forward = attention_forward;
    idle->attention.backward = attention_backward;
    idle->gelu = (struct dt_gelu){.forward = gelu_forward, .backward = gelu_backward};
    idle->linear = *kernels->linear;
    idle->linear.forward = linear_forward;
    idle->linear.backward_input = linear_backward_input;
    idle->linear.backward_weight = linear_backward_weight;
    idle->linear.panels_bytes = NULL; /* nobody reads panels */
    idle->residual = (struct dt_residual){.forward = residual_forward, .backward = residual_backward};
    idle->loss = *kernels->loss;
    idle->loss.backward = loss_backward;
    idle->set = *kernels;
    idle->set.embedding = &idle->embedding;
    idle->set.layernorm = &idle->layernorm;
    idle->set.attention = &idle->attention;
    idle->set.gelu = &idle->gelu;
    idle->set.linear = &idle->linear;
    idle->set.residual = &idle->residual;
    idle->set.loss = &idle->loss;
}

/* ---- a model that is only counted ---- */

typedef struct counting {
    idle_kernels idle;
    dt_layout layout;
    dt_gpt gpt;
    dt_weights weights;
    dt_gpt_view gradient;
    float *vector[2]; /* weights and gradient: addresses, of which next to nothing is touched */
    dt_activations activations;
    int64_t sequences;
    int32_t *ids;            /* [T + 1]: of every sequence */
    const int32_t **windows; /* [sequences] */
    dt_spans spans;
} counting;

static const dt_tensor *find_tensor(const void *context, const float *at) {
    const counting *c = context;
    const dt_tensor *found = dt_layout_tensor_at(&c->layout, c->vector[0], at);
    return found ? found : dt_layout_tensor_at(&c->layout, c->vector[1], at);
}

static dt_status create_vectors(counting *c) {
    const size_t align = DT_MEMORY_ALIGN, bytes = (size_t)c->layout.elements * sizeof(float);
    for (int v = 0; v < 2; v++) {
        c->vector[v] = aligned_alloc(align, (bytes + align - 1) / align * align);
        if (c->vector[v] == NULL)
            return dt_fail("out of memory for a model that is counted");
    }
    DT_TRY(dt_weights_create(&c->weights, &c->gpt, c->vector[0]));
    return dt_gpt_view_create(&c->gradient, &c->layout, c->vector[1]);
}

static dt_status create_tokens(counting *c) {
    const dt_shape *s = &c->layout.shape;
    c->ids = calloc((size_t)s->T + 1, sizeof *c->ids);
    c->windows = calloc((size_t)c->sequences, sizeof *c->windows);
    if (c->ids == NULL || c->windows == NULL)
        return dt_fail("out of memory for the tokens of a model that is counted");
    for (int64_t t = 0; t <= s->T; t++)
        c->ids[t] = (int32_t)((double)t * (double)s->V / (double)(s->T + 1));
    for (int64_t i = 0; i < c->sequences; i++)
        c->windows[i] = c->ids;
    return DT_OK;
}

static dt_status create(counting *c, const dt_kernels *kernels, dt_shape shape, int64_t sequences,
                        dt_recompute recompute) {
    *c = (counting){.sequences = sequences};
    make_idle(&c->idle, kernels);
    DT_TRY(dt_layout_create(&c->layout, shape));
    DT_TRY(dt_spans_create(&c->spans, DT_SPANS + dt_timed_kernels_rows(), 1));
    c->gpt.layout = &c->layout;
    c->gpt.kernels = dt_timed_kernels_of(&c->idle.set, &c->spans, (dt_timed_finder){find_tensor, c});
    DT_TRY(create_vectors(c));
    DT_TRY(create_tokens(c));
    return dt_activations_create(&c->activations, c->gpt.kernels, &shape, sequences, recompute);
}

static void free_counting(counting *c) {
    dt_activations_free(&c->activations);
    free(c->windows);
    free(c->ids);
    dt_gpt_view_free(&c->gradient);
    dt_weights_free(&c->weights);
    free(c->vector[0]);
    free(c->vector[1]);
    dt_spans_free(&c->spans);
    dt_layout_free(&c->layout);
}

/* ---- counting ---- */

double dt_work_span_cost(double flop, double bytes) {
    return fmax(flop, DT_WORK_SPAN_FLOP_PER_BYTE * bytes);
}

static bool is_attention(int64_t row) {
    return strncmp(dt_timed_kernels_name(row), "attention ", 10) == 0;
}

/* Takes into row[rows] what the thread that just ran a pass has counted: as the work, or as the span where it
 * has more of it than those before. */
static void take_rows(const counting *c, dt_work_span_row *row, int64_t rows, bool as_work) {
    for (int64_t r = 0; r < rows; r++) {
        const dt_span_total total = dt_spans_read(&c->spans, DT_SPANS + r);
        const double flop = total.calls > 0 && is_attention(r) ? attention.flop : total.flop;
        if (as_work) {
            row[r].work_flop = flop;
            row[r].work_bytes = total.bytes;
        } else if (dt_work_span_cost(flop, total.bytes) >
                   dt_work_span_cost(row[r].span_flop, row[r].span_bytes)) {
            row[r].span_flop = flop;
            row[r].span_bytes = total.bytes;
        }
    }
}

/* Runs both passes as thread `index` of a team of `threads`. */
static void run_thread(counting *c, int threads, int index, dt_work_span *counts, bool as_work) {
    const dt_scratch scratch = {0};
    const dt_micro_batch micro_batch = {.sequences = c->sequences, .windows = c->windows};
    int64_t meetings = 0;
    const dt_team team = {.size = threads, .index = index, .scratch = &scratch, .meetings = &meetings};
    attention.sequences = c->sequences;
    for (int pass = 0; pass < DT_WORK_SPAN_PASSES; pass++) {
        meetings = 0;
        attention.flop = 0.0;
        dt_spans_start(&c->spans);
        if (pass == DT_WORK_SPAN_FORWARD)
            dt_forward_run(&c->gpt, &c->weights, &micro_batch, &c->activations, &team);
        else
            (void)dt_backward_run(&c->gpt, &c->weights, &micro_batch, 1.0F, &c->activations, &team,
                                  &c->gradient, NULL);
        dt_spans_stop(&c->spans);
        take_rows(c, counts->row[pass], counts->rows, as_work);
        counts->barriers[pass] = meetings;
    }
}

/* Of a model of `layers` layers. */
static dt_status count_layers(dt_work_span *counts, const dt_kernels *kernels, dt_shape shape, int64_t layers,
                              int64_t sequences, dt_recompute recompute, int threads) {
    counting c;
    *counts = (dt_work_span){.threads = threads, .rows = dt_timed_kernels_rows()};
    shape.n_layers = layers;
    dt_status status = create(&c, kernels, shape, sequences, recompute);
    if (status == DT_OK) {
        run_thread(&c, 1, 0, counts, true);
        for (int index = 0; index < threads; index++)
            run_thread(&c, threads, index, counts, false);
    }
    free_counting(&c);
    return status;
}

/* One layer counts `one`, two count `two`. */
static double of_layers(double one, double two, int64_t layers) {
    return one + (double)(layers - 1) * (two - one);
}

/* A plan asks for the same few teams on every number of ranks. */
typedef struct counted {
    const dt_kernels *kernels;
    dt_shape shape;
    int64_t sequences;
    dt_recompute recompute;
    dt_work_span counts;
} counted;

static struct {
    int64_t count; /* since the start; the oldest is written over */
    counted last[8];
} cache;

#define CACHED ((int64_t)(sizeof cache.last / sizeof *cache.last))

static bool is_same(const counted *c, const dt_kernels *kernels, const dt_shape *s, int64_t sequences,
                    dt_recompute recompute, int threads) {
    return c->kernels == kernels && c->sequences == sequences && c->recompute == recompute &&
           c->counts.threads == threads && c->shape.n_layers == s->n_layers && c->shape.C == s->C &&
           c->shape.H == s->H && c->shape.F == s->F && c->shape.T == s->T && c->shape.V == s->V;
}

dt_status dt_work_span_count(dt_work_span *counts, const dt_kernels *kernels, const dt_shape *shape,
                             int64_t sequences, dt_recompute recompute, int threads) {
    DT_ASSERT(sequences > 0 && threads > 0 && dt_timed_kernels_rows() <= DT_WORK_SPAN_ROWS);
    for (int64_t i = 0; i < CACHED; i++)
        if (is_same(&cache.last[i], kernels, shape, sequences, recompute, threads)) {
            *counts = cache.last[i].counts;
            return DT_OK;
        }
    dt_work_span two;
    DT_TRY(count_layers(counts, kernels, *shape, 1, sequences, recompute, threads));
    DT_TRY(count_layers(&two, kernels, *shape, 2, sequences, recompute, threads));
    for (int pass = 0; pass < DT_WORK_SPAN_PASSES; pass++) {
        counts->barriers[pass] += (shape->n_layers - 1) * (two.barriers[pass] - counts->barriers[pass]);
        for (int64_t r = 0; r < counts->rows; r++) {
            dt_work_span_row *row = &counts->row[pass][r];
            const dt_work_span_row *next = &two.row[pass][r];
            row->work_flop = of_layers(row->work_flop, next->work_flop, shape->n_layers);
            row->work_bytes = of_layers(row->work_bytes, next->work_bytes, shape->n_layers);
            row->span_flop = of_layers(row->span_flop, next->span_flop, shape->n_layers);
            row->span_bytes = of_layers(row->span_bytes, next->span_bytes, shape->n_layers);
        }
    }
    cache.last[cache.count++ % CACHED] = (counted){kernels, *shape, sequences, recompute, *counts};
    return DT_OK;
}

double dt_work_span_ratio(const dt_work_span *counts, int pass) {
    double work = 0.0, span = 0.0;
    for (int64_t r = 0; r < counts->rows; r++) {
        const dt_work_span_row *row = &counts->row[pass][r];
        work += dt_work_span_cost(row->work_flop, row->work_bytes);
        span += dt_work_span_cost(row->span_flop, row->span_bytes);
    }
    return span / work;
}
