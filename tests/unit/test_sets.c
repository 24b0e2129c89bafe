/*
 * Every set of kernels computes the bits of every other: kernel by kernel in fp32, forward and backward, over
 * widths that leave a rest for every width of vectors, and with numbers at the edges of the format. A NaN
 * stands for any other, as its sign and payload are not defined. Sets that no one processor runs, NEON and
 * those of x86-64, are held together by the sum of all that was computed.
 */
#include "support/numbers.h"

#include "base/checksum.h"

/* The sum of all bits of each_kernel_has_the_bits_of_every_set. A change of it is a change of what a run
 * computes: docs/reproducibility.md says so then. */
#define ALL_BITS "208f89e1b0e4fd90"

/* Room for what a case writes; it returns how much it wrote. */
enum { FLOATS_MAX = 1 << 19 };
typedef int64_t case_function(const dt_kernels *k, int64_t size, const dt_dropout *drop, float *out);

static dt_checksum all_bits;

/* Takes in `n` numbers, any NaN as the same one. */
static void take(float *numbers, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (isnan(numbers[i]))
            numbers[i] = NAN;
    dt_checksum_add(&all_bits, numbers, (size_t)n * sizeof *numbers);
}

/* What must agree: the same function of every set on the same size, with and without dropout where it takes
 * one. */
static void compare(const char *what, case_function *run, int64_t size, bool drops) {
    static float first[FLOATS_MAX], found[FLOATS_MAX];
    const dt_dropout some = dt_dropout_at(6, 0.3, 1, DT_DROPOUT_ATTENTION, 4, 9);
    for (int dropping = 0; dropping < 1 + drops; dropping++) {
        const char *reference = "";
        for_each_kernels(k) {
            float *const out = *reference ? found : first;
            numbers_poison(out, FLOATS_MAX);
            const int64_t n = run(k, size, dropping ? &some : NULL, out);
            assert_true(n > 0 && n <= FLOATS_MAX);
            for (int64_t i = 0; *reference && i < n; i++)
                if (memcmp(&found[i], &first[i], sizeof *found) != 0 && !(isnan(found[i]) && isnan(first[i])))
                    fail_msg("%s of size %" PRId64 " at %" PRId64 ": %s has %.9g, %s has %.9g", what, size, i,
                             reference, (double)first[i], k->name, (double)found[i]);
            if (*reference == 0)
                take(first, n);
            reference = *reference ? reference : k->name;
        }
    }
}

/* Random numbers, and among them zeros, denormals, and such as overflow or vanish in a product. */
static float *wild(int64_t count, uint32_t seed) {
    static const float edges[] = {0.0f,    -0.0f, 0x1p-149f, -0x1.8p-130f, 1e-30f,
                                  -1e-20f, 1e18f, -90.0f,    88.0f};
    float *numbers = numbers_random(count, seed, 2.0);
    for (int64_t i = seed % 7; i < count; i += 7)
        numbers[i] = edges[(i / 7) % (int64_t)(sizeof edges / sizeof *edges)];
    return numbers;
}

static void free_all(float **arrays, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(arrays[i]);
}

#define FREE(...) free_all((float *[]){__VA_ARGS__}, sizeof(float *[]){__VA_ARGS__} / sizeof(float *))

static int64_t layernorm(const dt_kernels *k, int64_t C, const dt_dropout *drop, float *out) {
    enum { ROWS = 3 };
    (void)drop;
    float *x = numbers_random(ROWS * C, 1, 2.0), *dy = wild(ROWS * C, 2), *weight = numbers_random(C, 3, 1.0),
          *bias = numbers_random(C, 4, 1.0), *start = numbers_random(ROWS * C, 5, 1.0);
    float *mean = out, *rstd = mean + ROWS, *y = rstd + ROWS, *dx = y + ROWS * C, *dweight = dx + ROWS * C,
          *dbias = dweight + C;
    k->layernorm->forward(y, mean, rstd, x, weight, bias, dt_range_all(ROWS), C);
    memcpy(dx, start, (size_t)(ROWS * C) * sizeof *dx);
    k->layernorm->backward(dx, dweight, dbias, dy, x, mean, rstd, weight, ROWS, C,
                           &(dt_layernorm_ranges){dt_range_all(ROWS), dt_range_all(C)});
    FREE(x, dy, weight, bias, start);
    return dbias + C - out;
}

static int64_t gelu(const dt_kernels *k, int64_t count, const dt_dropout *drop, float *out) {
    (void)drop;
    float *pre = wild(count, 1), *dy = numbers_random(count, 2, 1.0);
    k->gelu->forward(out, pre, dt_range_all(1), (dt_gelu_shape){count, count});
    k->gelu->backward(out + count, out + 2 * count, dy, pre, dt_range_all(1), (dt_gelu_shape){count, count});
    FREE(pre, dy);
    return 3 * count;
}

