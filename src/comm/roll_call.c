/* Notes between ranks, each the sender's whole state, so that the last one is all that counts. */
#include "comm/roll_call.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/progress.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mpi_world.h"

/* How long an answer counts: a fraction of the limit. */
#define ANSWER_LASTS 0.4

/* ---- create and free ---- */

/* Gives each peer the name of its host. */
static dt_status learn_hosts(dt_roll_call *roll) {
    const dt_world *world = roll->world;
    char(*hosts)[DT_HOST_BYTES] = NULL;
    roll->peers = dt_memory_alloc(world->size, sizeof *roll->peers, "what is known of other ranks");
    dt_status status = dt_agree(world, roll->peers ? DT_OK : DT_FAILED);
    if (status == DT_OK)
        status = dt_world_host_names(world, &hosts);
    for (int r = 0; roll->peers && r < world->size; r++)
        roll->peers[r] = (dt_roll_call_peer){.sending = MPI_REQUEST_NULL, .heard_at = -HUGE_VAL};
    for (int r = 0; status == DT_OK && r < world->size; r++)
        memcpy(roll->peers[r].host, hosts[r], DT_HOST_BYTES);
    dt_memory_free(hosts);
    return status;
}

dt_status dt_roll_call_create(dt_roll_call *roll, const dt_world *world) {
    DT_COLLECTIVE_CALL(world);
    roll->world = world;
    roll->comm = MPI_COMM_NULL;
    roll->peers = NULL;
    roll->now = roll->moved_at = 0.0;
    roll->requested = false;
    roll->spoken_at = -HUGE_VAL;
    dt_status status = learn_hosts(roll);
    if (status == DT_OK)
        status = dt_mpi_world_check(MPI_Comm_dup(world->mpi->comm, &roll->comm), "MPI_Comm_dup");
    if (status != DT_OK)
        dt_roll_call_free(roll);
    return status;
}

void dt_roll_call_free(dt_roll_call *roll) {
    /* A note that is still on its way has left its buffer soon: MPI takes so few bytes without a receiver. */
    for (int r = 0; roll->peers && r < roll->world->size; r++)
        (void)MPI_Wait(&roll->peers[r].sending, MPI_STATUS_IGNORE);
    if (roll->world && roll->comm != MPI_COMM_NULL)
        (void)MPI_Comm_free(&roll->comm);
    dt_memory_free(roll->peers);
    roll->peers = NULL;
    roll->world = NULL;
}

/* ---- notes ---- */

static dt_roll_call_note own_note(const dt_roll_call *roll) {
    const dt_progress here = dt_progress_look();
    dt_roll_call_note mine = {
        .idle_seconds = roll->now - roll->moved_at, .arrivals = here.arrivals, .step = here.step};
    snprintf(mine.phase, sizeof mine.phase, "%s", here.phase);
    return mine;
}

/* A failure here is nobody's to mend: the rank that hears nothing will say so. */
static void send_note(dt_roll_call *roll, int rank, dt_roll_call_topic topic) {
    dt_roll_call_peer *to = &roll->peers[rank];
    int gone = 1;
    (void)MPI_Test(&to->sending, &gone, MPI_STATUS_IGNORE);
    if (!gone)
        return;
    to->out = own_note(roll);
    (void)MPI_Isend(&to->out, (int)sizeof to->out, MPI_BYTE, rank, (int)topic, roll->comm, &to->sending);
}

void dt_roll_call_hear(dt_roll_call *roll) {
    dt_roll_call_peer *self = &roll->peers[roll->world->rank];
    int waiting = 1;
    MPI_Status status;
    self->in = own_note(roll);
    self->heard_at = roll->now;
    while (MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, roll->comm, &waiting, &status) == MPI_SUCCESS && waiting) {
        dt_roll_call_peer *from = &roll->peers[status.MPI_SOURCE];
        if (MPI_Recv(&from->in, (int)sizeof from->in, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, roll->comm,
                     MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return;
        from->heard_at = roll->now;
        if (status.MPI_TAG == DT_ROLL_CALL_QUESTION)
            send_note(roll, status.MPI_SOURCE, DT_ROLL_CALL_ANSWER);
        else if (status.MPI_TAG == DT_ROLL_CALL_REQUEST)
            roll->requested = true;
        else if (status.MPI_TAG == DT_ROLL_CALL_VERDICT)
            roll->spoken_at = roll->now;
    }
}

void dt_roll_call_tell_all(dt_roll_call *roll, dt_roll_call_topic topic) {
    for (int r = 0; r < roll->world->size; r++)
        if (r != roll->world->rank)
            send_note(roll, r, topic);
}

/* ---- who is missing ---- */

bool dt_roll_call_answers(const dt_roll_call *roll, int rank, double limit) {
    return roll->now - roll->peers[rank].heard_at < ANSWER_LASTS * limit;
}

static double idle_seconds(const dt_roll_call *roll, int rank) {
    return roll->now - roll->peers[rank].heard_at + roll->peers[rank].in.idle_seconds;
}

bool dt_roll_call_hangs(const dt_roll_call *roll, double limit) {
    for (int r = 0; r < roll->world->size; r++)
        if (dt_roll_call_answers(roll, r, limit) && idle_seconds(roll, r) < limit)
            return false;
    return true;
}

/*
 * Whom the others wait for. Of ranks that do not answer nothing else needs to be known; where all answer it
 * is those that have arrived the fewest times, unless all have arrived as often.
 */
static bool is_missing(const dt_roll_call *roll, int rank, double limit) {
    int64_t min = INT64_MAX, max = INT64_MIN;
    bool all_answer = true;
    for (int r = 0; r < roll->world->size; r++) {
        const int64_t arrivals = roll->peers[r].in.arrivals;
        all_answer = all_answer && dt_roll_call_answers(roll, r, limit);
        min = arrivals < min ? arrivals : min;
        max = arrivals > max ? arrivals : max;
    }
    return all_answer ? min < max && roll->peers[rank].in.arrivals == min
                      : !dt_roll_call_answers(roll, rank, limit);
}

int dt_roll_call_name_missing(const dt_roll_call *roll, double limit, FILE *text) {
    int missing = 0;
    for (int r = 0; r < roll->world->size; r++) {
        const dt_roll_call_peer *p = &roll->peers[r];
        if (!is_missing(roll, r, limit))
            continue;
        fprintf(text, "%srank %d on %s, which ", missing++ ? "; " : "", r, p->host);
        if (dt_roll_call_answers(roll, r, limit))
            fprintf(text, "answers, but is %s at step %" PRId64 " since %.0f s", p->in.phase, p->in.step,
                    idle_seconds(roll, r));
        else
            fputs("does not answer", text);
    }
    return missing;
}

const dt_roll_call_note *dt_roll_call_furthest(const dt_roll_call *roll, double limit) {
    const dt_roll_call_note *furthest = &roll->peers[roll->world->rank].in;
    for (int r = 0; r < roll->world->size; r++)
        if (dt_roll_call_answers(roll, r, limit) && roll->peers[r].in.arrivals > furthest->arrivals)
            furthest = &roll->peers[r].in;
    return furthest;
}
