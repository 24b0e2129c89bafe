/* The rows, and the calls that they stand for. */
#include "bench/part.h"

#include <string.h>

#include "base/memory.h"

/* How often a leaf calls a part. */
typedef enum occurrence { ONCE, EACH_LAYER, TWICE_A_LAYER, EACH_NORM } occurrence;

/* One matrix product y[n, out] = x[n, in] w[in, out], or what its backward pass makes of it. */
typedef struct product {
    const float *x, *w, *bias, *dy;
    float *y, *dx, *dw, *dbias;
    int64_t in, out;
    int64_t stride; /* of y and dy, for the head */
} product;

typedef struct row {
    const char *name;
    occurrence occurs;
    void (*run)(const dt_part_leaf *at);
    product (*operands)(const dt_part_leaf *at);                /* of a matrix product, else NULL */
    void (*multiply)(const dt_part_leaf *at, const product *p); /* which of its three forms */
    int64_t attention_products;                                 /* T x T by D, causal: their number */
    int64_t floats_C, floats_F, floats_V; /* moved a token, in units of C, F and padded V */
} row;

/* The layer's input: the residual stream before it. */
static const float *input_of(const dt_part_leaf *at) {
    return at->layer > 0 ? at->activations->layer[at->layer - 1].output : at->activations->input;
}

static int64_t rows_of(const dt_part_leaf *at) {
    return at->leaf->sequences * at->gpt->layout->shape.T;
}

static void embedding_forward(const dt_part_leaf *at) {
    const int64_t T = at->gpt->layout->shape.T, C = at->gpt->layout->shape.C;
    dt_activations *a = at->activations;
    for (int64_t s = 0; s < at->leaf->sequences; s++) {
        dt_dropout drop;
        at->gpt->kernels->embedding->forward(
            a->input + s * T * C, at->leaf->windows[s], at->weights->wte, at->weights->wpe, 0, T, C,
            dt_gpt_dropout(at->gpt, at->leaf, s, 0, DT_DROPOUT_EMBEDDING, &drop), a->scratch);
    }
}

static void embedding_backward(const dt_part_leaf *at) {
    const int64_t T = at->gpt->layout->shape.T, C = at->gpt->layout->shape.C;
    dt_activations *a = at->activations;
    memset(at->gradient->wpe, 0, (size_t)(T * C) * sizeof(float));
    for (int64_t s = 0; s < at->leaf->sequences; s++) {
        dt_dropout drop;
        at->gpt->kernels->embedding->backward(
            at->gradient->wte, at->gradient->wpe, a->dx + s * T * C, at->leaf->windows[s], T, C,
            dt_gpt_dropout(at->gpt, at->leaf, s, 0, DT_DROPOUT_EMBEDDING, &drop), a->scratch);
    }
}

static void layernorm_forward(const dt_part_leaf *at) {
    dt_layer_activations *l = &at->activations->layer[at->layer];
    const dt_gpt_layer *w = &at->weights->layer[at->layer];
    at->gpt->kernels->layernorm->forward(l->ln_1, l->mean_1, l->rstd_1, input_of(at), w->ln_1_weight,
                                         w->ln_1_bias, rows_of(at), at->gpt->layout->shape.C);
}

static void layernorm_backward(const dt_part_leaf *at) {
    const dt_layer_activations *l = &at->activations->layer[at->layer];
    const dt_gpt_layer *d = &at->gradient->layer[at->layer];
    at->gpt->kernels->layernorm->backward(
        at->activations->dx, d->ln_1_weight, d->ln_1_bias, at->activations->dnorm, input_of(at), l->mean_1,
        l->rstd_1, at->weights->layer[at->layer].ln_1_weight, rows_of(at), at->gpt->layout->shape.C);
}

