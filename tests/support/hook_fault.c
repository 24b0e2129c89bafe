/*
 * A plug-in that hurts its own process, for tests of what becomes of the job.
 *
 *     "rank": r          the rank that is hurt; on the others nothing happens; a run alone is rank 0
 *     "step": s          in which step; 0 is every one
 *     "place": "create"  before step 1; "micro_batch": before the allreduce of gradients, while they are
 *                        computed; "thread": from another thread `ms` later, when the rank waits in the
 *                        allreduce; "collect", "update": after it
 *     "how": "kill", "segv", "abort", "stop": signals; "exit", "quick_exit", "_exit" with `code`;
 *                        "pthread_exit"; "fork": a child that ends by exit(0), which is no fault; "fork_on":
 *                        one that returns; "cancel": of the thread itself; "round": upward; "trap": of
 * inexact results; "threads": one per region of OpenMP; "locale": of the program and of the thread, which
 * must stay C's; "mpi_abort" with `code`; or "sleep" for `ms`; in "update" also "nan", "inf" or "flip": the
 * last element of the gradient of tensor "tensor" (0) becomes so, or has its lowest bit turned "mark": path
 * this file is made at the moment of the fault
 */
#include <dtrain/hook.h>
#include <fcntl.h>
#include <fenv.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <mpi.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct fault {
    json_t *options;
    bool here; /* this rank is the one */
} fault;

static const char *text_of(const fault *f, const char *key) {
    const char *text = json_string_value(json_object_get(f->options, key));
    return text ? text : "";
}

static int64_t number_of(const fault *f, const char *key) {
    return json_integer_value(json_object_get(f->options, key));
}

static void sleep_for(const fault *f) {
    const int64_t ms = number_of(f, "ms");
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* A program of its own may end as it likes. */
static void end_a_child(void) {
    const pid_t child = fork();
    if (child == 0)
        exit(0);
    (void)waitpid(child, NULL, 0);
}

static void end_by(const char *how, int code) {
    if (strcmp(how, "exit") == 0)
        exit(code);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(code);
    if (strcmp(how, "_exit") == 0)
        _exit(code);
    if (strcmp(how, "pthread_exit") == 0)
        pthread_exit(NULL);
    if (strcmp(how, "fork") == 0)
        end_a_child();
    if (strcmp(how, "mpi_abort") == 0)
        (void)MPI_Abort(MPI_COMM_WORLD, code);
}

/* One that every system has stands for those with another decimal point. */
static void set_locale(void) {
    const locale_t other = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    if (setlocale(LC_ALL, "C.UTF-8") != NULL || strcmp(setlocale(LC_ALL, NULL), "C") != 0 ||
        uselocale(other) != LC_GLOBAL_LOCALE)
        abort();
}

static void leave_behind(const char *how) {
    if (strcmp(how, "fork_on") == 0)
        (void)fork();
    if (strcmp(how, "cancel") == 0)
        (void)pthread_cancel(pthread_self());
    if (strcmp(how, "round") == 0)
        (void)fesetround(FE_UPWARD);
    if (strcmp(how, "trap") == 0)
        (void)feenableexcept(FE_INEXACT);
    if (strcmp(how, "threads") == 0) {
        omp_set_dynamic(1);
        omp_set_num_threads(1);
        omp_set_max_active_levels(0);
    }
    if (strcmp(how, "locale") == 0)
        set_locale();
}

static void strike(const fault *f) {
    static const struct {
        const char *how;
        int number;
    } signals[] = {{"kill", SIGKILL}, {"segv", SIGSEGV}, {"stop", SIGSTOP}};
    const char *how = text_of(f, "how");
    const int descriptor = *text_of(f, "mark") ? open(text_of(f, "mark"), O_CREAT | O_WRONLY, 0666) : -1;
    if (descriptor >= 0)
        close(descriptor);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcmp(how, signals[i].how) == 0)
            kill(getpid(), signals[i].number);
    if (strcmp(how, "abort") == 0)
        abort();
    end_by(how, (int)number_of(f, "code"));
    leave_behind(how);
    if (strcmp(how, "sleep") == 0)
        sleep_for(f);
}

static void *strike_later(void *context) {
    const fault *f = context;
    sleep_for(f);
    strike(f);
    return NULL;
}

static bool strikes_now(const fault *f, int64_t step) {
    return f->here && (number_of(f, "step") == 0 || number_of(f, "step") == step);
}

static void reach(const fault *f, const char *where, int64_t step) {
    const bool now = strikes_now(f, step);
    pthread_t thread;
    if (now && strcmp(text_of(f, "place"), where) == 0)
        strike(f);
    else if (now && strcmp(where, "micro_batch") == 0 && strcmp(text_of(f, "place"), "thread") == 0 &&
             pthread_create(&thread, NULL, strike_later, (void *)f) == 0)
        pthread_detach(thread);
}

static int create_fault(const dt_hook_setup *setup, void **state, int64_t *micro_batch_values) {
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    fault *f = calloc(1, sizeof *f);
    if (f == NULL)
        return 1;
    *micro_batch_values = 0;
    *state = f;
    f->options = json_loads(setup->options, 0, NULL);
    f->here = (rank ? strtoll(rank, NULL, 10) : 0) == number_of(f, "rank");
    reach(f, "create", number_of(f, "step"));
    return 0;
}

static void destroy_fault(void *state) {
    fault *f = state;
    json_decref(f->options);
    free(f);
}

static void micro_batch_fault(void *state, int64_t step, int64_t layer, const float *x, int64_t rows,
                              int64_t cols, double *values) {
    (void)x, (void)rows, (void)cols, (void)values;
    if (layer == 0)
        reach(state, "micro_batch", step);
}

static int collect_fault(void *state, int64_t step, const double *values, int64_t micro_batches,
                         int64_t stride, const dt_hook_host *host) {
    (void)values, (void)micro_batches, (void)stride, (void)host;
    reach(state, "collect", step);
    return 0;
}

static void spoil(float *element, const char *how) {
    uint32_t bits;
    memcpy(&bits, element, sizeof bits);
    bits ^= 1u;
    if (strcmp(how, "nan") == 0)
        *element = NAN;
    else if (strcmp(how, "inf") == 0)
        *element = -INFINITY;
    else if (strcmp(how, "flip") == 0)
        memcpy(element, &bits, sizeof bits);
}

static int update_fault(void *state, int64_t step, const dt_hook_tensor *tensors, int64_t count,
                        const dt_hook_host *host) {
    const fault *f = state;
    const dt_hook_tensor *tensor = &tensors[number_of(f, "tensor") % count];
    (void)host;
    reach(state, "update", step);
    if (strikes_now(f, step))
        spoil(tensor->gradient + tensor->rows * tensor->cols - 1, text_of(f, "how"));
    return 0;
}

static const dt_hook hook = {.version = DT_HOOK_VERSION,
                             .name = "fault",
                             .create = create_fault,
                             .destroy = destroy_fault,
                             .micro_batch = micro_batch_fault,
                             .collect = collect_fault,
                             .update = update_fault};

const dt_hook *dt_hook_get(void) {
    return &hook;
}
