/* What ranks that share the moments out save together, beside their steps: the very files that one with all
 * of them would write; of a step that all of them have, also when a signal asks one alone; and nothing that
 * has been damaged on its way or is not finite. What copies a rank's moments goes through a wrapper, so that
 * a bit of the copy can be turned. */
#include "support/cmocka_mpi.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "support/checkpoint.h"
#include "train/own_moments.h"
#include "train/saving.h"

/* Rank 0's files; about and folder stand on all ranks, each in a folder of its own. */
typedef struct fixture {
    tiny *t;
    dt_layout layout;
    dt_moments moments;
    dt_state whole, state;
    dt_metrics metrics;
    dt_saving saving;
} fixture;

static int flips_on = -1; /* the rank whose copies are damaged, or -1 */
static int64_t flips_at;

void __real_dt_own_moments_take(dt_own_moments *own, const dt_state *from);
void __wrap_dt_own_moments_take(dt_own_moments *own, const dt_state *from);

void __wrap_dt_own_moments_take(dt_own_moments *own, const dt_state *from) {
    __real_dt_own_moments_take(own, from);
    if (world.rank == flips_on)
        ((uint32_t *)(void *)own->vector[1])[flips_at] ^= 1;
}

/* The state of `step`, whole and this rank's part of it. */
static void become(fixture *f, int64_t step) {
    float *vectors[] = {f->whole.parameters, f->whole.exp_avg, f->whole.exp_avg_sq};
    uint32_t bits = (uint32_t)step * 2654435761u;
    dt_state_hold(&f->state);
    for (int v = 0; v < 3; v++)
        for (int64_t t = 0; t < f->layout.tensors; t++)
            for (int64_t e = 0; e < f->layout.tensor[t].count; e++) {
                bits = bits * 1664525u + 1013904223u;
                vectors[v][f->layout.tensor[t].offset + e] = (float)(bits >> 8) / 16777216.0f;
            }
    memcpy(f->state.parameters, f->whole.parameters, (size_t)f->layout.elements * sizeof(float));
    for (int64_t r = 0, at = 0; r < f->state.runs; at += f->state.run[r++].count) {
        const size_t bytes = (size_t)f->state.run[r].count * sizeof(float);
        memcpy(f->state.exp_avg + at, f->whole.exp_avg + f->state.run[r].first, bytes);
        memcpy(f->state.exp_avg_sq + at, f->whole.exp_avg_sq + f->state.run[r].first, bytes);
    }
    dt_state_arrive(&f->whole, step);
    dt_state_arrive(&f->state, step);
    dt_state_release(&f->state);
}

/* Collective. */
static void start(fixture *f) {
    char *path = dt_file_join(f->t->scratch, "metrics.jsonl");
    assert_ok(dt_metrics_open(&f->metrics, path, NULL));
    free(path);
    assert_ok(dt_saving_create(&f->saving, &world,
                               &(dt_saver_inputs){.checkpoints_folder = f->t->folder,
                                                  .about = &f->t->about,
                                                  .state = &f->state,
                                                  .metrics = &f->metrics,
                                                  .moments = &f->moments}));
}

/* A model whose vectors have two spans, in small buckets. Collective. */
static void make(fixture *f) {
    const dt_allreduce_options options = {.algorithm = DT_ALGORITHM_FLAT};
    *f = (fixture){.t = tiny_make(), .metrics = {.descriptor = -1}};
    dt_config *c = &f->t->about.config;
    c->d_model = 320;
    c->d_ff = 1280;
    c->checkpoint_on_error = DT_ON_ERROR_WARN;
    const dt_shape shape = {.n_layers = 1, .C = 320, .H = 2, .F = 1280, .T = 2, .V = DT_ASCII_V};
    assert_ok(dt_layout_create(&f->layout, shape));
    assert_true(f->layout.elements > DT_OWN_MOMENTS_SPAN_FLOATS);
    assert_ok(dt_moments_create(&f->moments, &world, world.size, f->layout.elements, 65536, &options));
    assert_ok(dt_moments_create_state(&f->moments, &f->state, &f->layout));
    assert_ok(dt_state_create(&f->whole, &f->layout));
    become(f, 3);
    start(f);
}

/* Collective. */
static void end(fixture *f) {
    dt_saving_free(&f->saving);
    (void)dt_metrics_close(&f->metrics);
    dt_state_free(&f->whole);
    dt_state_free(&f->state);
    dt_moments_free(&f->moments);
    dt_layout_free(&f->layout);
    tiny_free(f->t);
}

/* As loops do, on all ranks. */
static void save(fixture *f) {
    dt_saving_begin(&f->saving, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_NOW);
}

static char *checkpoint_of(const fixture *f, int64_t step) {
    char name[64];
    snprintf(name, sizeof name, "checkpoint_step_%d", (int)step);
    return dt_file_join(f->t->folder, name);
}