static void attention_forward(const dt_part_leaf *at) {
    const int64_t T = at->gpt->layout->shape.T, C = at->gpt->layout->shape.C, H = at->gpt->layout->shape.H;
    dt_layer_activations *l = &at->activations->layer[at->layer];
    for (int64_t s = 0; s < at->leaf->sequences; s++) {
        dt_dropout drop;
        at->gpt->kernels->attention->forward(
            (float *)l->attended + s * T * C, l->lse + s * H * T, (float *)l->qkv + s * T * 3 * C, T, C, H,
            dt_gpt_dropout(at->gpt, at->leaf, s, at->layer, DT_DROPOUT_ATTENTION, &drop),
            at->activations->scratch);
    }
}

static void attention_backward(const dt_part_leaf *at) {
    const int64_t T = at->gpt->layout->shape.T, C = at->gpt->layout->shape.C, H = at->gpt->layout->shape.H;
    dt_activations *a = at->activations;
    const dt_layer_activations *l = &a->layer[at->layer];
    for (int64_t s = 0; s < at->leaf->sequences; s++) {
        dt_dropout drop;
        const int64_t first = s * T * C;
        at->gpt->kernels->attention->backward(
            (float *)a->dqkv + 3 * first, a->dnorm + first, (float *)l->attended + first, l->lse + s * H * T,
            (float *)l->qkv + 3 * first, T, C, H,
            dt_gpt_dropout(at->gpt, at->leaf, s, at->layer, DT_DROPOUT_ATTENTION, &drop), a->scratch);
    }
}

static void gelu_forward(const dt_part_leaf *at) {
    dt_layer_activations *l = &at->activations->layer[at->layer];
    at->gpt->kernels->gelu->forward(at->activations->act, l->pre, rows_of(at) * at->gpt->layout->shape.F);
}

static void gelu_backward(const dt_part_leaf *at) {
    dt_activations *a = at->activations;
    at->gpt->kernels->gelu->backward(a->dact, a->act, a->dact, a->layer[at->layer].pre,
                                     rows_of(at) * at->gpt->layout->shape.F);
}

static void residual_forward(const dt_part_leaf *at) {
    const int64_t T = at->gpt->layout->shape.T, C = at->gpt->layout->shape.C;
    dt_activations *a = at->activations;
    for (int64_t s = 0; s < at->leaf->sequences; s++) {
        dt_dropout drop;
        const int64_t first = s * T * C;
        at->gpt->kernels->residual->forward(
            a->layer[at->layer].middle + first, input_of(at) + first, a->projection + first,
            at->weights->layer[at->layer].attn_proj_bias, T, C,
            dt_gpt_dropout(at->gpt, at->leaf, s, at->layer, DT_DROPOUT_RESIDUAL_1, &drop), a->scratch);
    }
}

static void residual_backward(const dt_part_leaf *at) {
    const int64_t T = at->gpt->layout->shape.T, C = at->gpt->layout->shape.C;
    dt_activations *a = at->activations;
    for (int64_t s = 0; s < at->leaf->sequences; s++) {
        dt_dropout drop;
        at->gpt->kernels->residual->backward(
            a->projection + s * T * C, a->dx + s * T * C, T, C,
            dt_gpt_dropout(at->gpt, at->leaf, s, at->layer, DT_DROPOUT_RESIDUAL_1, &drop), a->scratch);
    }
}

static void loss(const dt_part_leaf *at) {
    dt_activations *a = at->activations;
    (void)at->gpt->kernels->loss->backward(a->logits, a->targets, rows_of(at), at->gpt->layout->shape.V,
                                           a->logits_stride, 1e-3f);
}

static product c_attn(const dt_part_leaf *at) {
    dt_activations *a = at->activations;
    const dt_layer_activations *l = &a->layer[at->layer];
    const dt_gpt_layer *w = &at->weights->layer[at->layer], *d = &at->gradient->layer[at->layer];
    return (product){.x = l->ln_1,
                     .w = w->c_attn_weight,
                     .bias = w->c_attn_bias,
                     .y = l->qkv,
                     .dy = a->dqkv,
                     .dx = a->dnorm,
                     .dw = d->c_attn_weight,
                     .dbias = d->c_attn_bias,
                     .in = at->gpt->layout->shape.C,
                     .out = 3 * at->gpt->layout->shape.C};
}

