/*
 * Memory that runs out at any moment of start-up: the n-th allocation fails, for n = 1, 2, .. until
 * everything succeeds. Each time the call fails with a sentence about memory, and what it had allocated is
 * freed (which the build with the address sanitizer sees).
 *
 * Linked so that calls of malloc and its like from the program's own code come to the wrappers below. What
 * libraries allocate for themselves does not fail: jansson, of those that are used most, loses characters or
 * frees what it never had when it is refused memory in the middle of a text.
 */
#include "support/cmocka_mpi.h"

#include <string.h>

#include "base/file.h"
#include "support/text.h"
#include "train/loop.h"
#include "infer/model_file.h"
#include "config/check.h"
#include "config/flags.h"
#include "train/run.h"

/* Allocations until one fails; below 0 none does. */
static int64_t countdown = -1;

static bool fails(void) {
    return countdown >= 0 && countdown-- == 0;
}

/* The linker gives each wrapped function two names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));

int __wrap_asprintf(char **text, const char *format, ...) {
    va_list arguments;
    if (fails()) {
        *text = NULL;
        return -1;
    }
    va_start(arguments, format);
    const int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
    return fails() ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text) {
    return fails() ? NULL : __real_strdup(text);
}

static char folder[64], text_path[96];

/* In bf16 there are panels of weights beside what there is in fp32. */
static dt_dtype compute;

static const char document[] =
    "n_layers: 1\nd_model: 8\nn_heads: 2\nd_ff: 16\nmax_seq_len: 8\nseed: 1\n"
    "max_steps: 1\neval_cadence: 1\nsampling_cadence: 1\n"
    "hooks: {forward: [{name: activation_stats}], update: [{name: gradient_stats}]}\n";

/* As `dtrain --config c.yaml --data .. --out-dir ..` does it. */
static dt_status configure(dt_config *config) {
    char data[] = "--data", out_dir[] = "--out-dir";
    char *words[] = {data, text_path, out_dir, folder};
    DT_TRY(dt_config_read_yaml(config, "c.yaml", document, strlen(document)));
    DT_TRY(dt_config_set(config, "compute_dtype", dt_dtype_names[compute], "test"));
    DT_TRY(dt_config_read_flags(config, 4, words, NULL, NULL, NULL));
    return dt_config_check(config);
}

static dt_status start(bool resume) {
    dt_config config;
    dt_run run = {0};
    dt_status status = dt_config_init(&config);
    if (status == DT_OK)
        status = configure(&config);
    if (status == DT_OK && resume)
        status = dt_config_set(&config, "resume", "latest", "test");
    /* One step more than the checkpoint has: a resume with nothing to do would prepare nothing. */
    if (status == DT_OK && resume)
        status = dt_config_set(&config, "max_steps", "2", "test");
    if (status == DT_OK)
        status = dt_run_create(&run, &world, &config);
    dt_run_free(&run);
    dt_config_free(&config);
    return status;
}

static dt_status start_fresh(void) {
    return start(false);
}

static dt_status start_from_checkpoint(void) {
    return start(true);
}

static dt_status load_model(void) {
    char path[96];
    dt_model_file model;
    snprintf(path, sizeof path, "%s/checkpoints/checkpoint_step_1", folder);
    dt_status status =
        dt_model_file_load(&model, path, &(dt_model_file_flags){.compute_dtype = dt_dtype_names[compute]});
    dt_model_file_free(&model);
    return status;
}

/*
 * Fails the n-th allocation of `call` for every n, until it ends without having come to one that fails. What
 * can be done without may be: then there is a warning, and its sentence is recorded all the same.
 */
static void fail_each(dt_status (*call)(void)) {
    int64_t n = 0, wrong = 0;
    for (;; n++) {
        dt_status_record("%s", "");
        countdown = n;
        const dt_status status = call();
        const bool came = countdown < 0;
        countdown = -1;
        if (!came) {
            assert_ok(status);
            break;
        }
        if (strstr(dt_error(), "memory") == NULL) {
            print_error("without allocation %lld: %d, \"%s\"\n", (long long)n, (int)status, dt_error());
            wrong++;
        }
    }
    print_message("%lld allocations failed, one after the other\n", (long long)n);
    assert_int_equal(wrong, 0);
    assert_true(n > 20); /* the wrappers are in place */
}

/* So that its callers need no sentence of their own. */
static void a_joined_name_says_so_itself(void **state) {
    (void)state;
    dt_status_record("%s", "");
    countdown = 0;
    char *joined = dt_file_join("folder", "name");
    countdown = -1;
    assert_null(joined);
    assert_string_equal(dt_error(), "out of memory for the name of name in folder");
}

static void start_up_survives(void **state) {
    (void)state;
    for (compute = DT_DTYPE_FP32; compute <= DT_DTYPE_BF16; compute++)
        fail_each(start_fresh);
}

static void resuming_survives(void **state) {
    (void)state;
    dt_config config;
    dt_run run = {0};
    compute = DT_DTYPE_FP32;
    dt_config_init(&config);
    assert_ok(configure(&config));
    assert_ok(dt_run_create(&run, &world, &config));
    assert_ok(dt_loop_run(&run));
    dt_run_free(&run);
    dt_config_free(&config);
    for (; compute <= DT_DTYPE_BF16; compute++)
        fail_each(start_from_checkpoint);
}

static void loading_survives(void **state) {
    (void)state;
    for (compute = DT_DTYPE_FP32; compute <= DT_DTYPE_BF16; compute++)
        fail_each(load_model);
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/dtrain-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(text_path, sizeof text_path, "%s/text.txt", folder);
    text_write(text_path, 5000, 3);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    return dt_file_remove_tree(folder) != DT_OK;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_joined_name_says_so_itself), cmocka_unit_test_setup(start_up_survives, make_folder),
    cmocka_unit_test(resuming_survives), cmocka_unit_test_teardown(loading_survives, remove_folder)};

CMOCKA_MPI_MAIN(tests)
