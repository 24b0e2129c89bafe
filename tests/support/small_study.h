/**
 * A scaling study without points: what tests of its page, its JSON and its merging begin with.
 */
#ifndef DT_TESTS_SMALL_STUDY_H
#define DT_TESTS_SMALL_STUDY_H

#include <stdio.h>
#include <stdlib.h>

#include "bench/study.h"

/**
 * Five repetitions of a batch of 8 windows of 10 tokens by `ranks` ranks on one host. Fills `config`, which
 * the study points to; NULL when out of memory. To be freed with small_study_drop.
 */
static inline dt_study *small_study(dt_config *config, int ranks, const char *host, const char *processor) {
    dt_study *study = calloc(1, sizeof *study);
    if (study == NULL || dt_config_init(config) != DT_OK) {
        free(study);
        return NULL;
    }
    config->max_seq_len = 10;
    config->batch_size = 8;
    *study = (dt_study){.config = config, .parameters = 1234567, .repetitions = 5, .warmups = 1};
    study->machine = (dt_machine){.ranks = ranks,
                                  .threads = 1,
                                  .host_cores = 4,
                                  .host_ranks = ranks,
                                  .hosts = json_pack("[s]", host),
                                  .version = "1.2.3",
                                  .commit = "0123abc",
                                  .kernels = "avx2",
                                  .stamp = "2031-05-30T12:00:00Z"};
    snprintf(study->machine.processor, sizeof study->machine.processor, "%s", processor);
    return study;
}

/** Frees the study and what its config holds. */
static inline void small_study_drop(dt_study *study, dt_config *config) {
    dt_machine_free(&study->machine);
    dt_config_free(config);
    free(study);
}

#endif
