/* Three products and a sum of columns. A single row is bound by reading w, and has kernels of its own. */
#include "math/linear.h"

#include <stddef.h>
#include <string.h>

#include "math/matvec.h"

#define gemm   DT_ISA_NAME(dt_gemm)
#define matvec DT_ISA_NAME(dt_matvec)

static void forward(void *y, dt_result result, const dt_operand *x, const dt_weight *w, const float *bias,
                    const dt_linear_shape *s, float *room) {
    (void)result;
    if (s->rows == 1)
        matvec.forward(y, x, w->values, bias, s->in, s->out);
    else
        gemm.multiply(&(dt_product){.m = s->rows,
                                    .n = s->out,
                                    .k = s->in,
                                    .a = x,
                                    .a_stride = s->x_stride,
                                    .b = w->values,
                                    .b_stride = s->out,
                                    .c = y,
                                    .c_stride = s->y_stride,
                                    .bias = bias},
                      room);
}

static void backward_input(void *dx, dt_result result, const dt_operand *dy, const dt_weight *w,
                           const dt_linear_shape *s, float *room) {
    (void)result;
    if (s->rows == 1)
        matvec.transposed(dx, dy, w->values, s->in, s->out);
    else
        gemm.multiply(&(dt_product){.transpose_b = true,
                                    .m = s->rows,
                                    .n = s->in,
                                    .k = s->out,
                                    .a = dy,
                                    .a_stride = s->y_stride,
                                    .b = w->values,
                                    .b_stride = s->out,
                                    .c = dx,
                                    .c_stride = s->x_stride},
                      room);
}

static void add_rows(float *restrict sum, const float *restrict dy, const dt_linear_shape *s) {
    memcpy(sum, dy, (size_t)s->out * sizeof *sum);
    for (int64_t i = 1; i < s->rows; i++)
        for (int64_t j = 0; j < s->out; j++)
            sum[j] += dy[i * s->y_stride + j];
}

static void backward_weight(float *dw, float *dbias, const dt_operand *x, const dt_operand *dy,
                            const dt_linear_shape *s, float *room) {
    gemm.multiply(&(dt_product){.transpose_a = true,
                                .m = s->in,
                                .n = s->out,
                                .k = s->rows,
                                .a = x,
                                .a_stride = s->x_stride,
                                .b = dy,
                                .b_stride = s->y_stride,
                                .c = dw,
                                .c_stride = s->out},
                  room);
    if (dbias)
        add_rows(dbias, dy, s);
}

static int64_t room_floats(int64_t rows, int64_t in, int64_t out) {
    (void)rows, (void)in, (void)out;
    return DT_GEMM_ROOM;
}

const struct dt_linear DT_COMPUTE_NAME(dt_linear) = {.forward = forward,
                                                     .backward_input = backward_input,
                                                     .backward_weight = backward_weight,
                                                     .room_floats = room_floats};
