/**
 * The texts of a run: what it trains on, and what it evaluates on where that is not a part of the first.
 */
#ifndef DT_TRAIN_RUN_CORPUS_H
#define DT_TRAIN_RUN_CORPUS_H

#include <stdbool.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "data/batch.h"
#include "data/corpus.h"
#include "infer/evaluate.h"
#include "train/resume.h"

/** What decides them; all of it must agree. */
typedef struct dt_run_corpus_inputs {
    const dt_world *world;
    const dt_config *config;
    const dt_resume *resume;
    dt_tokenizer *tokenizer; /**< NULL where the texts are tokens alone */
    int64_t V;               /**< every token must be below it */
    bool visits;             /**< writes to no token cache (train/corpus_index.h) */
} dt_run_corpus_inputs;

/**
 * Opens and indexes what the run trains on, and gives a tokenizer that collects characters its tokens. A run
 * that goes on and took its text from standard input has it from its token cache, where that has it and no
 * `data` is given now. The corpus is to be closed in any case. Collective.
 */
dt_status dt_run_corpus_open(const dt_run_corpus_inputs *inputs, dt_corpus *corpus);

/**
 * Opens what the config's `validation_data` names, where it names something. Where nothing evaluates on it, a
 * new run makes sure that it is there, and one that goes on does not ask again; `corpus` holds nothing then.
 * Collective.
 */
dt_status dt_run_corpus_open_validation(const dt_run_corpus_inputs *inputs, dt_corpus *corpus);

/** What the run evaluates on: a part of `validation` where validation_data names one, else what of `corpus`
 * it does not train on. Local. */
dt_evaluate_range dt_run_corpus_validates(const dt_config *config, const dt_corpus *corpus,
                                          const dt_corpus *validation);

/** The tokens [*first, *end) that this rank evaluates on, of `validation` where validation_data names one;
 * none where nothing is evaluated. Local. */
void dt_run_corpus_evaluated(const dt_run_corpus_inputs *inputs, const dt_corpus *corpus,
                             const dt_corpus *validation, int64_t *first, int64_t *end);

/** Reads the shard of slots [first_slot, end_slot). What each rank takes of the texts, and another has read,
 * it is given; what it evaluates on stays held (data/held_blocks.h). Collective. */
dt_status dt_run_corpus_load(const dt_run_corpus_inputs *inputs, dt_corpus *corpus, dt_corpus *validation,
                             const dt_streams *streams, int64_t first_slot, int64_t end_slot,
                             dt_shard *shard);

#endif