static int64_t residual(const dt_kernels *k, int64_t C, const dt_dropout *drop, float *out) {
    enum { T = 3 };
    float *x = wild(T * C, 1), *stream = wild(T * C, 2), *bias = numbers_random(C, 3, 1.0),
          *factor = numbers_poisoned(DT_DROPOUT_FLOATS(C));
    k->residual->forward(out, stream, x, bias, dt_range_all(T), C, drop, factor);
    k->residual->backward(out + T * C, x, dt_range_all(T), C, drop, factor);
    FREE(x, stream, bias, factor);
    return 2 * T * C;
}

static int64_t embedding(const dt_kernels *k, int64_t C, const dt_dropout *drop, float *out) {
    enum { T = 9, V = 5 };
    float *wte = wild(V * C, 1), *wpe = wild(T * C, 2), *factor = numbers_poisoned(DT_DROPOUT_FLOATS(C));
    float *x = out, *dwte = x + T * C, *dwpe = dwte + V * C;
    int32_t *tokens = numbers_tokens(T, 3, V);
    k->embedding->forward(x, tokens, wte, wpe, 0, dt_range_all(T), C, drop, factor);
    memset(dwte, 0, (size_t)((V + T) * C) * sizeof *dwte);
    float *dx = numbers_copy(x, T * C);
    k->embedding->backward_positions(dwpe, dx, dt_range_all(T), C, drop, factor);
    k->embedding->backward_tokens(dwte, dx, tokens, T, C, dt_range_all(V));
    FREE(wte, wpe, factor, dx);
    free(tokens);
    return dwpe + T * C - out;
}

static int64_t loss(const dt_kernels *k, int64_t V, const dt_dropout *drop, float *out) {
    enum { ROWS = 5 };
    const int64_t stride = V + 13;
    (void)drop;
    float *logits = numbers_random(ROWS * stride, 1, 30.0);
    int32_t *targets = numbers_tokens(ROWS, 2, V);
    double losses[ROWS], sums[2];
    k->loss->forward(losses, logits, targets, dt_range_all(ROWS), V, stride);
    sums[0] = dt_loss_sum(losses, ROWS);
    k->loss->backward(losses, logits, targets, dt_range_all(ROWS), V, stride, 0.01f);
    sums[1] = dt_loss_sum(losses, ROWS);
    memcpy(out, sums, sizeof sums);
    memcpy(out + 4, logits, (size_t)(ROWS * stride) * sizeof *out);
    free(logits);
    free(targets);
    return 4 + ROWS * stride;
}

/* Sequences of T tokens in heads whose widths are odd, even and whole vectors. */
static int64_t attention(const dt_kernels *k, int64_t T, const dt_dropout *drop, float *out) {
    float *at = out;
    for (int64_t D = 5; D <= 64; D = D == 5 ? 16 : 4 * D) {
        const int64_t H = 2, C = H * D, n = T * C;
        float *qkv = numbers_random(3 * n, 1, 1.5), *dy = numbers_random(n, 2, 1.0),
              *scratch = numbers_poisoned(k->attention->scratch_floats(T, D));
        float *y = at, *lse = y + n, *dqkv = lse + H * T;
        k->attention->forward(y, lse, qkv, T, C, H, drop, dt_attention_all(T, H), scratch);
        k->attention->backward(dqkv, dy, y, lse, qkv, T, C, H, drop, dt_attention_all(T, H), scratch);
        at = dqkv + 3 * n;
        k->attention->query(at, qkv, T - 1, C, H, scratch);
        at += C;
        FREE(qkv, dy, scratch);
    }
    return at - out;
}

/* Three products of one layer, more than one block of k deep or wide where the size is. */
static int64_t linear(const dt_kernels *k, int64_t size, const dt_dropout *drop, float *out) {
    const int64_t rows = size / 3 + 1, in = size, width = size / 2 + 3;
    const dt_linear_shape shape = dt_linear_dense(rows, in, width);
    (void)drop;
    float *x = wild(rows * in, 1), *w = numbers_random(in * width, 2, 0.1), *dy = wild(rows * width, 3),
          *bias = numbers_random(width, 4, 1.0),
          *workspace = numbers_poisoned(k->linear->workspace_floats(rows, in, width));
    const dt_weight weight = {.values = w};
    float *y = out, *plain = y + rows * width, *dx = plain + rows * width, *dw = dx + rows * in,
          *dbias = dw + in * width;
    k->linear->forward(y, DT_RESULT_FLOAT, x, &weight, bias, &shape, dt_linear_all_y(k->linear, &shape),
                       workspace);
    k->linear->forward(plain, DT_RESULT_OPERAND, x, &weight, NULL, &shape, dt_linear_all_y(k->linear, &shape),
                       workspace);
    k->linear->backward_input(dx, DT_RESULT_FLOAT, dy, &weight, &shape, dt_linear_all_dx(k->linear, &shape),
                              workspace);
    k->linear->backward_weight(dw, dbias, x, dy, &shape, false, dt_linear_all_dw(k->linear, &shape),
                               workspace);
    FREE(x, w, dy, bias, workspace);
    return dbias + width - out;
}

