/*
 * However the outputs of a kernel are shared out, in uneven ranges, in any order, each by itself, they are
 * the bits of one call: every kernel that takes a range, of every set in both compute dtypes.
 */
#include "support/case_memory.h"

/* In how many ways outputs are shared out; sanitizers, which make all of it ten times as long, see what they
 * look for in one.
 */
#ifdef DT_SANITIZED
enum { SHARINGS = 1 };
#else
enum { SHARINGS = 3 };
#endif

/* Space for the outputs of a case, in floats. */
#define FLOATS_MAX 100000

/* Computes `range` of a kernel's outputs into out[FLOATS_MAX], from inputs that are the same each time; all
 * of them where `range` is NULL. Returns how many there are. */
typedef int64_t case_function(const dt_kernels *k, const dt_dropout *drop, const dt_range *range, float *out);

enum { ROWS = 37, C = 45, V = CASE_TOKENS };

static float *factors(void) {
    return scratch(DT_DROPOUT_FLOATS(C));
}

static dt_range choose(const dt_range *range, int64_t count) {
    return range ? *range : dt_range_all(count);
}

/* ---- the kernels ---- */

static int64_t embedding_forward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                 float *out) {
    k->embedding->forward(out, tokens(ROWS, 1), floats(V * C, 2), floats(2 * ROWS * C, 3), 7,
                          choose(range, ROWS), C, drop, factors());
    return ROWS;
}

/* out: dwpe and dx, which the dropout changes in its place. */
static int64_t embedding_positions(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                   float *out) {
    k->embedding->backward_positions(out, out + ROWS * C, choose(range, ROWS), C, drop, factors());
    return ROWS;
}

static int64_t embedding_tokens(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                float *out) {
    (void)drop;
    k->embedding->backward_tokens(out, floats(ROWS * C, 2), tokens(ROWS, 1), ROWS, C, choose(range, V));
    return V;
}

static int64_t layernorm_forward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                 float *out) {
    (void)drop;
    k->layernorm->forward(out, out + ROWS * C, out + ROWS * C + ROWS, floats(ROWS * C, 1), floats(C, 2),
                          floats(C, 3), choose(range, ROWS), C);
    return ROWS;
}

/* Its outputs here: the rows of dx, then the columns of dweight and dbias. */
static int64_t layernorm_backward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                  float *out) {
    (void)drop;
    const dt_range chosen = choose(range, ROWS + C), rows = dt_range_within(0, ROWS, chosen),
                   cols = dt_range_within(ROWS, ROWS + C, chosen);
    const dt_layernorm_ranges both = {rows, {cols.first - ROWS, cols.end - ROWS}};
    k->layernorm->backward(out, out + ROWS * C, out + (ROWS + 1) * C, floats(ROWS * C, 1),
                           floats(ROWS * C, 2), floats(ROWS, 3), floats(ROWS, 4), floats(C, 5), ROWS, C,
                           &both);
    return ROWS + C;
}

static int64_t gelu_forward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range, float *out) {
    (void)drop;
    k->gelu->forward(out, operands(k, ROWS * C, 1), choose(range, ROWS), (dt_gelu_shape){C, C});
    return ROWS;
}

static int64_t gelu_backward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range, float *out) {
    (void)drop;
    k->gelu->backward(out, out + ROWS * C, operands(k, ROWS * C, 1), operands(k, ROWS * C, 2),
                      choose(range, ROWS), (dt_gelu_shape){C, C});
    return ROWS;
}

static int64_t residual_forward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                float *out) {
    k->residual->forward(out, floats(ROWS * C, 1), floats(ROWS * C, 2), floats(C, 3), choose(range, ROWS), C,
                         drop, factors());
    return ROWS;
}

static int64_t residual_backward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                 float *out) {
    k->residual->backward(out, floats(ROWS * C, 1), choose(range, ROWS), C, drop, factors());
    return ROWS;
}

static int64_t loss_forward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range, float *out) {
    (void)drop;
    k->loss->forward((double *)(void *)out, floats(ROWS * (V + 3), 1), tokens(ROWS, 2), choose(range, ROWS),
                     V, V + 3);
    return ROWS;
}

