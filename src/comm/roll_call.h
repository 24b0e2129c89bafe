/**
 * What ranks tell one another of where they are, and who is missing: the messages of the watchdog.
 *
 * Messages are small enough for MPI to take them at once, and one to a rank that does not listen is the last
 * to it: memory does not grow. Only the watchdog's thread calls these functions after dt_roll_call_create,
 * and seconds are of the clock that it keeps in `now`. Private to comm/.
 */
#ifndef DT_COMM_ROLL_CALL_H
#define DT_COMM_ROLL_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "comm/mpi_world.h"
#include "comm/world.h"

/** What a message is about; its tag. */
typedef enum dt_roll_call_topic {
    DT_ROLL_CALL_QUESTION, /**< where are you? The answer comes by itself */
    DT_ROLL_CALL_ANSWER,
    DT_ROLL_CALL_REQUEST, /**< the request that travels was made on this rank */
    DT_ROLL_CALL_VERDICT  /**< this rank ends the job */
} dt_roll_call_topic;

/** What one rank tells another. All run the same program, so its bytes mean the same everywhere. */
typedef struct dt_roll_call_note {
    double idle_seconds; /**< since its last mark */
    int64_t arrivals, step;
    char phase[48];
} dt_roll_call_note;

/** What this rank knows of one rank. */
typedef struct dt_roll_call_peer {
    char host[DT_HOST_BYTES];
    MPI_Request sending; /**< of `out`; MPI_REQUEST_NULL when it has left */
    dt_roll_call_note out, in;
    double heard_at; /**< when `in` came; -HUGE_VAL before the first */
} dt_roll_call_peer;

typedef struct dt_roll_call {
    const dt_world *world;
    MPI_Comm comm;            /**< of its own: its messages meet no others */
    dt_roll_call_peer *peers; /**< [size], with this rank's own last note to itself */
    double now;               /**< the watchdog's clock, which the watchdog advances */
    double moved_at;          /**< when this rank last left a mark */
    bool requested;           /**< another rank has told of the request */
    _Atomic double spoken_at; /**< when a rank said that it ends the job; -HUGE_VAL: none has */
} dt_roll_call;

/** Prepares the roll call of `world`, which must outlive it. On failure nothing is left to free. Collective.
 */
dt_status dt_roll_call_create(dt_roll_call *roll, const dt_world *world);

/** Frees; fine for what is all zero. Collective, unless all zero. */
void dt_roll_call_free(dt_roll_call *roll);

/** Notes where this rank itself is, and takes in what has come: answers questions, and sets `requested` and
 * `spoken_at`. Does not wait. Local. */
void dt_roll_call_hear(dt_roll_call *roll);

/** Sends this rank's note to all others. Does not wait, and leaves out a rank that has not taken the last.
 * Local. */
void dt_roll_call_tell_all(dt_roll_call *roll, dt_roll_call_topic topic);

/** Whether `rank` has told where it is lately, as `limit` seconds without progress see it. Local. */
bool dt_roll_call_answers(const dt_roll_call *roll, int rank, double limit);

/** Whether no rank that answers has made progress within the limit. Local. */
bool dt_roll_call_hangs(const dt_roll_call *roll, double limit);

/** The note of the rank that has come furthest, of those that answer. Local. */
const dt_roll_call_note *dt_roll_call_furthest(const dt_roll_call *roll, double limit);

/** Writes the ranks that others wait for, their hosts and what is known of them, into `text`; returns how
 * many they are. Local. */
int dt_roll_call_name_missing(const dt_roll_call *roll, double limit, FILE *text);

#endif
