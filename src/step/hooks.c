/* Loads, keeps and calls hooks. What the built-in ones compute is hooks_builtin.c. */
#include "step/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/available.h"
#include "base/elf.h"
#include "base/ending.h"
#include "base/ieee.h"
#include "base/plural.h"
#include "base/units.h"
#include "step/surroundings.h"

/* One hook of the config. */
typedef struct entry {
    const dt_hook *hook;
    char *name, *who; /* "clip", "hook clip" */
    void *state, *library;
    bool update; /* of which list */
    bool created;
    int64_t first_value, values; /* its part of a micro-batch's values */
} entry;

struct dt_hooks {
    const dt_layout *layout;
    entry *entry;
    int64_t count, micro_batch_values, batch_size;
    dt_hook_tensor *tensor; /* [layout->tensors]; gradient is set before each call */
    json_t *reports;        /* array */
    json_t *report;         /* of the hook that runs now, borrowed from the array, or NULL */
    int64_t step;
    const entry *running;
    bool lost;                    /* a value that was reported could not be kept */
    dt_surroundings surroundings; /* before the hook that runs now */
};

/* What a line says itself: a hook that reported under such a key would take its place, and a resume would
 * look for the line at another step, or take what it holds for the run's own. */
static bool is_of_the_line(const char *key) {
    static const char *const keys[] = {"step", "hook", "event", "loss", "val_loss", "save_ms", "sample"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (strcmp(key, keys[k]) == 0)
            return true;
    return false;
}

static void report(void *context, const char *key, double value) {
    dt_hooks *hooks = context;
    if (hooks->report == NULL) {
        if (hooks->reports == NULL)
            hooks->reports = json_array();
        hooks->report =
            json_pack("{s:I, s:s}", "step", (json_int_t)hooks->step, "hook", hooks->running->name);
        if (json_array_append_new(hooks->reports, hooks->report) != 0)
            hooks->report = NULL; /* which the next line cannot add to either */
    }
    hooks->lost |=
        key == NULL || is_of_the_line(key) ||
        json_object_set_new(hooks->report, key, isfinite(value) ? json_real(value) : json_null()) != 0;
}

/* A hook in the list where none of its functions is ever called would do nothing, and nobody would know. */
static dt_status check_list(const entry *e, const char *path, const char *list) {
    const dt_hook *hook = e->hook;
    if (e->update ? hook->update != NULL : hook->micro_batch != NULL || hook->collect != NULL)
        return DT_OK;
    return dt_usage(
        "hook %s: %s has no function for the list %s, so it would never be called; name it under %s", e->name,
        path, list, e->update ? "forward" : "update");
}

/* A name without a slash is looked up by the loader, who knows where. */
static dt_status check_library(const entry *e, const char *path) {
    char cause[DT_ERROR_BYTES / 2];
    if (strchr(path, '/') == NULL || dt_elf_check(path) == DT_OK)
        return DT_OK;
    snprintf(cause, sizeof cause, "%s", dt_error());
    return dt_usage("hook %s: cannot load its library: %s; build or copy it again", e->name, cause);
}

static dt_status load_library(entry *e, const char *list, const char *path) {
    DT_TRY(check_library(e, path));
    dt_ending_enter(e->who, "library while it was loaded");
    e->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    dt_ending_leave();
    if (e->library == NULL)
        return dt_usage("hook %s: cannot load its library: %s; give the path of a shared library that "
                        "exports dt_hook_get",
                        e->name, dlerror());
    /* POSIX: a data pointer from dlsym holds a function's address; ISO C wants the detour by memcpy. */
    void *symbol = dlsym(e->library, "dt_hook_get");
    const dt_hook *(*get)(void);
    memcpy(&get, &symbol, sizeof get);
    if (symbol == NULL)
        return dt_usage("hook %s: %s does not export dt_hook_get; see include/dtrain/hook.h", e->name, path);
    dt_ending_enter(e->who, "dt_hook_get function");
    e->hook = get();
    dt_ending_leave();
    if (e->hook == NULL || e->hook->version != DT_HOOK_VERSION)
        return dt_usage("hook %s: %s was built for version %u of the hook interface, this dtrain has version "
                        "%d; build it "
                        "again with this dtrain's dtrain/hook.h",
                        e->name, path, e->hook ? (unsigned)e->hook->version : 0u, DT_HOOK_VERSION);
    return check_list(e, path, list);
}

static dt_status find_hook(entry *e, const char *list, const json_t *object) {
    const json_t *library = json_object_get(object, "library");
    if (library) {
        if (!json_is_string(library))
            return dt_usage(
                "hook %s: expected \"library\" to be the path of a shared library, found something else",
                e->name);
        return load_library(e, list, json_string_value(library));
    }
    e->hook = dt_hooks_builtin(list, e->name);
    if (e->hook == NULL)
        return dt_usage(
            "hooks.%s: there is no built-in hook \"%s\"; the built-in ones are: %s; for a plug-in, add "
            "its library: {name: %s, library: ./%s.so}",
            list, e->name, dt_hooks_builtin_names(list), e->name, e->name);
    return DT_OK;
}

static dt_status create_hook(dt_hooks *hooks, entry *e, const json_t *object) {
    char error[DT_ERROR_BYTES / 2] = "";
    char *options = json_dumps(object, JSON_COMPACT);
    if (options == NULL)
        return dt_fail("out of memory for the options of hook %s", e->name);
    const dt_hook_setup setup = {options,
                                 hooks->layout->shape.n_layers,
                                 hooks->layout->shape.C,
                                 error,
                                 (int64_t)sizeof error,
                                 hooks->batch_size,
                                 hooks->layout->parameters};
    dt_ending_enter(e->who, "create function");
    int failed = e->hook->create ? e->hook->create(&setup, &e->state, &e->values) : 0;
    dt_ending_leave();
    error[sizeof error - 1] = 0; /* it may have filled all of it */
    free(options);
    if (failed)
        return dt_usage("hook %s: %s", e->name, *error ? error : "it refused to start and gave no reason");
    e->created = true;
    if (e->values < 0)
        return dt_usage(
            "hook %s: expected it to keep 0 or more doubles per micro-batch, but it asks for %" PRId64,
            e->name, e->values);
    e->first_value = hooks->micro_batch_values;
    if (__builtin_add_overflow(hooks->micro_batch_values, e->values, &hooks->micro_batch_values))
        hooks->micro_batch_values = INT64_MAX; /* which dt_hooks_expect_memory refuses */
    return DT_OK;
}

/* Makes what the config says of one hook. The names of the run's files are relative to the folder that it was
 * started in, which a library may leave. */
static dt_status make_hook(dt_hooks *hooks, entry *e, const char *list, const json_t *object) {
    const int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    dt_status status = find_hook(e, list, object);
    if (status == DT_OK)
        status = create_hook(hooks, e, object);
    if (here >= 0) {
        if (fchdir(here) != 0 && status == DT_OK)
            status = dt_fail("hook %s: cannot go back to the working folder: %s", e->name, strerror(errno));
        close(here);
    }
    return status;
}

/* What it changes would change every number of the run, and only on hosts where it is loaded so. */
static dt_status check_arithmetic(const entry *e) {
    const char *fault = dt_ieee_find_fault();
    return fault ? dt_usage(
                       "hook %s: expected a library that leaves arithmetic as IEEE 754 has it, found that %s "
                       "since it was loaded; compile and link it without -ffast-math",
                       e->name, fault)
                 : DT_OK;
}

static dt_status add_list(dt_hooks *hooks, const json_t *root, const char *list) {
    const json_t *array = json_object_get(root, list);
    size_t i;
    const json_t *object;
    json_array_foreach(array, i, object) {
        if (json_is_false(json_object_get(object, "enabled")))
            continue;
        entry *e = &hooks->entry[hooks->count++];
        const char *name = json_string_value(json_object_get(object, "name"));
        e->name = strdup(name ? name : "");
        if (asprintf(&e->who, "hook %s", name ? name : "") < 0)
            e->who = NULL;
        e->update = strcmp(list, "update") == 0;
        if (e->name == NULL || e->who == NULL)
            return dt_fail("out of memory for the hooks");
        dt_surroundings_save(&hooks->surroundings);
        DT_TRY(make_hook(hooks, e, list, object));
        DT_TRY(check_arithmetic(e));
        dt_surroundings_restore(&hooks->surroundings);
    }
    return DT_OK;
}

static dt_status build(dt_hooks *hooks, const char *text) {
    json_error_t problem;
    json_t *root = json_loads(text, 0, &problem);
    if (root == NULL)
        return dt_usage("hooks: expected a map, found \"%s\": %s", text, problem.text);
    size_t max =
        json_array_size(json_object_get(root, "forward")) + json_array_size(json_object_get(root, "update"));
    hooks->entry = calloc(max + 1, sizeof *hooks->entry);
    dt_status status = hooks->entry ? DT_OK : dt_fail("out of memory for %zu hooks", max);
    if (status == DT_OK)
        status = add_list(hooks, root, "forward");
    if (status == DT_OK)
        status = add_list(hooks, root, "update");
    json_decref(root);
    return status;
}

dt_status dt_hooks_create(dt_hooks **created, const char *text, const dt_layout *layout, int64_t batch_size) {
    dt_hooks *hooks = calloc(1, sizeof *hooks);
    *created = hooks;
    if (hooks == NULL)
        return dt_fail("out of memory for the hooks");
    hooks->layout = layout;
    hooks->batch_size = batch_size;
    hooks->tensor = calloc((size_t)layout->tensors, sizeof *hooks->tensor);
    if (hooks->tensor == NULL)
        return dt_fail("out of memory for the hooks");
    for (int64_t t = 0; t < layout->tensors; t++)
        hooks->tensor[t] =
            (dt_hook_tensor){layout->tensor[t].name, layout->tensor[t].rows, layout->tensor[t].cols, NULL};
    return text ? build(hooks, text) : DT_OK;
}

/* One that memory ran out for before it had a name runs no code of others, and is nobody to enter as. */
static void end_hook(entry *e) {
    if (!e->created && e->library == NULL)
        return;
    dt_ending_enter(e->who, "destroy function");
    if (e->created && e->hook->destroy)
        e->hook->destroy(e->state);
    if (e->library)
        dlclose(e->library);
    dt_ending_leave();
}

void dt_hooks_free(dt_hooks *hooks) {
    if (hooks == NULL)
        return;
    for (int64_t i = 0; i < hooks->count; i++) {
        entry *e = &hooks->entry[i];
        end_hook(e);
        free(e->name);
        free(e->who);
    }
    json_decref(hooks->reports);
    free(hooks->tensor);
    free(hooks->entry);
    free(hooks);
}

dt_status dt_hooks_expect_memory(const dt_hooks *hooks, int64_t micro_batches) {
    const int64_t available = dt_available_bytes("");
    for (int64_t i = 0, all = 0; i < hooks->count; i++) {
        const entry *e = &hooks->entry[i];
        int64_t bytes;
        if (!__builtin_add_overflow(all, e->values, &all) &&
            !__builtin_mul_overflow(all, micro_batches, &bytes) &&
            !__builtin_mul_overflow(bytes, (int64_t)sizeof(double), &bytes) && bytes <= available)
            continue;
        return dt_usage("hook %s: expected the doubles that it keeps for %" PRId64 " %s to fit in the "
                        "%s of memory that are available, found %" PRId64 " doubles per micro-batch; lower "
                        "the number that its create function asks for",
                        e->name, micro_batches, dt_plural(micro_batches, "micro-batch", "micro-batches"),
                        dt_units_bytes((double)available).text, e->values);
    }
    return DT_OK;
}

int64_t dt_hooks_micro_batch_values(const dt_hooks *hooks) {
    return hooks->micro_batch_values;
}

void dt_hooks_forward(const dt_hooks *hooks, int64_t step, const dt_activations *activations, int64_t rows,
                      double *values) {
    const dt_shape *shape = &hooks->layout->shape;
    dt_surroundings surroundings;
    dt_surroundings_save(&surroundings);
    for (int64_t i = 0; i < hooks->count; i++) {
        const entry *e = &hooks->entry[i];
        if (e->update || e->hook->micro_batch == NULL)
            continue;
        memset(values + e->first_value, 0, (size_t)e->values * sizeof *values);
        dt_ending_enter(e->who, "micro_batch function");
        for (int64_t l = 0; l < shape->n_layers; l++)
            e->hook->micro_batch(e->state, step, l, activations->layer[l].output, rows, shape->C,
                                 values + e->first_value);
        dt_ending_leave();
        dt_surroundings_restore(&surroundings);
    }
}

/* Notes whose report it is before `function` of a hook runs. */
static dt_hook_host open_report(dt_hooks *hooks, const entry *e, int64_t step, const char *function) {
    hooks->report = NULL;
    hooks->step = step;
    hooks->running = e;
    hooks->lost = false;
    dt_surroundings_save(&hooks->surroundings);
    dt_ending_enter(e->who, function);
    return (dt_hook_host){hooks, report};
}

/* How a hook's function ended, which returned `failed`. What it has set of its surroundings ends with it. */
static dt_status close_report(const dt_hooks *hooks, int failed, const char *function) {
    dt_ending_leave();
    dt_surroundings_restore(&hooks->surroundings);
    if (failed)
        return dt_fail("hook %s failed in its %s function", hooks->running->name, function);
    return hooks->lost ? dt_fail("hook %s: a value that its %s function reported cannot be kept; expected a "
                                 "key in UTF-8 that is none of the line's own (step, hook, event, loss, "
                                 "val_loss, save_ms, sample), and memory for it",
                                 hooks->running->name, function)
                       : DT_OK;
}

dt_status dt_hooks_collect(dt_hooks *hooks, int64_t step, const double *values, int64_t micro_batches,
                           int64_t stride) {
    for (int64_t i = 0; i < hooks->count; i++) {
        const entry *e = &hooks->entry[i];
        if (e->update || e->hook->collect == NULL)
            continue;
        const dt_hook_host host = open_report(hooks, e, step, "collect function");
        DT_TRY(close_report(
            hooks, e->hook->collect(e->state, step, values + e->first_value, micro_batches, stride, &host),
            "collect"));
    }
    return DT_OK;
}

bool dt_hooks_take_gradient(const dt_hooks *hooks) {
    bool take = false;
    for (int64_t i = 0; i < hooks->count; i++)
        take |= hooks->entry[i].update && hooks->entry[i].hook->update != NULL;
    return take;
}

dt_status dt_hooks_update(dt_hooks *hooks, int64_t step, float *gradient) {
    for (int64_t i = 0; i < hooks->count; i++) {
        const entry *e = &hooks->entry[i];
        if (!e->update || e->hook->update == NULL)
            continue;
        for (int64_t t = 0; t < hooks->layout->tensors; t++)
            hooks->tensor[t].gradient = gradient + hooks->layout->tensor[t].offset;
        const dt_hook_host host = open_report(hooks, e, step, "update function");
        DT_TRY(close_report(
            hooks, e->hook->update(e->state, step, hooks->tensor, hooks->layout->tensors, &host), "update"));
    }
    return DT_OK;
}

json_t *dt_hooks_take_reports(dt_hooks *hooks) {
    json_t *reports = hooks->reports;
    hooks->reports = NULL;
    return reports;
}
