/* A checkpoint small enough to turn each of its bits, and the folder it stands in. For files that have
 * included cmocka.h. */
#ifndef DT_TESTS_CHECKPOINT_H
#define DT_TESTS_CHECKPOINT_H

#include <unistd.h>

#include "tokenizer/ascii.h"
#include "support/scratch.h"
#include "checkpoint/checkpoint.h"

typedef struct tiny {
    char *folder; /* scratch/checkpoints */
    char *scratch;
    dt_checkpoint_about about;
    dt_tokenizer tokenizer;
    dt_layout layout;
    dt_state state;
} tiny;

/* Fills the vectors with finite numbers whose bits `salt` and `step` decide, as a training step would. */
static inline void tiny_advance(tiny *t, int64_t step, uint32_t salt) {
    float *vectors[] = {t->state.parameters, t->state.exp_avg, t->state.exp_avg_sq};
    uint32_t bits = salt * 2654435761u + (uint32_t)step;
    for (int v = 0; v < 3; v++)
        for (int64_t i = 0; i < t->layout.tensors; i++)
            for (int64_t e = 0; e < t->layout.tensor[i].count; e++) {
                bits = bits * 1664525u + 1013904223u;
                const uint32_t exponent = UINT32_C(0x7f800000), lowest = UINT32_C(0x00800000);
                const uint32_t finite = (bits & exponent) == exponent ? bits ^ lowest : bits;
                memcpy(&vectors[v][t->layout.tensor[i].offset + e], &finite, sizeof finite);
            }
    dt_state_arrive(&t->state, step);
    t->about.step = step;
}

/* The link at `path` must lead to `target`. */
static inline void expect_link(const char *path, const char *target) {
    char found[256] = "";
    assert_true(readlink(path, found, sizeof found - 1) > 0);
    assert_string_equal(found, target);
}

static inline tiny *tiny_make(void) {
    tiny *t = calloc(1, sizeof *t);
    t->scratch = scratch_make();
    t->folder = dt_file_join(t->scratch, "checkpoints");
    dt_config_init(&t->about.config);
    t->about.config.n_layers = 1;
    t->about.config.d_model = 2;
    t->about.config.n_heads = 2;
    t->about.config.d_ff = 3;
    t->about.config.max_seq_len = 2;
    t->about.config.seed = 5;
    t->about.V = DT_ASCII_V;
    dt_ascii_open(&t->tokenizer);
    t->about.corpus = (dt_corpus_identity){.file_bytes = 1234, .tokens = 1200, .hash = 0xfedcba9876543210u};
    strcpy(t->about.run_id, "2031-05-30T12:00:00Z-1a2b");
    strcpy(t->about.parent_run_id, "2031-05-29T12:00:00Z-3c4d");
    dt_shape shape = {.n_layers = 1, .C = 2, .H = 2, .F = 3, .T = 2, .V = DT_ASCII_V};
    if (dt_layout_create(&t->layout, shape) != DT_OK || dt_state_create(&t->state, &t->layout) != DT_OK)
        abort();
    tiny_advance(t, 3, 1);
    return t;
}

static inline void tiny_free(tiny *t) {
    dt_state_free(&t->state);
    dt_layout_free(&t->layout);
    dt_config_free(&t->about.config);
    free(t->folder);
    scratch_remove(t->scratch);
    free(t);
}

/* Saves the state as folder/checkpoint_step_N; `*path` and failures are as by dt_checkpoint_publish. */
static inline dt_status tiny_save_in(const tiny *t, const char *folder, char **path) {
    dt_checkpoint_path paths;
    if (path != NULL)
        *path = NULL;
    DT_TRY(dt_checkpoint_write(&paths, folder, &t->about, &t->tokenizer, &t->state, NULL, NULL));
    return dt_checkpoint_publish(&paths, path);
}

static inline dt_status tiny_save(const tiny *t, char **path) {
    return tiny_save_in(t, t->folder, path);
}

/* Whether the checkpoint at `path` loads to exactly the state that `t` holds. */
static inline bool tiny_equals(const tiny *t, const char *path) {
    dt_state back;
    size_t bytes = (size_t)t->layout.elements * sizeof(float);
    if (dt_state_create(&back, &t->layout) != DT_OK)
        abort();
    bool equal = dt_checkpoint_load(path, &back, true) == DT_OK && back.step == t->state.step &&
                 memcmp(back.parameters, t->state.parameters, bytes) == 0 &&
                 memcmp(back.exp_avg, t->state.exp_avg, bytes) == 0 &&
                 memcmp(back.exp_avg_sq, t->state.exp_avg_sq, bytes) == 0;
    dt_state_free(&back);
    return equal;
}

/* Every file of the checkpoint at `path` is as saved. */
static inline void expect_verified(const char *path) {
    dt_checkpoint_about about;
    if (dt_checkpoint_verify(path, &about) != DT_OK)
        fail_msg("%s", dt_error());
    dt_config_free(&about.config);
}

#endif
