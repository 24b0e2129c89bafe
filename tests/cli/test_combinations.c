/*
 * The same bits by whatever combination of what may not change them: ranks, threads alone and in teams,
 * recomputed layers, a sharded optimizer, algorithms, sizes of buckets, and stops with a resume onto another
 * combination; for each tokenizer, dtype and size, which do change them, against a run of one rank with none
 * of these. It says how many of them saved the moments of several ranks, and packed for bf16 what came from
 * them.
 *
 * Combinations are drawn from a seeded generator. DTRAIN_TEST_COMBINATIONS is how many (12 when it is not
 * set; `tools/test --long` tries more), DTRAIN_TEST_SEED draws others.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/chance.h"
#include "support/training.h"

#define STEPS 4
#define MODEL                                                                                                \
    TRAINING_MODEL "--n-layers 3 --batch-size 10 --micro-batch-size 1 --lr-schedule cosine "                 \
                   "--warmup-steps 2 --min-learning-rate 1e-3 --max-steps 4 --eval-cadence 2 "               \
                   "--eval-max-windows 3 --checkpoint-cadence 2 "

/* Vectors of more than one of the spans (train/own_moments.h) in which moments come to rank 0 for a save. */
#define WIDE "--d-model 176 --d-ff 704 "

/* What changes bits: each has a run to compare with. */
static const char *const kinds[] = {
    "",
    "--compute-dtype bf16",
    "--gradient-dtype bf16",
    "--tokenizer bytes",
    "--tokenizer chars --compute-dtype bf16 --gradient-dtype bf16",
    "--tokenizer bpe.json",
    "--tokenizer bpe.json --compute-dtype bf16",
    WIDE,
    WIDE "--compute-dtype bf16",
};
#define KINDS ((int64_t)(sizeof kinds / sizeof *kinds))

static chance generator;

static int64_t draw(int64_t end) {
    return chance_draw(&generator, end);
}

typedef struct combination {
    int ranks, threads;
    bool sharded; /* among several ranks */
    char flags[256];
} combination;

/* Of runs, both parts of a resumed one. */
typedef struct counts {
    int64_t saved_in_slices, saved_in_spans, resumed_in_slices, packed, packed_by_threads;
} counts;

static combination draw_combination(void) {
    static const int ranks[] = {TRAINING_ALONE, 1, 2, 3, 4, 5, 7, 10};
    static const char *const algorithms[] = {"auto", "flat", "hierarchical"};
    static const char *const teams[] = {"1", "2", "3", "auto"};
    combination c = {.ranks = ranks[draw(8)], .threads = 1 + (int)draw(3)};
    const bool recomputed = draw(2) == 1, shard = draw(3) > 0;
    c.sharded = shard && c.ranks > 1;
    snprintf(
        c.flags, sizeof c.flags,
        "--recompute %s --%sshard-optimizer --allreduce %s --bucket-bytes %d --threads-per-micro-batch %s",
        recomputed ? "layer" : "none", shard ? "" : "no-", algorithms[draw(3)], 4096 << draw(6),
        teams[draw(4)]);
    return c;
}

/* Every run saves, and every update but the last has a forward pass after it. */
static void count(const char *kind, const combination *c, bool resumes, counts *found) {
    const bool packs = c->sharded && strstr(kind, "compute-dtype bf16") != NULL;
    found->saved_in_slices += c->sharded;
    found->saved_in_spans += c->sharded && strstr(kind, WIDE) != NULL;
    found->resumed_in_slices += c->sharded && resumes;
    found->packed += packs;
    found->packed_by_threads += packs && c->threads > 1;
}

/* Half of the time the run is a resume, by another combination, of one that was stopped in the middle. */
static void try_combination(int64_t number, counts *found) {
    const int64_t kind = draw(KINDS);
    const combination c = draw_combination(), rest = draw_combination();
    const bool resumed = draw(2) == 1;
    char flags[1024], out_dir[32], whole[32];
    snprintf(out_dir, sizeof out_dir, "combination%" PRId64, number);
    snprintf(whole, sizeof whole, "whole%" PRId64, kind);
    snprintf(flags, sizeof flags, "%s%s %s", MODEL, kinds[kind], c.flags);
    /* 0 ranks: without mpirun. */
    print_message("%" PRId64 ": %d ranks of %d threads, %s %s", number, c.ranks, c.threads, kinds[kind],
                  c.flags);
    training_done(c.ranks, c.threads, out_dir, flags);
    count(kinds[kind], &c, false, found);
    if (resumed) {
        print_message("; from step 2 on %d ranks of %d, %s", rest.ranks, rest.threads, rest.flags);
        snprintf(flags, sizeof flags, "%s%s %s --resume %s/checkpoints/checkpoint_step_2", MODEL, kinds[kind],
                 rest.flags, out_dir);
        training_done(rest.ranks, rest.threads, out_dir, flags);
        count(kinds[kind], &rest, true, found);
    }
    print_message("\n");
    training_same_run(whole, out_dir, STEPS);
    training_same_metric(whole, out_dir, "val_loss");
    command_result r = command_run("rm -r %s", out_dir);
    command_free(&r);
}

static void no_combination_changes_a_bit(void **state) {
    (void)state;
    const int64_t seed = chance_from_environment("DTRAIN_TEST_SEED", 1),
                  tries = chance_from_environment("DTRAIN_TEST_COMBINATIONS", 12);
    counts found = {0};
    generator = chance_of(seed);
    for (int64_t kind = 0; kind < KINDS; kind++) {
        char flags[512], whole[32];
        snprintf(whole, sizeof whole, "whole%" PRId64, kind);
        snprintf(flags, sizeof flags, "%s%s", MODEL, kinds[kind]);
        training_done(TRAINING_ALONE, 1, whole, flags);
    }
    for (int64_t number = 1; number <= tries; number++)
        try_combination(number, &found);
    print_message("%" PRId64 " combinations of seed %" PRId64 " gave the same bits; of their runs %" PRId64
                  " saved the moments of several ranks, %" PRId64 " of these span by span, %" PRId64
                  " dealt them out at a resume, and %" PRId64
                  " packed weights for bf16 as they came, %" PRId64 " of these by several threads\n",
                  tries, seed, found.saved_in_slices, found.saved_in_spans, found.resumed_in_slices,
                  found.packed, found.packed_by_threads);
    assert_true(tries < 100 ||
                (found.saved_in_spans > 0 && found.resumed_in_slices > 0 && found.packed_by_threads > 0));
}

static int set_up(void **state) {
    training_set_up(state);
    command_limit_seconds = 900; /* ten ranks of three threads, on a busy machine */
    command_done(DTRAIN " tokenizer train text.txt --vocab-size 300 --out bpe.json");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_combination_changes_a_bit)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
