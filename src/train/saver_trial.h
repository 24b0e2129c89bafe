/**
 * Whether what is being saved is good: the writer waits for the verdict, and the loop gives it. Any thread
 * may call these functions, which are local.
 */
#ifndef DT_TRAIN_SAVER_TRIAL_H
#define DT_TRAIN_SAVER_TRIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** What a save waits for. */
typedef enum dt_save_kind {
    DT_SAVE_NOW, /**< for nothing: there is no time to ask. Takes one before it that is still undecided */
    DT_SAVE_MAKESHIFT, /**< the same, of a step at which no save was planned, for when there may be no time to
                          come to one that is: it goes again once the checkpoint of a later step stands */
    DT_SAVE_PROVISIONAL, /**< it gets its name, but older ones go only after dt_saver_decide */
    DT_SAVE_ON_TRIAL     /**< it gets its name after dt_saver_decide */
} dt_save_kind;

/** What became of the state that is saved, as the step after it shows. */
typedef enum dt_save_verdict {
    DT_SAVE_GOOD,
    DT_SAVE_DOUBTFUL, /**< it is what all ranks have, but goes wrong: it gets its name, and no other goes for
                         it */
    DT_SAVE_BAD       /**< the ranks do not have the same: on trial it is removed */
} dt_save_verdict;

/** For dt_saver_decide: nobody has hashed the state. */
#define DT_SAVE_UNSEEN UINT64_C(0)

typedef struct dt_saver_trial {
    pthread_mutex_t mutex; /**< guards what follows */
    pthread_cond_t changed;
    dt_save_kind kind;       /**< of the save that was asked for last */
    bool pending;            /**< it waits for the verdict */
    bool leaving;            /**< nobody will give one any more */
    dt_save_verdict verdict; /**< on it */
    uint64_t state_hash;     /**< and of what */
} dt_saver_trial;

/** Prepares it. The caller closes it. */
void dt_saver_trial_open(dt_saver_trial *trial);

/** The end; nobody may wait. */
void dt_saver_trial_close(dt_saver_trial *trial);

/** Whether a decision follows a save of this kind. */
bool dt_saver_trial_waits(dt_save_kind kind);

/** A save of `kind` begins, the last one being over. */
void dt_saver_trial_begin(dt_saver_trial *trial, dt_save_kind kind);

/** The kind of the save that is under way. */
dt_save_kind dt_saver_trial_kind(dt_saver_trial *trial);

/** Decides on the save that waits for it, as dt_saver_decide. */
void dt_saver_trial_decide(dt_saver_trial *trial, dt_save_verdict verdict, uint64_t state_hash);

/** Nobody decides any more: whoever waits goes on. */
void dt_saver_trial_leave(dt_saver_trial *trial);

/** Waits for the verdict; adds what that took to `*seconds`. Where nobody will say it any more, it is
 * `unsaid`. */
dt_save_verdict dt_saver_trial_await(dt_saver_trial *trial, dt_save_verdict unsaid, double *seconds);

/** The hash of the state that was compared, once there is a verdict, or DT_SAVE_UNSEEN. */
uint64_t dt_saver_trial_hash(dt_saver_trial *trial);

#endif
