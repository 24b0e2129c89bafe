/**
 * The hooks of a run: those built in and those of plug-ins, called in the order of the config.
 *
 * The interface of a hook is the public header, include/dtrain/hook.h; built-in hooks use nothing else.
 */
#ifndef DT_STEP_HOOKS_H
#define DT_STEP_HOOKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "dtrain/hook.h"
#include "model/activations.h"
#include "model/layout.h"

typedef struct dt_hooks dt_hooks;

/**
 * Makes the hooks that `text` names: the option `hooks` as JSON, or NULL for none. An unknown name, a library
 * that does not load, another version of the interface or a hook that refuses its options is a failure that
 * says which. `layout` must outlive the hooks; batch_size is what they are told of it. The caller frees them.
 * Local.
 */
dt_status dt_hooks_create(dt_hooks **hooks, const char *text, const dt_layout *layout, int64_t batch_size);

/** Ends all hooks and frees; NULL is allowed. Local. */
void dt_hooks_free(dt_hooks *hooks);

/** Fails, with DT_USAGE and the name of the hook that asks for too much, where the doubles that all hooks
 * keep for `micro_batches` micro-batches are more than this host has memory for. Local. */
dt_status dt_hooks_expect_memory(const dt_hooks *hooks, int64_t micro_batches);

/** How many doubles all forward hooks together keep for each micro-batch. Local. */
int64_t dt_hooks_micro_batch_values(const dt_hooks *hooks);

/** Shows a micro-batch's finished forward pass of `rows` rows to the forward hooks, which fill
 * values[micro_batch_values]. Local. */
void dt_hooks_forward(const dt_hooks *hooks, int64_t step, const dt_activations *activations, int64_t rows,
                      double *values);

/** Hands all micro-batches' values, `stride` doubles from micro-batch to micro-batch, to the forward hooks.
 * Local; the same on every rank. */
dt_status dt_hooks_collect(dt_hooks *hooks, int64_t step, const double *values, int64_t micro_batches,
                           int64_t stride);

/** Whether some hook gets the summed gradient, which every rank must have whole then. Local; the same on
 * every rank. */
bool dt_hooks_take_gradient(const dt_hooks *hooks);

/** Hands the summed gradient to the update hooks. Local; the same on every rank. */
dt_status dt_hooks_update(dt_hooks *hooks, int64_t step, float *gradient);

/**
 * What hooks have reported since the last call, as a new JSON array of objects {"step", "hook", key: value,
 * ..} that the caller owns; NULL when there is nothing. Local.
 */
json_t *dt_hooks_take_reports(dt_hooks *hooks);

/** The built-in hook called `name` for a list, "forward" or "update", or NULL. Local. */
const dt_hook *dt_hooks_builtin(const char *list, const char *name);

/** The names of the built-in hooks of a list, for messages: "activation_stats". Local. */
const char *dt_hooks_builtin_names(const char *list);

#endif
