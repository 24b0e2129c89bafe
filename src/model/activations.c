/* One block, carved into arrays that each start on a cache line. */
#include "model/activations.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/plural.h"

/* What is being shared out. With no block it only counts, so that one list of arrays serves both purposes. */
typedef struct carver {
    const dt_kernels *kernels;
    const dt_shape *shape;
    int64_t sequences;
    float *block;
    int64_t used; /* floats */
} carver;

/* The next `count` floats. */
static float *floats(carver *c, int64_t count) {
    float *start = c->block ? c->block + c->used : NULL;
    c->used += dt_memory_round_floats(count);
    return start;
}

/* The next `count` operands. */
static dt_operand *operands(carver *c, int64_t count) {
    const int64_t each = (int64_t)sizeof(float) / c->kernels->operand_bytes;
    return floats(c, (count + each - 1) / each);
}

int64_t dt_activations_wide(const dt_kernels *kernels, int64_t F) {
    const int64_t line = DT_MEMORY_ALIGN / kernels->operand_bytes;
    return F * kernels->operand_bytes % 2048 == 0 ? F + line : F;
}

/* What of a layer the backward pass can make again. */
static void carve_layer(dt_layer_activations *a, carver *c) {
    const dt_shape *s = c->shape;
    const int64_t n = c->sequences * s->T;
    a->ln_1 = operands(c, n * s->C);
    a->mean_1 = floats(c, n);
    a->rstd_1 = floats(c, n);
    a->qkv = operands(c, n * 3 * s->C);
    a->attended = operands(c, n * s->C);
    a->lse = floats(c, n * s->H);
    a->middle = floats(c, n * s->C);
    a->ln_2 = operands(c, n * s->C);
    a->mean_2 = floats(c, n);
    a->rstd_2 = floats(c, n);
    a->pre = operands(c, n * dt_activations_wide(c->kernels, s->F));
}

static void carve_layers(dt_activations *a, carver *c) {
    const dt_shape *s = c->shape;
    dt_layer_activations layer = {0};
    for (int64_t l = 0; l < s->n_layers; l++) {
        if (l == 0 || a->recompute == DT_RECOMPUTE_NONE)
            carve_layer(&layer, c);
        layer.output = floats(c, c->sequences * s->T * s->C);
        if (a->layer)
            a->layer[l] = layer;
    }
}

/*
 * What a team has for logits. A block reads and writes all of dW and packs all of the embedding: with
 * GPT-2's 50,257 tokens it is some 300 rows long, and both take a few percent of the head's time.
 */
#define LOGITS_BYTES 64000000

int64_t dt_activations_logits_rows(const dt_shape *shape, int64_t rows) {
    DT_ASSERT(rows > 0);
    const int64_t row_bytes = dt_memory_round_floats(shape->V) * (int64_t)sizeof(float);
    const int64_t max = dt_max(LOGITS_BYTES / row_bytes / 2 * 2, 2);
    if (rows <= max)
        return rows;
    const int64_t blocks = (rows + max - 1) / max, each = (rows + blocks - 1) / blocks;
    return (each + 1) / 2 * 2;
}

static int64_t carve_all(dt_activations *a, carver *c) {
    const dt_shape *s = c->shape;
    const int64_t n = c->sequences * s->T;
    a->logits_rows = dt_activations_logits_rows(s, n);
    a->logits_stride = dt_memory_round_floats(s->V);
    a->wide = dt_activations_wide(c->kernels, s->F);
    a->input = floats(c, n * s->C);
    carve_layers(a, c);
    a->ln_f = operands(c, n * s->C);
    a->mean_f = floats(c, n);
    a->rstd_f = floats(c, n);
    a->logits = floats(c, dt_min(a->logits_rows + 1, n) * a->logits_stride);
    a->targets = (int32_t *)floats(c, n);
    a->losses = (double *)floats(c, 2 * n);
    a->act = operands(c, n * a->wide);
    a->projection = floats(c, n * s->C);
    a->dprojection = a->projection;
    a->dx = floats(c, n * s->C);
    a->dnorm = floats(c, n * s->C);
    a->dattended = a->dnorm;
    a->dqkv = operands(c, n * 3 * s->C);
    a->dact = operands(c, n * a->wide);
    return c->used;
}

/* Far beyond any memory, and far enough below 2^63 for every sum and product of carve_all. */
#define LARGEST_FLOATS 0x1p58

int64_t dt_activations_floats(const dt_kernels *kernels, const dt_shape *shape, int64_t sequences,
                              dt_recompute recompute) {
    dt_activations counted = {.recompute = recompute};
    const double tokens = (double)sequences * (double)shape->T;
    const double layer = (double)(16 * shape->C + 4 * (shape->F + 64) + shape->H + shape->V);
    if (tokens * layer * (double)(shape->n_layers + 1) > LARGEST_FLOATS)
        return INT64_MAX;
    return carve_all(&counted, &(carver){.kernels = kernels, .shape = shape, .sequences = sequences});
}

dt_status dt_activations_create(dt_activations *activations, const dt_kernels *kernels, const dt_shape *shape,
                                int64_t sequences, dt_recompute recompute) {
    DT_ASSERT(sequences > 0);
    *activations = (dt_activations){.sequences = sequences, .recompute = recompute};
    activations->block = dt_memory_alloc(dt_activations_floats(kernels, shape, sequences, recompute),
                                         sizeof(float), "the activations of a micro-batch");
    activations->layer = calloc((size_t)shape->n_layers, sizeof *activations->layer);
    if (activations->block == NULL)
        return DT_FAILED;
    if (activations->layer == NULL)
        return dt_fail("out of memory for the activations of %" PRId64 " layer%s", shape->n_layers,
                       dt_plural_s(shape->n_layers));
    (void)carve_all(activations, &(carver){kernels, shape, sequences, activations->block, 0});
    return DT_OK;
}

const float *dt_activations_input(const dt_activations *a, int64_t layer) {
    DT_ASSERT(layer >= 0);
    return layer > 0 ? a->layer[layer - 1].output : a->input;
}

void dt_activations_free(dt_activations *activations) {
    dt_memory_free(activations->block);
    free(activations->layer);
    *activations = (dt_activations){0};
}
