/**
 * The verbs that look at a checkpoint, tried on one small trained model.
 */
#ifndef DT_TESTS_VERB_H
#define DT_TESTS_VERB_H

#include "support/training.h"

#define VERB_CHECKPOINT "run/checkpoints/latest"

/** For cmocka, with command_tear_down: trains forty steps at a high rate, enough that the likeliest tokens
 * are those of the text. */
static inline int verb_set_up(void **state) {
    training_set_up(state);
    training_done(2, 1, "run", TRAINING_MODEL "--max-steps 40 --eval-cadence 20");
    return 0;
}

/** What a command that must end well printed; owned by the caller. */
static inline char *verb_output(const char *launcher, const char *line) {
    command_result r = command_run("%s %s %s", launcher, DTRAIN, line);
    if (r.exit_code != 0)
        fail_msg("%s ended with %d: %s", line, r.exit_code, r.err);
    char *out = r.out;
    r.out = NULL;
    command_free(&r);
    return out;
}

/** The command ends so, and says this and nothing else. */
static inline void verb_refused(const char *line, int exit_code, const char *sentence) {
    command_result r = command_run("%s %s", DTRAIN, line);
    if (r.exit_code != exit_code || strcmp(r.err, sentence) != 0)
        fail_msg("%s: expected exit code %d and \"%s\", found %d and \"%s\"", line, exit_code, sentence,
                 r.exit_code, r.err);
    command_free(&r);
}

#endif
