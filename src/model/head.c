/* One loop over blocks for the loss, one for the loss and its gradient. */
#include "model/head.h"

#include "base/assert.h"

/* The head as a linear layer of `rows` rows, whose input are logits `stride` elements apart. */
static dt_linear_shape shape_of(const dt_gpt *gpt, int64_t rows, int64_t stride) {
    return (dt_linear_shape){rows, gpt->layout->shape.V, gpt->layout->shape.C, stride, gpt->layout->shape.C};
}

/* The block of rows that begins at `first`. A single row left over goes with the block before: products of
 * one row have kernels and an order of sums of their own. */
static dt_range block_at(const dt_activations *a, int64_t first, int64_t n) {
    const int64_t end = first + a->logits_rows;
    return (dt_range){first, end < n - 1 ? end : n};
}

/* The last LayerNorm's output from row `first` on. */
static dt_operand *outputs_at(const dt_gpt *gpt, const dt_activations *a, int64_t first) {
    return dt_kernels_operand(gpt->kernels, a->ln_f, first * gpt->layout->shape.C);
}

void dt_head_logits(const dt_gpt *gpt, const dt_weights *weights, dt_range rows, dt_activations *a,
                    const dt_team *team) {
    DT_ASSERT(rows.first < rows.end && dt_range_is_within(rows, a->sequences * gpt->layout->shape.T));
    DT_ASSERT(rows.end - rows.first <= a->logits_rows + 1);
    const struct dt_linear *linear = gpt->kernels->linear;
    const dt_linear_shape head = shape_of(gpt, rows.end - rows.first, a->logits_stride);
    linear->backward_input(a->logits, DT_RESULT_FLOAT, outputs_at(gpt, a, rows.first), &weights->wte, &head,
                           dt_team_slice(team, dt_linear_all_dx(linear, &head).end), team->scratch->products);
    dt_team_meet(team);
}

double dt_head_loss(const dt_gpt *gpt, const dt_weights *weights, int64_t n, dt_activations *a,
                    const dt_team *team) {
    for (dt_range rows = {0}; rows.end < n;) {
        rows = block_at(a, rows.end, n);
        dt_head_logits(gpt, weights, rows, a, team);
        gpt->kernels->loss->forward(a->losses + rows.first, a->logits, a->targets + rows.first,
                                    dt_team_slice(team, rows.end - rows.first), gpt->layout->shape.V,
                                    a->logits_stride);
        dt_team_meet(team);
    }
    return dt_loss_sum(a->losses, n);
}

/* dX and dW of a block, from the gradient of its logits. */
static void pull_block(const dt_gpt *gpt, const dt_weights *weights, dt_range rows, dt_activations *a,
                       const dt_team *team, float *dwte) {
    const dt_kernels *k = gpt->kernels;
    const int64_t stride = a->logits_stride * (int64_t)sizeof *a->logits / k->operand_bytes;
    const dt_linear_shape head = shape_of(gpt, rows.end - rows.first, stride);
    const dt_operand *dlogits = a->logits;
    k->linear->backward_weight(dwte, NULL, dlogits, outputs_at(gpt, a, rows.first), &head, rows.first > 0,
                               dt_team_slice(team, dt_linear_all_dw(k->linear, &head).end),
                               team->scratch->products);
    k->linear->forward(a->dnorm + rows.first * gpt->layout->shape.C, DT_RESULT_FLOAT, dlogits, &weights->wte,
                       NULL, &head, dt_team_slice(team, dt_linear_all_y(k->linear, &head).end),
                       team->scratch->products);
    dt_team_meet(team);
}

double dt_head_backward(const dt_gpt *gpt, const dt_weights *weights, int64_t n, float scale,
                        dt_activations *a, const dt_team *team, float *dwte) {
    for (dt_range rows = {0}; rows.end < n;) {
        rows = block_at(a, rows.end, n);
        dt_head_logits(gpt, weights, rows, a, team);
        gpt->kernels->loss->backward(a->losses + rows.first, a->logits, a->targets + rows.first,
                                     dt_team_slice(team, rows.end - rows.first), gpt->layout->shape.V,
                                     a->logits_stride, scale);
        dt_team_meet(team);
        pull_block(gpt, weights, rows, a, team, dwte);
    }
    return dt_loss_sum(a->losses, n);
}
