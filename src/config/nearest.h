/**
 * The nearest known word to one that is not known, for messages: "did you mean max_steps?".
 */
#ifndef DT_CONFIG_NEAREST_H
#define DT_CONFIG_NEAREST_H

#include <stddef.h>
#include <stdint.h>

typedef struct dt_nearest {
    const char *word; /**< what was found; need not end with a 0 byte */
    size_t length;    /**< of word, in bytes */
    const char *best; /**< the nearest candidate so far, or NULL while none is near */
    int64_t distance; /**< its distance, or the largest that still counts as near plus 1 */
} dt_nearest;

/** Starts a search for the word nearest to `word`: near is at most a third of its letters away. Local. */
dt_nearest dt_nearest_start(const char *word, size_t length);

/**
 * Offers one candidate, which must outlive the search. The distance is the number of letters to insert,
 * remove, replace or swap with their neighbour; '-' and '_' are one letter. Of equals the first offered
 * stays. Another trainer's name for a candidate (config/synonyms.h) is at distance 0. Where none is near, it
 * is the first that `word` abbreviates: by the first letters of its words (lr of learning_rate), or by the
 * beginning of one (temp of sampling_temperature). Local.
 */
void dt_nearest_offer(dt_nearest *nearest, const char *candidate);

#endif
