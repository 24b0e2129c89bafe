/* One hash where all is well; a row a rank, gathered, where it is not. */
#include "step/consent.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "comm/agree.h"
#include "base/checksum.h"
#include "base/suffix.h"
#include "comm/contract.h"
#include "optim/finite.h"

/* A rank's row: what it found, then a hash of each tensor of its gradient. */
enum {
    STATE,    /* a hash of weights and moments */
    WEIGHTS,  /* 0, or 1 + the first tensor of the weights that is not finite */
    GRADIENT, /* the same of the gradient */
    FINITE,   /* 1 where loss and norm are */
    LOSS,
    NORM,
    TENSORS
};

/* The rows of all ranks; a rank's own is filled before they are gathered. */
typedef struct evidence {
    const dt_world *world;
    const dt_layout *layout;
    bool whole; /* every rank has the whole gradient, or else each its own pieces */
    int64_t columns;
    uint64_t *rows; /* [size, columns] */
} evidence;

static uint64_t *row_of(const evidence *e, int rank) {
    return e->rows + rank * e->columns;
}

static bool is_finite(const dt_findings *found) {
    return isfinite(found->loss) && isfinite(found->grad_norm);
}

/* As a column has it: 0 for NULL. */
static uint64_t column_of(const dt_layout *layout, const dt_tensor *first) {
    return first ? (uint64_t)(first - layout->tensor + 1) : 0;
}

static void fill_row(const evidence *e, uint64_t state_hash, const dt_state *state, const float *gradient,
                     const dt_findings *mine) {
    uint64_t *row = row_of(e, e->world->rank);
    row[STATE] = state_hash;
    row[WEIGHTS] = column_of(e->layout, dt_finite_first(e->layout, state->parameters));
    row[GRADIENT] =
        column_of(e->layout, e->whole ? dt_finite_first(e->layout, gradient)
                                      : dt_finite_first_of(e->layout, gradient, state->run, state->runs));
    row[FINITE] = is_finite(mine);
    memcpy(&row[LOSS], &mine->loss, sizeof *row);
    memcpy(&row[NORM], &mine->grad_norm, sizeof *row);
    for (int64_t t = 0; e->whole && t < e->layout->tensors; t++)
        row[TENSORS + t] = dt_checksum_64(gradient + e->layout->tensor[t].offset,
                                          (size_t)e->layout->tensor[t].count * sizeof *gradient);
}

static bool column_differs(const evidence *e, int64_t column) {
    bool differs = false;
    for (int r = 1; r < e->world->size; r++)
        differs |= row_of(e, r)[column] != row_of(e, 0)[column];
    return differs;
}

/* Takes over the numbers of the lowest rank whose numbers are not finite; that rank, or -1. */
static int take_nonfinite(const evidence *e, dt_findings *mine) {
    for (int r = 0; r < e->world->size; r++)
        if (row_of(e, r)[FINITE] == 0) {
            memcpy(&mine->loss, &row_of(e, r)[LOSS], sizeof mine->loss);
            memcpy(&mine->grad_norm, &row_of(e, r)[NORM], sizeof mine->grad_norm);
            return r;
        }
    return -1;
}

/* How a blame ends that is of some ranks. */
#define ALONE " alone"

/* The first tensor of the gradient, as in its column, in the pieces of all ranks together. */
static uint64_t first_of_pieces(const evidence *e) {
    uint64_t first = 0;
    for (int r = 0; r < e->world->size; r++) {
        const uint64_t theirs = row_of(e, r)[GRADIENT];
        first = theirs > 0 && (first == 0 || theirs < first) ? theirs : first;
    }
    return first;
}

/* What is not finite on rank `rank`, and on which ranks it is so if not on all. */
static dt_status blame_nonfinite(const evidence *e, int rank, char blame[DT_CONSENT_BYTES]) {
    const uint64_t *row = row_of(e, rank);
    const uint64_t gradient = e->whole ? row[GRADIENT] : first_of_pieces(e);
    char ranks[DT_MISMATCH_BYTES];
    int count;
    if (row[WEIGHTS] > 0)
        snprintf(blame, DT_CONSENT_BYTES, "weights of %s", e->layout->tensor[row[WEIGHTS] - 1].name);
    else if (gradient > 0)
        snprintf(blame, DT_CONSENT_BYTES, "gradient of %s", e->layout->tensor[gradient - 1].name);
    else
        snprintf(blame, DT_CONSENT_BYTES, "loss");
    DT_TRY(dt_mismatch_list(e->world, row_of(e, e->world->rank)[FINITE] == 0, ranks, &count));
    const size_t used = strlen(blame);
    if (count < e->world->size)
        snprintf(blame + used, DT_CONSENT_BYTES - used, " on %s" ALONE, ranks);
    return DT_OK;
}

bool dt_consent_blames_some(const char *blame) {
    return dt_has_suffix(blame, ALONE);
}

static dt_status blame_unequal(const evidence *e, char blame[DT_CONSENT_BYTES]) {
    char found[DT_MISMATCH_BYTES];
    DT_TRY(dt_mismatch_describe(e->world, e->rows, (size_t)e->columns * sizeof *e->rows, false, found));
    int64_t t = 0;
    while (t < e->layout->tensors && !column_differs(e, TENSORS + t))
        t++;
    if (t < e->layout->tensors)
        snprintf(blame, DT_CONSENT_BYTES, "%s; first in the gradient of %s", found,
                 e->layout->tensor[t].name);
    else
        snprintf(blame, DT_CONSENT_BYTES, "%s in a number computed from equal gradients", found);
    return DT_OK;
}

static dt_status judge(const evidence *e, dt_findings *mine, dt_consent *consent, char *blame) {
    const int nonfinite = take_nonfinite(e, mine);
    *consent = column_differs(e, STATE) ? DT_CONSENT_REPLICAS_DIFFER
               : nonfinite >= 0         ? DT_CONSENT_NOT_FINITE
                                        : DT_CONSENT_UNEQUAL;
    if (*consent == DT_CONSENT_NOT_FINITE)
        return blame_nonfinite(e, nonfinite, blame);
    return *consent == DT_CONSENT_UNEQUAL ? blame_unequal(e, blame) : DT_OK;
}

dt_status dt_consent_ask(const dt_world *world, dt_replica_check *check, const dt_state *state,
                         const float *gradient, bool whole, dt_findings *mine, dt_consent *consent,
                         char blame[DT_CONSENT_BYTES]) {
    DT_COLLECTIVE_CALL(world);
    /* The bits of a NaN may depend on who made it: all that are not finite count as the same. */
    const bool finite = is_finite(mine);
    bool same;
    *blame = 0;
    *consent = DT_CONSENT_GIVEN;
    DT_TRY(dt_agree_same(world, finite ? dt_checksum_64(mine, sizeof *mine) : 0, &same));
    if (same && finite)
        return DT_OK;
    evidence e = {
        .world = world, .layout = state->layout, .whole = whole, .columns = TENSORS + state->layout->tensors};
    e.rows = dt_memory_alloc(world->size * e.columns, sizeof *e.rows, "what the ranks found");
    if (e.rows)
        fill_row(&e, dt_replica_check_look_now(check), state, gradient, mine);
    dt_status status = dt_agree(world, e.rows ? DT_OK : DT_FAILED);
    if (status == DT_OK)
        status = dt_world_gather_same(world, e.rows, e.columns * (int64_t)sizeof *e.rows);
    if (status == DT_OK)
        status = judge(&e, mine, consent, blame);
    dt_memory_free(e.rows);
    return status;
}