/* The metadata of the checkpoint at `path`, where the sums of all its files stand too; the caller frees. */
static char *metadata_of(const char *path) {
    char *text, *file = dt_file_join(path, "metadata.json");
    size_t length;
    assert_ok(dt_file_read_regular(file, 1 << 20, &text, &length));
    free(file);
    return text;
}

/* What rank 0 has saved of `step`, of which its whole state is, is what that state alone would have made. */
static void expect_saved(fixture *f, int64_t step) {
    dt_checkpoint_path paths;
    char *other = dt_file_join(f->t->scratch, "other"), *expected, *path = checkpoint_of(f, step);
    dt_checkpoint_about about = f->t->about;
    about.step = step;
    about.val_loss = DT_NULL_REAL;
    if (world.rank == 0) {
        dt_saver_wait(f->saving.saver);
        become(f, step);
        assert_ok(dt_checkpoint_write(&paths, other, &about, NULL, &f->whole, NULL, NULL));
        assert_ok(dt_checkpoint_publish(&paths, &expected));
        expect_verified(path);
        char *found = metadata_of(path), *wanted = metadata_of(expected);
        assert_string_equal(found, wanted);
        free(found);
        free(wanted);
        free(expected);
    }
    free(other);
    free(path);
    assert_ok(dt_world_barrier(&world));
}

/* A save that rank 0 has given up; the next is none the worse for it. Collective. */
static void expect_refused(fixture *f, int64_t step, const char *sentence) {
    save(f);
    if (world.rank == 0) {
        char *path = checkpoint_of(f, step);
        dt_saver_wait(f->saving.saver);
        assert_false(dt_file_exists(path));
        free(path);
        f->t->about.config.checkpoint_on_error = DT_ON_ERROR_WARN;
        assert_int_equal(dt_saver_finish(f->saving.saver), DT_FAILED);
        if (strstr(dt_error(), sentence) == NULL)
            fail_msg("expected \"%s\" in \"%s\"", sentence, dt_error());
    }
    assert_ok(dt_world_barrier(&world));
}

static void files_are_those_of_one_with_all_moments(void **state) {
    (void)state;
    fixture f;
    make(&f);
    for (int64_t step = 4; step <= 6; step++) {
        become(&f, step);
        save(&f);
        become(&f, step + 100); /* a step, which waits for the copies alone */
        expect_saved(&f, step);
    }
    end(&f);
}

static void sleep_ms(long ms) {
    const struct timespec pause = {.tv_nsec = 1000000 * ms};
    nanosleep(&pause, NULL);
}

/* A signal's thread asks rank 0 alone. One rank is a step ahead, the last comes a little later, or is as far
 * as rank 0: whatever all can have is saved. The loops' own save of that step finds it done. */
static void a_save_that_one_asks_for_finds_a_common_step(void **state) {
    (void)state;
    fixture f;
    make(&f);
    for (int64_t step = 4, ahead = 0; ahead < world.size; step += 2, ahead++) {
        become(&f, world.rank == ahead ? step + 1 : step);
        assert_ok(dt_world_barrier(&world));
        if (world.rank == 0)
            dt_saver_begin(f.saving.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_MAKESHIFT);
        sleep_ms(60);
        if (world.rank != ahead)
            become(&f, step + 1);
        save(&f);
        expect_saved(&f, step + 1);
    }
    /* All are at one step: then that is it, and nobody has to go on. */
    become(&f, 50);
    assert_ok(dt_world_barrier(&world));
    if (world.rank == 0)
        dt_saver_begin(f.saving.saver, DT_NULL_REAL, dt_clock_seconds(), DT_SAVE_MAKESHIFT);
    expect_saved(&f, 50);
    end(&f);
}

static void what_is_damaged_or_not_finite_is_refused(void **state) {
    (void)state;
    fixture f;
    char sentence[96];
    make(&f);
    for (int rank = 0; rank < world.size; rank++) {
        become(&f, 10 + rank);
        flips_on = rank;
        flips_at = rank == 0 ? 0 : f.state.moments - 1;
        snprintf(sentence, sizeof sentence,
                 "the copy of rank %d's moments that was to be written, exp_avg_sq", rank);
        expect_refused(&f, 10 + rank, sentence);
        flips_on = -1;
    }
    become(&f, 30);
    if (world.rank == world.size - 1)
        f.state.exp_avg[f.state.moments - 1] = NAN;
    expect_refused(&f, 30, "found NaN or infinity in tensor exp_avg.");
    become(&f, 31);
    save(&f);
    expect_saved(&f, 31);
    end(&f);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_those_of_one_with_all_moments),
                                          cmocka_unit_test(a_save_that_one_asks_for_finds_a_common_step),
                                          cmocka_unit_test(what_is_damaged_or_not_finite_is_refused)};

CMOCKA_MPI_MAIN(tests)
