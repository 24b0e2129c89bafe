/**
 * How the attention of a micro-batch is shared out among a team: by heads, or by sections of heads where
 * there are too few heads for all threads.
 *
 * A section is a run of a head's blocks of tokens (math/attention.h): in the forward pass its queries, in the
 * backward pass also its keys and values, to which later queries add in order. Sections make more work: what
 * a head needs is packed for each of them, and in the backward pass scores are computed for both its queries
 * and its keys. So heads are cut as little as lets the busiest thread end soonest. All functions are local.
 */
#ifndef DT_MODEL_HEADS_H
#define DT_MODEL_HEADS_H

#include <stdbool.h>
#include <stdint.h>

#include "math/range.h"
#include "model/team.h"

/** The attention of `sequences` sequences of T tokens, in one of the two passes. */
typedef struct dt_heads {
    int64_t sequences, T, H;
    bool backward;
} dt_heads;

/** What a pass over blocks [first, end) of a head takes, in products of a block's queries with a block's keys
 * that no query skips. */
double dt_heads_cost(const dt_heads *heads, int64_t first, int64_t end);

/** Into how many sections each head is cut for a team of `threads`. */
int64_t dt_heads_sections(const dt_heads *heads, int threads);

/** The outputs of sequence `sequence`, of those that dt_attention_all has, that are this thread's. */
dt_range dt_heads_slice(const dt_heads *heads, const dt_team *team, int64_t sequence);

#endif
