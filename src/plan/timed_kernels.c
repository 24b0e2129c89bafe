/* A wrapper for each kernel: the time before, the plain set's kernel, and a line that says what work it was.
 */
#include "plan/timed_kernels.h"

#include <string.h>

#include "base/suffix.h"

/* The rows. Those of a matrix product are three, in the order of `pass`. */
enum {
    EMBEDDING_FORWARD,
    EMBEDDING_BACKWARD,
    LAYERNORM_FORWARD,
    LAYERNORM_BACKWARD,
    C_ATTN,
    ATTENTION_FORWARD = C_ATTN + 3,
    ATTENTION_BACKWARD,
    ATTN_PROJ,
    C_FC = ATTN_PROJ + 3,
    GELU_FORWARD = C_FC + 3,
    GELU_BACKWARD,
    MLP_PROJ,
    RESIDUAL_FORWARD = MLP_PROJ + 3,
    RESIDUAL_BACKWARD,
    HEAD,
    LOSS = HEAD + 3,
    ROWS
};

/* The three products of a linear layer. */
typedef enum pass { PASS_FORWARD, PASS_DX, PASS_DW } pass;

#define PRODUCT(row, name)                                                                                   \
    [row] = name " forward", [(row) + PASS_DX] = name " dX", [(row) + PASS_DW] = name " dW"

static const char *const names[ROWS] = {
    [EMBEDDING_FORWARD] = "embedding forward",
    [EMBEDDING_BACKWARD] = "embedding backward",
    [LAYERNORM_FORWARD] = "layernorm forward",
    [LAYERNORM_BACKWARD] = "layernorm backward",
    PRODUCT(C_ATTN, "c_attn"),
    [ATTENTION_FORWARD] = "attention forward",
    [ATTENTION_BACKWARD] = "attention backward",
    PRODUCT(ATTN_PROJ, "attn.c_proj"),
    PRODUCT(C_FC, "c_fc"),
    [GELU_FORWARD] = "gelu forward",
    [GELU_BACKWARD] = "gelu backward",
    PRODUCT(MLP_PROJ, "mlp.c_proj"),
    [RESIDUAL_FORWARD] = "dropout+residual forward",
    [RESIDUAL_BACKWARD] = "dropout+residual backward",
    PRODUCT(HEAD, "head"),
    [LOSS] = "loss",
};

/* The model's products, by the tensor of their weights (model/layout.c); names of layers end so. */
static const struct {
    const char *ending;
    int64_t row;
} products[] = {{".attn.c_attn.weight", C_ATTN},
                {".attn.c_proj.weight", ATTN_PROJ},
                {".mlp.c_fc.weight", C_FC},
                {".mlp.c_proj.weight", MLP_PROJ},
                {"wte.weight", HEAD}};

/* What the wrappers know. */
static struct {
    const dt_kernels *plain;
    dt_spans *spans;
    dt_timed_finder finder;
} timed;

/* The first row of the product with the weights or gradient `at`; -1 where they are none of the model's. */
static int64_t find_product(const float *at) {
    const dt_tensor *tensor = timed.finder.find(timed.finder.context, at);
    for (size_t i = 0; tensor && i < sizeof products / sizeof *products; i++)
        if (dt_has_suffix(tensor->name, products[i].ending))
            return products[i].row;
    return -1;
}

static double begin(void) {
    return dt_spans_begin(timed.spans);
}

static void end(int64_t row, double begun, double flop, double bytes) {
    dt_spans_count(timed.spans, DT_SPANS + row, begun, flop, bytes);
}

/* Bytes of so many floats, and of as many operands of the set. */
static double floats(int64_t rows, int64_t cols, double arrays) {
    return (double)sizeof(float) * (double)rows * (double)cols * arrays;
}

static double operands(int64_t rows, int64_t cols, double arrays) {
    return (double)timed.plain->operand_bytes * (double)rows * (double)cols * arrays;
}

/* Outputs of a call. */
static int64_t count(dt_range range) {
    return range.end - range.first;
}

/* ---- embedding ---- */