/* The logits, which are inputs too, are what stands in out[2 ROWS..) before. */
static int64_t loss_backward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range, float *out) {
    (void)drop;
    k->loss->backward((double *)(void *)out, out + 2 * ROWS, tokens(ROWS, 2), choose(range, ROWS), V, V + 3,
                      0.01f);
    return ROWS;
}

/* Three blocks of tokens in each of two heads; the last block is short, and its length odd. */
enum { T = 2 * DT_ATTENTION_BLOCK + 37, H = 2, D = 20, WIDTH = H * D };

static int64_t attention_forward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                 float *out) {
    const dt_range all = dt_attention_all(T, H);
    k->attention->forward(out + H * T, out, operands(k, 3 * T * WIDTH, 1), T, WIDTH, H, drop,
                          choose(range, all.end), scratch(k->attention->scratch_floats(T, D)));
    return all.end;
}

/* The forward pass that a backward pass follows: computed once for all calls with these kernels and dropout.
 */
static const dt_operand *attended(const dt_kernels *k, const dt_dropout *drop, const dt_operand *qkv,
                                  const float **lse) {
    static _Alignas(64) float y[T * WIDTH], lse_of_y[H * T];
    static const dt_kernels *of;
    static const dt_dropout *with;
    if (of != k || with != drop)
        k->attention->forward(y, lse_of_y, qkv, T, WIDTH, H, drop, dt_attention_all(T, H),
                              scratch(k->attention->scratch_floats(T, D)));
    of = k;
    with = drop;
    *lse = lse_of_y;
    return y;
}

/* With `spoilt`, dY has an infinity, which bf16 takes another way. */
static int64_t run_attention_backward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                      float *out, bool spoilt) {
    const dt_range all = dt_attention_all(T, H);
    dt_operand *dy = operands(k, T * WIDTH, spoilt ? 4 : 3);
    const dt_operand *qkv = operands(k, 3 * T * WIDTH, 1);
    const float *lse;
    const dt_operand *y = attended(k, drop, qkv, &lse);
    const int64_t at = (DT_ATTENTION_BLOCK + 3) * WIDTH + 5;
    if (spoilt && k->compute == DT_DTYPE_BF16)
        ((uint16_t *)dy)[at] = dt_bf16_round(INFINITY);
    else if (spoilt)
        ((float *)dy)[at] = INFINITY;
    k->attention->backward(out, dy, y, lse, qkv, T, WIDTH, H, drop, choose(range, all.end),
                           scratch(k->attention->scratch_floats(T, D)));
    return all.end;
}

static int64_t attention_backward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                  float *out) {
    return run_attention_backward(k, drop, range, out, false);
}

static int64_t attention_backward_of_infinity(const dt_kernels *k, const dt_dropout *drop,
                                              const dt_range *range, float *out) {
    return run_attention_backward(k, drop, range, out, true);
}

/* Three bands of rows by five panels, whose last is narrow; and more rows than one pass over k takes. */
enum { IN = 300, OUT = 140, MANY = 2100 };

/* The weights of a layer, packed where products take them so. */
static dt_weight weights(const dt_kernels *k, int64_t in, int64_t out) {
    const struct dt_linear *l = k->linear;
    dt_weight w = {.values = floats(in * out, 11)};
    if (k->compute == DT_DTYPE_BF16) {
        void *panels = scratch(l->panels_bytes(in, out) / (int64_t)sizeof(float)),
             *panels_t = scratch(l->panels_bytes(out, in) / (int64_t)sizeof(float));
        l->pack_weight(panels, w.values, in, out, false, dt_range_all(l->panel_count(in, out)));
        l->pack_weight(panels_t, w.values, in, out, true, dt_range_all(l->panel_count(out, in)));
        w.panels = panels;
        w.panels_t = panels_t;
    }
    return w;
}