static product attn_proj(const dt_part_leaf *at) {
    dt_activations *a = at->activations;
    const dt_gpt_layer *w = &at->weights->layer[at->layer], *d = &at->gradient->layer[at->layer];
    return (product){.x = a->layer[at->layer].attended,
                     .w = w->attn_proj_weight,
                     .y = a->projection,
                     .dy = a->projection,
                     .dx = a->dnorm,
                     .dw = d->attn_proj_weight,
                     .dbias = d->attn_proj_bias,
                     .in = at->gpt->layout->shape.C,
                     .out = at->gpt->layout->shape.C};
}

static product c_fc(const dt_part_leaf *at) {
    dt_activations *a = at->activations;
    const dt_gpt_layer *w = &at->weights->layer[at->layer], *d = &at->gradient->layer[at->layer];
    return (product){.x = a->layer[at->layer].ln_2,
                     .w = w->c_fc_weight,
                     .bias = w->c_fc_bias,
                     .y = a->layer[at->layer].pre,
                     .dy = a->dact,
                     .dx = a->dnorm,
                     .dw = d->c_fc_weight,
                     .dbias = d->c_fc_bias,
                     .in = at->gpt->layout->shape.C,
                     .out = at->gpt->layout->shape.F};
}

static product mlp_proj(const dt_part_leaf *at) {
    dt_activations *a = at->activations;
    const dt_gpt_layer *w = &at->weights->layer[at->layer], *d = &at->gradient->layer[at->layer];
    return (product){.x = a->act,
                     .w = w->mlp_proj_weight,
                     .y = a->projection,
                     .dy = a->projection,
                     .dx = a->dact,
                     .dw = d->mlp_proj_weight,
                     .dbias = d->mlp_proj_bias,
                     .in = at->gpt->layout->shape.F,
                     .out = at->gpt->layout->shape.C};
}

/* The head's weight is the token embedding, [V, C]: w transposed. */
static product head(const dt_part_leaf *at) {
    dt_activations *a = at->activations;
    return (product){.x = a->ln_f,
                     .w = at->weights->wte,
                     .y = a->logits,
                     .dy = a->logits,
                     .dx = a->dnorm,
                     .dw = at->gradient->wte,
                     .in = at->gpt->layout->shape.C,
                     .out = at->gpt->layout->shape.V,
                     .stride = a->logits_stride};
}

static void forward(const dt_part_leaf *at, const product *p) {
    const dt_linear_shape shape = dt_linear_dense(rows_of(at), p->in, p->out);
    at->gpt->kernels->linear->forward(p->y, DT_RESULT_FLOAT, p->x, &(dt_weight){.values = p->w}, p->bias,
                                      &shape, at->activations->room);
}

static void backward_input(const dt_part_leaf *at, const product *p) {
    const dt_linear_shape shape = dt_linear_dense(rows_of(at), p->in, p->out);
    at->gpt->kernels->linear->backward_input(p->dx, DT_RESULT_FLOAT, p->dy, &(dt_weight){.values = p->w},
                                             &shape, at->activations->room);
}

static void backward_weight(const dt_part_leaf *at, const product *p) {
    const dt_linear_shape shape = dt_linear_dense(rows_of(at), p->in, p->out);
    at->gpt->kernels->linear->backward_weight(p->dw, p->dbias, p->x, p->dy, &shape, at->activations->room);
}

/* The head's products are a linear layer's read the other way round (math/linear.h). */
static void head_forward(const dt_part_leaf *at, const product *p) {
    const dt_linear_shape shape = {rows_of(at), p->out, p->in, p->stride, p->in};
    at->gpt->kernels->linear->backward_input(p->y, DT_RESULT_FLOAT, p->x, &(dt_weight){.values = p->w},
                                             &shape, at->activations->room);
}

