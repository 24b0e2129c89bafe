/* Which tensors are matrices of products, and the list of what is packed for them. */
#include "model/weights.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/plural.h"

/* The kinds of matrices of a layer. */
#define LAYER_MATRICES 4

/* Far beyond any memory, and far enough below 2^63 for the sums and products here. */
#define LARGEST_BYTES 0x1p58

static int64_t round_bytes(int64_t bytes) {
    return (bytes + DT_MEMORY_ALIGN - 1) / DT_MEMORY_ALIGN * DT_MEMORY_ALIGN;
}

/* Bytes of the panels of w[in, out] and of its transpose. */
static int64_t pair_bytes(const struct dt_linear *linear, int64_t in, int64_t out) {
    return round_bytes(linear->panels_bytes(in, out)) + round_bytes(linear->panels_bytes(out, in));
}

int64_t dt_weights_panel_bytes(const dt_kernels *kernels, const dt_shape *s) {
    const struct dt_linear *l = kernels->linear;
    if (l->panels_bytes == NULL)
        return 0;
    const double C = (double)s->C, F = (double)s->F, V = (double)s->V;
    if ((double)s->n_layers * (C + 64.0) * (4.0 * C + 2.0 * F + 64.0) * 8.0 + (C + 64.0) * (V + 64.0) * 8.0 >
        LARGEST_BYTES)
        return INT64_MAX;
    const int64_t layer = pair_bytes(l, s->C, 3 * s->C) + pair_bytes(l, s->C, s->C) +
                          pair_bytes(l, s->C, s->F) + pair_bytes(l, s->F, s->C);
    return pair_bytes(l, s->V, s->C) + s->n_layers * layer;
}

/* Gives `weight` its panels, from `*next` on, and puts both kinds on the list. */
static void give_panels(dt_weights *w, const struct dt_linear *l, dt_weight *weight, int64_t in, int64_t out,
                        char **next) {
    dt_packing *as_it_is = &w->packing[w->packings++], *transposed = &w->packing[w->packings++];
    *as_it_is = (dt_packing){weight->values, in, out, false, *next, w->panels};
    w->panels += l->panel_count(in, out);
    *next += round_bytes(l->panels_bytes(in, out));
    *transposed = (dt_packing){weight->values, in, out, true, *next, w->panels};
    w->panels += l->panel_count(out, in);
    *next += round_bytes(l->panels_bytes(out, in));
    w->elements += 2 * in * out;
    weight->panels = as_it_is->panels;
    weight->panels_t = transposed->panels;
}

static dt_status create_panels(dt_weights *w, const dt_gpt *gpt) {
    const dt_shape *s = &gpt->layout->shape;
    const struct dt_linear *linear = gpt->kernels->linear;
    if (linear->panels_bytes == NULL)
        return DT_OK;
    w->packing = calloc((size_t)(2 * (1 + LAYER_MATRICES * s->n_layers)), sizeof *w->packing);
    w->block = dt_memory_alloc(dt_weights_panel_bytes(gpt->kernels, s), 1, "the panels of the weights");
    if (w->block == NULL)
        return DT_FAILED;
    if (w->packing == NULL)
        return dt_fail("out of memory for the list of the panels of %" PRId64 " layer%s", s->n_layers,
                       dt_plural_s(s->n_layers));
    char *next = w->block;
    give_panels(w, linear, &w->wte, s->V, s->C, &next);
    for (int64_t l = 0; l < s->n_layers; l++) {
        give_panels(w, linear, &w->layer[l].c_attn, s->C, 3 * s->C, &next);
        give_panels(w, linear, &w->layer[l].attn_proj, s->C, s->C, &next);
        give_panels(w, linear, &w->layer[l].c_fc, s->C, s->F, &next);
        give_panels(w, linear, &w->layer[l].mlp_proj, s->F, s->C, &next);
    }
    return DT_OK;
}

dt_status dt_weights_create(dt_weights *w, const dt_gpt *gpt, float *vector) {
    const int64_t layers = gpt->layout->shape.n_layers;
    *w = (dt_weights){0};
    DT_TRY(dt_gpt_view_create(&w->view, gpt->layout, vector));
    w->layer = calloc((size_t)layers, sizeof *w->layer);
    if (w->layer == NULL)
        return dt_fail("out of memory for the matrices of %" PRId64 " layer%s", layers, dt_plural_s(layers));
    w->wte.values = w->view.wte;
    for (int64_t l = 0; l < layers; l++) {
        const dt_gpt_layer *from = &w->view.layer[l];
        dt_layer_matrices *to = &w->layer[l];
        to->c_attn.values = from->c_attn_weight;
        to->attn_proj.values = from->attn_proj_weight;
        to->c_fc.values = from->c_fc_weight;
        to->mlp_proj.values = from->mlp_proj_weight;
    }
    return create_panels(w, gpt);
}

void dt_weights_pack(const dt_weights *w, const dt_gpt *gpt, int64_t first, int64_t end) {
    DT_ASSERT(first >= 0 && first <= end && end <= w->panels);
    for (int64_t i = 0; i < w->packings; i++) {
        const dt_packing *p = &w->packing[i];
        const int64_t next = i + 1 < w->packings ? w->packing[i + 1].first : w->panels;
        const int64_t from = dt_max(first, p->first), to = dt_min(end, next);
        if (from < to)
            gpt->kernels->linear->pack_weight(p->panels, p->values, p->in, p->out, p->transposed,
                                              (dt_range){from - p->first, to - p->first});
    }
}

void dt_weights_free(dt_weights *w) {
    dt_gpt_view_free(&w->view);
    free(w->layer);
    free(w->packing);
    dt_memory_free(w->block);
    *w = (dt_weights){0};
}