static int64_t run_linear_forward(const dt_kernels *k, const dt_range *range, float *out, int64_t rows,
                                  dt_result result) {
    const dt_linear_shape s = {rows, IN, OUT, IN + 4, OUT + 6};
    const dt_weight w = weights(k, IN, OUT);
    const int64_t count = dt_linear_all_y(k->linear, &s).end;
    k->linear->forward(out, result, operands(k, rows * s.x_stride, 1), &w, floats(OUT, 2), &s,
                       choose(range, count), scratch(k->linear->workspace_floats(rows, IN, OUT)));
    return count;
}

static int64_t linear_forward(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                              float *out) {
    (void)drop;
    return run_linear_forward(k, range, out, 300, DT_RESULT_FLOAT);
}

static int64_t linear_forward_of_operands(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                          float *out) {
    (void)drop;
    return run_linear_forward(k, range, out, 300, DT_RESULT_OPERAND);
}

static int64_t linear_forward_of_a_row(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                       float *out) {
    (void)drop;
    return run_linear_forward(k, range, out, 1, DT_RESULT_FLOAT);
}

static int64_t run_linear_input(const dt_kernels *k, const dt_range *range, float *out, int64_t rows) {
    const dt_linear_shape s = {rows, IN, OUT, IN + 4, OUT + 6};
    const dt_weight w = weights(k, IN, OUT);
    const int64_t count = dt_linear_all_dx(k->linear, &s).end;
    k->linear->backward_input(out, DT_RESULT_FLOAT, operands(k, rows * s.y_stride, 1), &w, &s,
                              choose(range, count), scratch(k->linear->workspace_floats(rows, IN, OUT)));
    return count;
}

static int64_t linear_input(const dt_kernels *k, const dt_dropout *drop, const dt_range *range, float *out) {
    (void)drop;
    return run_linear_input(k, range, out, 300);
}

static int64_t linear_input_of_a_row(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                     float *out) {
    (void)drop;
    return run_linear_input(k, range, out, 1);
}

static int64_t linear_weight(const dt_kernels *k, const dt_dropout *drop, const dt_range *range, float *out) {
    (void)drop;
    const dt_linear_shape s = dt_linear_dense(MANY, IN, OUT);
    const int64_t count = dt_linear_all_dw(k->linear, &s).end;
    k->linear->backward_weight(out, out + IN * OUT, operands(k, MANY * IN, 1), operands(k, MANY * OUT, 2), &s,
                               false, choose(range, count),
                               scratch(k->linear->workspace_floats(MANY, IN, OUT)));
    return count;
}

/* Added to the numbers that stand in `out`. */
static int64_t linear_weight_added(const dt_kernels *k, const dt_dropout *drop, const dt_range *range,
                                   float *out) {
    (void)drop;
    const dt_linear_shape s = dt_linear_dense(MANY, IN, OUT);
    const int64_t count = dt_linear_all_dw(k->linear, &s).end;
    k->linear->backward_weight(out, NULL, operands(k, MANY * IN, 1), operands(k, MANY * OUT, 2), &s, true,
                               choose(range, count), scratch(k->linear->workspace_floats(MANY, IN, OUT)));
    return count;
}

/* ---- cutting ---- */

/* `out` before a case: numbers, as some kernels add to what is there. */
static void start(float *out) {
    memcpy(out, floats(FLOATS_MAX, 99), FLOATS_MAX * sizeof *out);
}

/* Computes [0, count) in ranges with random ends, of which some may be empty: every second first. */
static void run_cut(case_function *run, const dt_kernels *k, const dt_dropout *drop, int64_t count,
                    uint32_t seed, float *out) {
    enum { CUTS = 6 };
    int64_t ends[CUTS + 2] = {0, [CUTS + 1] = count};
    for (int i = 1; i <= CUTS; i++) {
        const int64_t end = dt_philox((dt_philox_key){seed, 7}, (uint32_t)i, 0, 0, 0).w0 % (count + 1);
        int at = i;
        for (; at > 1 && ends[at - 1] > end; at--)
            ends[at] = ends[at - 1];
        ends[at] = end;
    }
    for (int parity = 1; parity >= 0; parity--)
        for (int i = parity; i <= CUTS; i += 2) {
            (void)run(k, drop, &(dt_range){ends[i], ends[i + 1]}, out);
            free_blocks();
        }
}

