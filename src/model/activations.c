/* One block, carved into arrays that each start on a cache line. */
#include "model/activations.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "math/attention.h"
#include "math/dropout.h"
#include "math/gemm.h"

/* Takes the next `count` floats. With no block it only counts, so that one list of arrays serves both
 * purposes. */
static float *carve(float *block, int64_t *used, int64_t count) {
    float *start = block ? block + *used : NULL;
    *used += dt_memory_round_floats(count);
    return start;
}

static void carve_layer(dt_layer_activations *a, const dt_shape *s, int64_t sequences, float *block,
                        int64_t *used) {
    const int64_t n = sequences * s->T;
    a->ln_1 = carve(block, used, n * s->C);
    a->mean_1 = carve(block, used, n);
    a->rstd_1 = carve(block, used, n);
    a->qkv = carve(block, used, n * 3 * s->C);
    a->attended = carve(block, used, n * s->C);
    a->lse = carve(block, used, n * s->H);
    a->middle = carve(block, used, n * s->C);
    a->ln_2 = carve(block, used, n * s->C);
    a->mean_2 = carve(block, used, n);
    a->rstd_2 = carve(block, used, n);
    a->pre = carve(block, used, n * s->F);
    a->output = carve(block, used, n * s->C);
}

static int64_t carve_all(dt_activations *a, const dt_shape *s, int64_t sequences, float *block) {
    const int64_t n = sequences * s->T;
    int64_t used = 0;
    a->logits_stride = dt_memory_round_floats(s->V);
    a->input = carve(block, &used, n * s->C);
    for (int64_t l = 0; l < s->n_layers; l++) {
        dt_layer_activations counted;
        carve_layer(a->layer ? &a->layer[l] : &counted, s, sequences, block, &used);
    }
    a->ln_f = carve(block, &used, n * s->C);
    a->mean_f = carve(block, &used, n);
    a->rstd_f = carve(block, &used, n);
    a->logits = carve(block, &used, n * a->logits_stride);
    a->targets = (uint8_t *)carve(block, &used, (n + 3) / 4);
    a->act = carve(block, &used, n * s->F);
    a->room = carve(block, &used, DT_GEMM_ROOM);
    a->projection = carve(block, &used, n * s->C);
    a->scratch = carve(block, &used, dt_attention_scratch_floats(s->T, s->C / s->H) + DT_DROPOUT_ROOM(s->C));
    a->dx = carve(block, &used, n * s->C);
    a->dnorm = carve(block, &used, n * s->C);
    a->dqkv = carve(block, &used, n * 3 * s->C);
    a->dact = carve(block, &used, n * s->F);
    return used;
}

/* Far beyond any memory, and far enough below 2^63 for every sum and product of carve_all. */
#define LARGEST_FLOATS 0x1p58

int64_t dt_activations_floats(const dt_shape *shape, int64_t sequences) {
    dt_activations counted = {0};
    const double tokens = (double)sequences * (double)shape->T;
    const double layer = (double)(16 * shape->C + 4 * shape->F + shape->H + shape->V);
    if (tokens * layer * (double)(shape->n_layers + 1) > LARGEST_FLOATS)
        return INT64_MAX;
    return carve_all(&counted, shape, sequences, NULL);
}

dt_status dt_activations_create(dt_activations *activations, const dt_shape *shape, int64_t sequences) {
    *activations = (dt_activations){.sequences = sequences};
    activations->block =
        dt_memory_alloc(dt_activations_floats(shape, sequences), sizeof(float), "the activations of a leaf");
    activations->layer = calloc((size_t)shape->n_layers, sizeof *activations->layer);
    if (activations->block == NULL)
        return DT_FAILED;
    if (activations->layer == NULL)
        return dt_fail("out of memory for the activations of %" PRId64 " layers", shape->n_layers);
    (void)carve_all(activations, shape, sequences, activations->block);
    return DT_OK;
}

void dt_activations_free(dt_activations *activations) {
    dt_memory_free(activations->block);
    free(activations->layer);
    *activations = (dt_activations){0};
}