static void head_backward_input(const dt_part_leaf *at, const product *p) {
    const dt_linear_shape shape = {rows_of(at), p->out, p->in, p->stride, p->in};
    at->gpt->kernels->linear->forward(p->dx, DT_RESULT_FLOAT, p->dy, &(dt_weight){.values = p->w}, NULL,
                                      &shape, at->activations->room);
}

static void head_backward_weight(const dt_part_leaf *at, const product *p) {
    const dt_linear_shape shape = {rows_of(at), p->out, p->in, p->stride, p->in};
    at->gpt->kernels->linear->backward_weight(p->dw, NULL, p->dy, p->x, &shape, at->activations->room);
}

/*
 * Floats moved a token, beside matrix products: embedding reads wte and wpe and writes x, and backward reads
 * dx and adds to both gradients; LayerNorm x -> y, and dy, x and dx -> dx; attention qkv -> y, and qkv, dy, y
 * -> dqkv; GELU pre -> pre and act, and dy, pre -> dpre and act; residual residual, x -> out, and dout -> dx;
 * loss logits -> logits.
 */
static const row rows[] = {
    {.name = "embedding forward", .occurs = ONCE, .run = embedding_forward, .floats_C = 3},
    {.name = "embedding backward", .occurs = ONCE, .run = embedding_backward, .floats_C = 5},
    {.name = "layernorm forward", .occurs = EACH_NORM, .run = layernorm_forward, .floats_C = 2},
    {.name = "layernorm backward", .occurs = EACH_NORM, .run = layernorm_backward, .floats_C = 4},
    {.name = "c_attn forward", .occurs = EACH_LAYER, .operands = c_attn, .multiply = forward},
    {.name = "c_attn dX", .occurs = EACH_LAYER, .operands = c_attn, .multiply = backward_input},
    {.name = "c_attn dW", .occurs = EACH_LAYER, .operands = c_attn, .multiply = backward_weight},
    {.name = "attention forward",
     .occurs = EACH_LAYER,
     .run = attention_forward,
     .attention_products = 2,
     .floats_C = 4},
    {.name = "attention backward",
     .occurs = EACH_LAYER,
     .run = attention_backward,
     .attention_products = 4,
     .floats_C = 8},
    {.name = "attn.c_proj forward", .occurs = EACH_LAYER, .operands = attn_proj, .multiply = forward},
    {.name = "attn.c_proj dX", .occurs = EACH_LAYER, .operands = attn_proj, .multiply = backward_input},
    {.name = "attn.c_proj dW", .occurs = EACH_LAYER, .operands = attn_proj, .multiply = backward_weight},
    {.name = "c_fc forward", .occurs = EACH_LAYER, .operands = c_fc, .multiply = forward},
    {.name = "c_fc dX", .occurs = EACH_LAYER, .operands = c_fc, .multiply = backward_input},
    {.name = "c_fc dW", .occurs = EACH_LAYER, .operands = c_fc, .multiply = backward_weight},
    {.name = "gelu forward", .occurs = EACH_LAYER, .run = gelu_forward, .floats_F = 3},
    {.name = "gelu backward", .occurs = EACH_LAYER, .run = gelu_backward, .floats_F = 4},
    {.name = "mlp.c_proj forward", .occurs = EACH_LAYER, .operands = mlp_proj, .multiply = forward},
    {.name = "mlp.c_proj dX", .occurs = EACH_LAYER, .operands = mlp_proj, .multiply = backward_input},
    {.name = "mlp.c_proj dW", .occurs = EACH_LAYER, .operands = mlp_proj, .multiply = backward_weight},
    {.name = "dropout+residual forward", .occurs = TWICE_A_LAYER, .run = residual_forward, .floats_C = 3},
    {.name = "dropout+residual backward", .occurs = TWICE_A_LAYER, .run = residual_backward, .floats_C = 2},
    {.name = "head forward", .occurs = ONCE, .operands = head, .multiply = head_forward},
    {.name = "head dX", .occurs = ONCE, .operands = head, .multiply = head_backward_input},
    {.name = "head dW", .occurs = ONCE, .operands = head, .multiply = head_backward_weight},
    {.name = "loss", .occurs = ONCE, .run = loss, .floats_V = 2},
};

