/* Three products and a sum of columns. */
#include "math/linear.h"

#include <string.h>

#define gemm DT_ISA_NAME(dt_gemm)

static void forward(float *y, const float *x, const float *w, const float *bias, int64_t rows, int64_t in,
                    int64_t out, float *room) {
    gemm.multiply(&(dt_product){.m = rows,
                                .n = out,
                                .k = in,
                                .a = x,
                                .a_stride = in,
                                .b = w,
                                .b_stride = out,
                                .c = y,
                                .c_stride = out,
                                .bias = bias},
                  room);
}

static void backward_input(float *dx, const float *dy, const float *w, int64_t rows, int64_t in, int64_t out,
                           float *room) {
    gemm.multiply(&(dt_product){.transpose_b = true,
                                .m = rows,
                                .n = in,
                                .k = out,
                                .a = dy,
                                .a_stride = out,
                                .b = w,
                                .b_stride = out,
                                .c = dx,
                                .c_stride = in},
                  room);
}

static void backward_weight(float *dw, float *restrict dbias, const float *x, const float *restrict dy,
                            int64_t rows, int64_t in, int64_t out, float *room) {
    gemm.multiply(&(dt_product){.transpose_a = true,
                                .m = in,
                                .n = out,
                                .k = rows,
                                .a = x,
                                .a_stride = in,
                                .b = dy,
                                .b_stride = out,
                                .c = dw,
                                .c_stride = out},
                  room);
    memcpy(dbias, dy, (size_t)out * sizeof *dbias);
    for (int64_t i = 1; i < rows; i++)
        for (int64_t j = 0; j < out; j++)
            dbias[j] += dy[i * out + j];
}

const struct dt_linear DT_ISA_NAME(dt_linear) = {forward, backward_input, backward_weight};