static void embedding_forward(float *x, const int32_t *tokens, const float *wte, const float *wpe,
                              int64_t position, dt_range rows, int64_t C, const dt_dropout *drop,
                              float *factor) {
    const double begun = begin();
    timed.plain->embedding->forward(x, tokens, wte, wpe, position, rows, C, drop, factor);
    end(EMBEDDING_FORWARD, begun, 0.0, floats(count(rows), C, 3.0)); /* two embeddings in, their sum out */
}

static void embedding_backward_positions(float *dwpe, float *dx, dt_range rows, int64_t C,
                                         const dt_dropout *drop, float *factor) {
    const double begun = begin();
    timed.plain->embedding->backward_positions(dwpe, dx, rows, C, drop, factor);
    /* dx and a gradient in and out; without dropout dx stays what it is. */
    end(EMBEDDING_BACKWARD, begun, 0.0, floats(count(rows), C, drop ? 4.0 : 3.0));
}

static void embedding_backward_tokens(float *dwte, const float *dx, const int32_t *tokens, int64_t T,
                                      int64_t C, dt_range ids) {
    const double begun = begin();
    timed.plain->embedding->backward_tokens(dwte, dx, tokens, T, C, ids);
    int64_t rows = 0;
    for (int64_t t = 0; t < T; t++)
        rows += tokens[t] >= ids.first && tokens[t] < ids.end;
    end(EMBEDDING_BACKWARD, begun, 0.0, floats(rows, C, 3.0)); /* dx in, a gradient in and out */
}

/* ---- LayerNorm ---- */

static void layernorm_forward(dt_operand *y, float *mean, float *rstd, const float *x, const float *weight,
                              const float *bias, dt_range rows, int64_t C) {
    const double begun = begin();
    timed.plain->layernorm->forward(y, mean, rstd, x, weight, bias, rows, C);
    /* x in, y out */
    end(LAYERNORM_FORWARD, begun, 0.0, floats(count(rows), C, 1.0) + operands(count(rows), C, 1.0));
}

static void layernorm_backward(float *dx, float *dweight, float *dbias, const float *dy, const float *x,
                               const float *mean, const float *rstd, const float *weight, int64_t rows,
                               int64_t C, const dt_layernorm_ranges *ranges) {
    const double begun = begin();
    timed.plain->layernorm->backward(dx, dweight, dbias, dy, x, mean, rstd, weight, rows, C, ranges);
    end(LAYERNORM_BACKWARD, begun, 0.0, floats(count(ranges->rows), C, 4.0)); /* dy, x and dx in, dx out */
}

/* ---- attention ---- */

/* A product over the pairs of a query and a key not after it, for all heads: 2 FLOP a channel and pair. Of it
 * the part for the tokens of `outputs`, as queries. */
static double causal_flop(int64_t T, int64_t C, int64_t H, dt_range outputs) {
    const int64_t width = C / H;
    double pairs = 0.0;
    for (int64_t h = 0; h < H; h++) {
        const dt_range own = dt_attention_tokens(outputs, h, T);
        if (own.first < own.end)
            pairs += (double)(own.end - own.first) * (double)(own.first + own.end + 1);
    }
    return (double)width * pairs;
}

/* Tokens of heads among `outputs`. */
static int64_t count_tokens(int64_t T, int64_t H, dt_range outputs) {
    int64_t tokens = 0;
    for (int64_t h = 0; h < H; h++) {
        const dt_range own = dt_attention_tokens(outputs, h, T);
        tokens += own.first < own.end ? count(own) : 0;
    }
    return tokens;
}

static void attention_forward(dt_operand *y, float *lse, const dt_operand *qkv, int64_t T, int64_t C,
                              int64_t H, const dt_dropout *drop, dt_range outputs, float *scratch) {
    const double begun = begin();
    timed.plain->attention->forward(y, lse, qkv, T, C, H, drop, outputs, scratch);
    /* q, k, v in, y out */
    end(ATTENTION_FORWARD, begun, 2.0 * causal_flop(T, C, H, outputs),
        operands(count_tokens(T, H, outputs), C / H, 4.0));
}

