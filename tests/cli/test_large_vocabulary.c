/* GPT-2's 50,257 tokens on a model of few channels: the head works a micro-batch off in two blocks of rows,
 * and the promise of the same bits holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/training.h"

/* 384 rows in a micro-batch, of which 64 MB hold the logits of 318; five micro-batches, the last of one
 * sequence. */
#define MODEL                                                                                                \
    "--n-layers 1 --d-model 16 --n-heads 2 --d-ff 32 --max-seq-len 128 --vocab-size 50257 --batch-size 13 "  \
    "--micro-batch-size 3 --learning-rate 1e-2 --seed 7 --data text.txt --eval-cadence 1 "                   \
    "--eval-max-windows 4 --eval-on all "

#define STEPS 2

static void check(const char *dtype, const char *alone, const char *several, const char *resumed) {
    char flags[512];
    snprintf(flags, sizeof flags, MODEL "--max-steps 2 --compute-dtype %s", dtype);
    training_done(TRAINING_ALONE, 1, alone, flags);
    training_done(5, 1, several, flags);
    training_same_run(alone, several, STEPS);
    training_same_metric(alone, several, "val_loss");

    snprintf(flags, sizeof flags, MODEL "--max-steps 1 --compute-dtype %s", dtype);
    training_done(2, 1, resumed, flags);
    snprintf(flags, sizeof flags, MODEL "--max-steps 2 --resume latest --compute-dtype %s", dtype);
    training_done(3, 2, resumed, flags);
    training_same_run(alone, resumed, STEPS);
    training_same_metric(alone, resumed, "val_loss");
}

static void ranks_threads_and_a_resume_change_no_bit(void **state) {
    (void)state;
    check("fp32", "alone", "several", "resumed");
    check("bf16", "alone_bf16", "several_bf16", "resumed_bf16");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranks_threads_and_a_resume_change_no_bit)};
    return cmocka_run_group_tests(tests, training_set_up, training_tear_down);
}
