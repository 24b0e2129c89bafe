/**
 * Hooks: code of your own inside a training step, as a C plug-in that dtrain loads.
 *
 * A plug-in is a shared library that exports one function, dt_hook_get, and includes no other header of
 * dtrain:
 *
 *     #include <dtrain/hook.h>
 *     static const dt_hook mine = {.version = DT_HOOK_VERSION, .name = "mine", .update = my_update};
 *     const dt_hook *dt_hook_get(void) { return &mine; }
 *
 *     cc -shared -fPIC -o mine.so mine.c
 *
 * and is named in the config, with any further keys as options of its own:
 *
 *     hooks: {update: [{name: mine, library: ./mine.so, strength: 0.5}]}
 *
 * A hook runs on every rank, with the same values in the same order. It must do the same on every rank: what
 * it changes must follow from what it is given, never from time, a rank or a random number of its own.
 */
#ifndef DTRAIN_HOOK_H
#define DTRAIN_HOOK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Goes up whenever a plug-in compiled before would no longer work. */
#define DT_HOOK_VERSION 1

/** One tensor of the summed gradient. */
typedef struct dt_hook_tensor {
    const char *name;   /**< "h.0.attn.c_attn.weight", as in model.safetensors */
    int64_t rows, cols; /**< row-major; rows is 1 for a bias or a LayerNorm's tensor */
    float *gradient;    /**< [rows, cols]; may be changed */
} dt_hook_tensor;

/** What dtrain offers a hook while one of its functions runs. */
typedef struct dt_hook_host {
    void *context;
    /** Adds "key": value to this hook's line of this step in metrics.jsonl. The key, UTF-8, is copied; one
     * that says what a line is (step, hook, event, loss, val_loss, save_ms, sample) ends the run. */
    void (*report)(void *context, const char *key, double value);
} dt_hook_host;

/** What a hook is told when it is made. */
typedef struct dt_hook_setup {
    const char *options; /**< its entry of the config, as a JSON object */
    int64_t n_layers, d_model;
    char *error; /**< where to write a sentence when it cannot be made */
    int64_t error_bytes;
    int64_t batch_size; /**< sequences in a step, over all ranks */
    int64_t parameters; /**< elements of all tensors together */
} dt_hook_setup;

/** A hook. Functions that return int return 0 when all is well; anything else ends the run. Any may be NULL.
 */
typedef struct dt_hook {
    uint32_t version; /**< DT_HOOK_VERSION */
    const char *name; /**< as in the config */

    /** Before step 1. `*state` is passed to all that follows. `*micro_batch_values` is how many doubles
     * `micro_batch` fills per micro-batch. */
    int (*create)(const dt_hook_setup *setup, void **state, int64_t *micro_batch_values);

    /** After the last step, or when the run fails. */
    void (*destroy)(void *state);

    /**
     * Forward hooks: after layer `layer` of one micro-batch's forward pass. x[rows, cols] is the residual
     * stream, only to be read. `values` are the micro-batch's own, zero before layer 0. Called by several
     * threads at once: `state` must not change.
     */
    union {
        void (*micro_batch)(void *state, int64_t step, int64_t layer, const float *x, int64_t rows,
                            int64_t cols, double *values);
        /** The old name of `micro_batch`, for plug-ins that were written with it. */
        void (*leaf)(void *state, int64_t step, int64_t layer, const float *x, int64_t rows, int64_t cols,
                     double *values);
    };

    /** Forward hooks: once a step, with the values of all micro-batches of all ranks, micro-batch l's at
     * values + l * stride. */
    int (*collect)(void *state, int64_t step, const double *values, int64_t micro_batches, int64_t stride,
                   const dt_hook_host *host);

    /** Update hooks: the gradient summed over all ranks, before it is clipped. */
    int (*update)(void *state, int64_t step, const dt_hook_tensor *tensors, int64_t count,
                  const dt_hook_host *host);
} dt_hook;

/** What a plug-in exports. The hook is static: dtrain does not free it. */
const dt_hook *dt_hook_get(void);

#ifdef __cplusplus
}
#endif

#endif