static void attention_backward(dt_operand *dqkv, const dt_operand *dy, const dt_operand *y, const float *lse,
                               const dt_operand *qkv, int64_t T, int64_t C, int64_t H, const dt_dropout *drop,
                               dt_range outputs, float *scratch) {
    const double begun = begin();
    timed.plain->attention->backward(dqkv, dy, y, lse, qkv, T, C, H, drop, outputs, scratch);
    /* q, k, v, y and dy in; dq, dk and dv out. That S is computed once more is not the model's. */
    end(ATTENTION_BACKWARD, begun, 4.0 * causal_flop(T, C, H, outputs),
        operands(count_tokens(T, H, outputs), C / H, 8.0));
}

/* ---- GELU ---- */

static void gelu_forward(dt_operand *y, const dt_operand *pre, dt_range rows, dt_gelu_shape shape) {
    const double begun = begin();
    timed.plain->gelu->forward(y, pre, rows, shape);
    /* its input in, its output out */
    end(GELU_FORWARD, begun, 0.0, operands(count(rows), shape.cols, 2.0));
}

static void gelu_backward(dt_operand *dpre, dt_operand *y, const dt_operand *dy, const dt_operand *pre,
                          dt_range rows, dt_gelu_shape shape) {
    const double begun = begin();
    timed.plain->gelu->backward(dpre, y, dy, pre, rows, shape);
    /* dy and input in; dx and the output out */
    end(GELU_BACKWARD, begun, 0.0, operands(count(rows), shape.cols, 4.0));
}

/* ---- residual ---- */

static void residual_forward(float *out, const float *residual, const float *x, const float *bias,
                             dt_range rows, int64_t C, const dt_dropout *drop, float *factor) {
    const double begun = begin();
    timed.plain->residual->forward(out, residual, x, bias, rows, C, drop, factor);
    end(RESIDUAL_FORWARD, begun, 0.0, floats(count(rows), C, 3.0)); /* both branches in, their sum out */
}

static void residual_backward(dt_operand *dx, const float *dout, dt_range rows, int64_t C,
                              const dt_dropout *drop, float *factor) {
    const double begun = begin();
    timed.plain->residual->backward(dx, dout, rows, C, drop, factor);
    /* dout in, dx out */
    end(RESIDUAL_BACKWARD, begun, 0.0, floats(count(rows), C, 1.0) + operands(count(rows), C, 1.0));
}

/* ---- loss ---- */

static void loss_backward(double *losses, float *logits, const int32_t *targets, dt_range rows, int64_t V,
                          int64_t stride, float scale) {
    const double begun = begin();
    timed.plain->loss->backward(losses, logits, targets, rows, V, stride, scale);
    /* The logits in, their gradient out. */
    end(LOSS, begun, 0.0, floats(count(rows), stride, 1.0) + operands(count(rows), stride, 1.0));
}

/* ---- matrix products ---- */

/* The row of a pass of the layer with the weights or gradient `at`, or -1. The head's weights are [V, C], so
 * its passes are those of a layer that goes the other way (math/linear.h). */
static int64_t find_row(pass which, const float *at) {
    static const pass of_head[] = {[PASS_FORWARD] = PASS_DX, [PASS_DX] = PASS_FORWARD, [PASS_DW] = PASS_DW};
    const int64_t row = find_product(at);
    return row < 0 ? -1 : row + (int64_t)(row == HEAD ? of_head[which] : which);
}

/* A product of the model is 2 FLOP for each number of n x in x out. Of it `tiles` of `all` were made, and as
 * much of its bytes is counted. */
static void end_product(int64_t row, double begun, const dt_linear_shape *s, dt_range tiles, dt_range all,
                        double bytes) {
    const double fraction = (double)count(tiles) / (double)all.end;
    if (row >= 0)
        end(row, begun, fraction * 2.0 * (double)s->rows * (double)s->in * (double)s->out, fraction * bytes);
}

/* Bytes of a y or dx. */
static double results(dt_result result, int64_t rows, int64_t cols) {
    return result == DT_RESULT_FLOAT ? floats(rows, cols, 1.0) : operands(rows, cols, 1.0);
}

static void linear_forward(void *y, dt_result result, const dt_operand *x, const dt_weight *w,
                           const float *bias, const dt_linear_shape *s, dt_range tiles, float *workspace) {
    const int64_t row = find_row(PASS_FORWARD, w->values);
    const double begun = begin();
    timed.plain->linear->forward(y, result, x, w, bias, s, tiles, workspace);
    end_product(row, begun, s, tiles, dt_linear_all_y(timed.plain->linear, s),
                operands(s->rows, s->in, 1.0) + operands(s->in, s->out, 1.0) +
                    results(result, s->rows, s->out));
}