/* The same bits, or both NaN, as floats or as operands: no NaN has a defined payload. */
static bool agree(const float *a, const float *b, int64_t i) {
    const uint16_t *c = (const uint16_t *)a, *d = (const uint16_t *)b;
    if (memcmp(&a[i], &b[i], sizeof *a) == 0 || (isnan(a[i]) && isnan(b[i])))
        return true;
    for (int64_t h = 2 * i; h < 2 * i + 2; h++)
        if (c[h] != d[h] && !(isnan(dt_bf16_widen(c[h])) && isnan(dt_bf16_widen(d[h]))))
            return false;
    return true;
}

static void compare(const char *what, case_function *run, bool drops) {
    static _Alignas(64) float whole[FLOATS_MAX], cut[FLOATS_MAX];
    const dt_dropout some = dt_dropout_at(6, 0.3, 1, DT_DROPOUT_ATTENTION, 4, 9);
    for_every_kernels(k) for (int dropping = 0; dropping < 1 + drops; dropping++) {
        const dt_dropout *drop = dropping ? &some : NULL;
        start(whole);
        const int64_t count = run(k, drop, NULL, whole);
        free_blocks();
        assert_true(count > 1);
        for (uint32_t seed = 1; seed <= SHARINGS; seed++) {
            start(cut);
            run_cut(run, k, drop, count, seed, cut);
            for (int64_t i = 0; i < FLOATS_MAX; i++)
                if (!agree(cut, whole, i))
                    fail_msg("%s of %s, %s: [%" PRId64 "] is %.9g when cut, and %.9g in one call", what,
                             k->name, dt_dtype_names[k->compute], i, (double)cut[i], (double)whole[i]);
        }
    }
    free_inputs();
}

#define COMPARE(name, drops)                                                                                 \
    static void name##_can_be_cut(void **state) {                                                            \
        (void)state;                                                                                         \
        compare(#name, name, drops);                                                                         \
    }
COMPARE(embedding_forward, true)
COMPARE(embedding_positions, true)
COMPARE(embedding_tokens, false)
COMPARE(layernorm_forward, false)
COMPARE(layernorm_backward, false)
COMPARE(gelu_forward, false)
COMPARE(gelu_backward, false)
COMPARE(residual_forward, true)
COMPARE(residual_backward, true)
COMPARE(loss_forward, false)
COMPARE(loss_backward, false)
COMPARE(attention_forward, true)
COMPARE(attention_backward, true)
COMPARE(attention_backward_of_infinity, true)
COMPARE(linear_forward, false)
COMPARE(linear_forward_of_operands, false)
COMPARE(linear_forward_of_a_row, false)
COMPARE(linear_input, false)
COMPARE(linear_input_of_a_row, false)
COMPARE(linear_weight, false)
COMPARE(linear_weight_added, false)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedding_forward_can_be_cut),
        cmocka_unit_test(embedding_positions_can_be_cut),
        cmocka_unit_test(embedding_tokens_can_be_cut),
        cmocka_unit_test(layernorm_forward_can_be_cut),
        cmocka_unit_test(layernorm_backward_can_be_cut),
        cmocka_unit_test(gelu_forward_can_be_cut),
        cmocka_unit_test(gelu_backward_can_be_cut),
        cmocka_unit_test(residual_forward_can_be_cut),
        cmocka_unit_test(residual_backward_can_be_cut),
        cmocka_unit_test(loss_forward_can_be_cut),
        cmocka_unit_test(loss_backward_can_be_cut),
        cmocka_unit_test(attention_forward_can_be_cut),
        cmocka_unit_test(attention_backward_can_be_cut),
        cmocka_unit_test(attention_backward_of_infinity_can_be_cut),
        cmocka_unit_test(linear_forward_can_be_cut),
        cmocka_unit_test(linear_forward_of_operands_can_be_cut),
        cmocka_unit_test(linear_forward_of_a_row_can_be_cut),
        cmocka_unit_test(linear_input_can_be_cut),
        cmocka_unit_test(linear_input_of_a_row_can_be_cut),
        cmocka_unit_test(linear_weight_can_be_cut),
        cmocka_unit_test(linear_weight_added_can_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