static void each_kernel_has_the_bits_of_every_set(void **state) {
    (void)state;
    assert_int_equal(dt_checksum_create(&all_bits, 64), DT_OK);
    const int64_t widths[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 99, 128, 200};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        const int64_t n = widths[i];
        compare("layernorm", layernorm, n, false);
        compare("gelu", gelu, n, false);
        compare("residual", residual, n, true);
        compare("embedding", embedding, n, true);
        compare("loss", loss, n, false);
        compare("attention", attention, n, true);
        compare("linear", linear, n, false);
    }
    compare("gelu", gelu, 50000, false);
    compare("attention", attention, 331, true);
    compare("linear", linear, 600, false);
    char text[DT_CHECKSUM_TEXT_BYTES];
    dt_checksum_text(&all_bits, text);
    dt_checksum_free(&all_bits);
    assert_string_equal(text, ALL_BITS);
}

/* Puts what spoils every sum that it gets into behind row `t` of a matrix of `rows` rows. */
static void spoil_after(float *matrix, int64_t t, int64_t rows, int64_t width, float with) {
    for (int64_t i = (t + 1) * width; i < rows * width; i++)
        matrix[i] = with;
}

/*
 * A later token does not show, be it infinite or NaN: outputs, log-sum-exps and gradients of queries up to t
 * are the same bits whatever stands in q, k and v behind t. Nor do earlier tokens in gradients of keys and
 * values: those behind t are the same whatever dY of the queries up to t is.
 */
static void attention_sees_no_token_that_it_masks(void **state) {
    (void)state;
    enum { T = 61, D = 24, C = D };
    const int64_t n = T * C;
    for_each_kernels(k) for (int64_t t = 0; t + 1 < T; t += 5) for (int kind = 0; kind < 3; kind++) {
        const float with = kind == 0 ? NAN : kind == 1 ? INFINITY : -3.0f;
        float *qkv = numbers_random(3 * n, 1, 1.5), *dy = numbers_random(n, 2, 1.0), *y = numbers_poisoned(n),
              *lse = numbers_poisoned(T), *dqkv = numbers_poisoned(3 * n), *other = numbers_poisoned(n),
              *other_lse = numbers_poisoned(T), *other_dqkv = numbers_poisoned(3 * n),
              *scratch = numbers_poisoned(k->attention->scratch_floats(T, D));
        k->attention->forward(y, lse, qkv, T, C, 1, NULL, dt_attention_all(T, 1), scratch);
        k->attention->backward(dqkv, dy, y, lse, qkv, T, C, 1, NULL, dt_attention_all(T, 1), scratch);
        for (int64_t i = 0; i < (t + 1) * C; i++)
            dy[i] = with;
        k->attention->backward(other_dqkv, dy, y, lse, qkv, T, C, 1, NULL, dt_attention_all(T, 1), scratch);
        for (int64_t i = t + 1; i < T; i++)
            assert_same_bits(k->name, "dk and dv behind t", other_dqkv + 3 * i * C + C, dqkv + 3 * i * C + C,
                             2 * C);

        spoil_after(qkv, t, T, 3 * C, with);
        k->attention->forward(other, other_lse, qkv, T, C, 1, NULL, dt_attention_all(T, 1), scratch);
        assert_same_bits(k->name, "y up to t", other, y, (t + 1) * C);
        assert_same_bits(k->name, "lse up to t", other_lse, lse, t + 1);
        free(dy);
        dy = numbers_random(n, 2, 1.0);
        k->attention->backward(other_dqkv, dy, other, other_lse, qkv, T, C, 1, NULL, dt_attention_all(T, 1),
                               scratch);
        for (int64_t i = 0; i <= t; i++)
            assert_same_bits(k->name, "dq up to t", other_dqkv + 3 * i * C, dqkv + 3 * i * C, C);
        FREE(qkv, dy, y, lse, dqkv, other, other_lse, other_dqkv, scratch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kernel_has_the_bits_of_every_set),
        cmocka_unit_test(attention_sees_no_token_that_it_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