static void linear_backward_input(void *dx, dt_result result, const dt_operand *dy, const dt_weight *w,
                                  const dt_linear_shape *s, dt_range tiles, float *workspace) {
    const int64_t row = find_row(PASS_DX, w->values);
    const double begun = begin();
    timed.plain->linear->backward_input(dx, result, dy, w, s, tiles, workspace);
    end_product(row, begun, s, tiles, dt_linear_all_dx(timed.plain->linear, s),
                operands(s->rows, s->out, 1.0) + operands(s->in, s->out, 1.0) +
                    results(result, s->rows, s->in));
}

static void linear_backward_weight(float *dw, float *dbias, const dt_operand *x, const dt_operand *dy,
                                   const dt_linear_shape *s, bool add, dt_range tiles, float *workspace) {
    const int64_t row = find_row(PASS_DW, dw);
    const double begun = begin();
    timed.plain->linear->backward_weight(dw, dbias, x, dy, s, add, tiles, workspace);
    end_product(row, begun, s, tiles, dt_linear_all_dw(timed.plain->linear, s),
                operands(s->rows, s->in, 1.0) + operands(s->rows, s->out, 1.0) +
                    floats(s->in, s->out, add ? 2.0 : 1.0));
}

/* ---- the set ---- */

/* A kernel that is new in one of these structs needs a wrapper and a row if a training step calls it. */
#define KERNELS_OF(type) (sizeof(struct type) / sizeof(void (*)(void)))
_Static_assert(KERNELS_OF(dt_embedding) == 3, "forward and both gradients are timed");
_Static_assert(KERNELS_OF(dt_layernorm) == 2, "forward and backward are timed");
_Static_assert(KERNELS_OF(dt_attention) == 4, "forward and backward are timed; generation calls query");
_Static_assert(KERNELS_OF(dt_gelu) == 2, "forward and backward are timed");
_Static_assert(KERNELS_OF(dt_residual) == 2, "forward and backward are timed");
_Static_assert(KERNELS_OF(dt_loss) == 2, "backward is timed; evaluation calls forward");
_Static_assert(KERNELS_OF(dt_linear) == 8, "three products are timed; who packs times that");

int64_t dt_timed_kernels_rows(void) {
    return ROWS;
}

const char *dt_timed_kernels_name(int64_t row) {
    return names[row];
}

const dt_kernels *dt_timed_kernels_of(const dt_kernels *plain, dt_spans *spans, dt_timed_finder finder) {
    static dt_kernels set;
    static struct dt_embedding embedding;
    static struct dt_layernorm layernorm;
    static struct dt_attention attention;
    static struct dt_gelu gelu;
    static struct dt_residual residual;
    static struct dt_loss loss;
    static struct dt_linear linear;
    timed.plain = plain;
    timed.spans = spans;
    timed.finder = finder;
    /* What a training step does not call stays the plain set's. */
    set = *plain;
    embedding = (struct dt_embedding){.forward = embedding_forward,
                                      .backward_positions = embedding_backward_positions,
                                      .backward_tokens = embedding_backward_tokens};
    layernorm = (struct dt_layernorm){.forward = layernorm_forward, .backward = layernorm_backward};
    attention = *plain->attention;
    attention.forward = attention_forward;
    attention.backward = attention_backward;
    gelu = (struct dt_gelu){.forward = gelu_forward, .backward = gelu_backward};
    residual = (struct dt_residual){.forward = residual_forward, .backward = residual_backward};
    loss = *plain->loss;
    loss.backward = loss_backward;
    linear = *plain->linear;
    linear.forward = linear_forward;
    linear.backward_input = linear_backward_input;
    linear.backward_weight = linear_backward_weight;
    set.embedding = &embedding;
    set.layernorm = &layernorm;
    set.attention = &attention;
    set.gelu = &gelu;
    set.residual = &residual;
    set.loss = &loss;
    set.linear = &linear;
    return &set;
}