int64_t dt_part_leaf_count(void) {
    return (int64_t)(sizeof rows / sizeof *rows);
}

static int64_t calls_of(occurrence occurs, int64_t n_layers) {
    switch (occurs) {
    case EACH_LAYER:
        return n_layers;
    case TWICE_A_LAYER:
        return 2 * n_layers;
    case EACH_NORM:
        return 2 * n_layers + 1;
    case ONCE:
        break;
    }
    return 1;
}

dt_part dt_part_of_leaf(int64_t index, const dt_shape *shape, int64_t sequences) {
    const row *r = &rows[index];
    const double C = (double)shape->C, T = (double)shape->T, n = (double)sequences * T;
    dt_part part = {.name = r->name, .of_leaf = true, .calls = calls_of(r->occurs, shape->n_layers)};
    if (r->operands) {
        /* Only the sides count here, so a leaf that points nowhere will do. */
        dt_layout layout = {.shape = *shape};
        const dt_gpt gpt = {.layout = &layout};
        dt_layer_activations no_layer = {0};
        dt_activations nothing = {.layer = &no_layer};
        dt_gpt_layer no_weights = {0};
        const dt_gpt_view no_view = {.layer = &no_weights};
        const product p = r->operands(
            &(dt_part_leaf){.gpt = &gpt, .activations = &nothing, .weights = &no_view, .gradient = &no_view});
        const double in = (double)p.in, out = (double)p.out;
        part.flop = 2.0 * n * in * out;
        part.bytes = (double)sizeof(float) * (n * in + in * out + n * out);
        return part;
    }
    const double floats = (double)r->floats_C * C + (double)r->floats_F * (double)shape->F +
                          (double)r->floats_V * (double)dt_memory_round_floats(shape->V);
    part.flop = (double)(r->attention_products * sequences) * C * T * (T + 1.0);
    part.bytes = (double)sizeof(float) * n * floats;
    return part;
}

void dt_part_run(int64_t index, const dt_part_leaf *at) {
    const row *r = &rows[index];
    if (r->operands) {
        const product p = r->operands(at);
        r->multiply(at, &p);
    } else
        r->run(at);
}

dt_part dt_part_of_step(dt_part_step which, int64_t calls, int64_t elements, int ranks, int64_t nodes) {
    const double bytes = (double)sizeof(float) * (double)elements;
    switch (which) {
    case DT_PART_TREE:
        return (dt_part){.name = "tree additions", .calls = calls, .bytes = 3.0 * bytes};
    case DT_PART_EXCHANGE:
        /* Of each node all slices but the own are sent away, then the own finished slice to every other rank.
         */
        return (dt_part){.name = "exchange",
                         .calls = calls,
                         .bytes = bytes * (double)(nodes + 1) * (double)(ranks - 1) / (double)ranks};
    case DT_PART_NORM:
        return (dt_part){.name = "gradient norm", .calls = 1, .bytes = bytes};
    case DT_PART_ADAMW:
    case DT_PART_STEPS:
        break;
    }
    return (dt_part){
        .name = "adamw", .calls = 1, .bytes = 7.0 * bytes}; /* reads g, p, m and v; writes p, m and v */
}

double dt_part_model_flop(const dt_layout *layout, int64_t B) {
    const dt_shape *s = &layout->shape;
    const double T = (double)s->T, C = (double)s->C;
    double matrix_parameters = 0.0;
    for (int64_t t = 0; t < layout->tensors; t++)
        if (layout->tensor[t].dims == 2 && strcmp(layout->tensor[t].name, "wpe.weight") != 0)
            matrix_parameters += (double)layout->tensor[t].count;
    const double a_sequence = 6.0 * matrix_parameters * T + 6.0 * (double)s->n_layers * C * T * (T + 1.0);
    return (double)B * a_sequence;
}
