/*
 * Optimal string alignment (Damerau 1964, Levenshtein 1966), by the usual table:
 *     d[i][j] = the distance of the first i letters of one word and the first j of the other.
 */
#include "config/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "config/synonyms.h"

#define LONGEST            64 /* longer words are near nothing: no key comes close to it */
#define SHORTEST_BEGINNING 3  /* fewer letters begin too many words */

dt_nearest dt_nearest_start(const char *word, size_t length) {
    DT_ASSERT(word || length == 0);
    int64_t near = (int64_t)length / 3;
    return (dt_nearest){.word = word, .length = length, .distance = near + 1};
}

/* Dashes stand for underscores, and who writes capitals means the same key. */
static bool same_letter(char a, char b) {
    return (a == '-' ? '_' : tolower((unsigned char)a)) == (b == '-' ? '_' : tolower((unsigned char)b));
}

static int64_t measure(const char *a, size_t a_length, const char *b, size_t b_length) {
    int64_t d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= a_length; i++)
        d[i][0] = (int64_t)i;
    for (size_t j = 0; j <= b_length; j++)
        d[0][j] = (int64_t)j;
    for (size_t i = 1; i <= a_length; i++)
        for (size_t j = 1; j <= b_length; j++) {
            int64_t replaced = d[i - 1][j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
            d[i][j] = dt_min(replaced, 1 + dt_min(d[i - 1][j], d[i][j - 1]));
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]))
                d[i][j] = dt_min(d[i][j], 1 + d[i - 2][j - 2]);
        }
    return d[a_length][b_length];
}

/* Whether it is the first letters of the words that the candidate is joined of, as lr is of learning_rate, or
 * begins one of them, as temp does in sampling_temperature. */
static bool abbreviates(const dt_nearest *nearest, const char *candidate) {
    size_t initials = 0;
    bool so_far = true;
    for (const char *joined = candidate; *joined != '\0'; joined += *joined == '_' || *joined == '-') {
        so_far = so_far && initials < nearest->length && same_letter(*joined, nearest->word[initials]);
        initials++;
        size_t length = strcspn(joined, "_-"), same = 0;
        while (same < length && same < nearest->length && same_letter(joined[same], nearest->word[same]))
            same++;
        if (same == nearest->length && same >= SHORTEST_BEGINNING)
            return true;
        joined += length;
    }
    return so_far && initials > 1 && initials == nearest->length;
}

void dt_nearest_offer(dt_nearest *nearest, const char *candidate) {
    DT_ASSERT(candidate && nearest->distance >= 0);
    size_t length = strlen(candidate);
    /* Who writes another trainer's word has not misspelt one of ours. */
    if (nearest->distance > 0 && dt_synonyms_has(nearest->word, nearest->length, candidate)) {
        nearest->best = candidate;
        nearest->distance = 0;
        return;
    }
    /* A word that is misspelt counts for more than an abbreviation. */
    if (nearest->best == NULL && abbreviates(nearest, candidate))
        nearest->best = candidate;
    if (nearest->length > LONGEST || length > LONGEST)
        return;
    /* Every letter that one word has more must be removed, so most candidates need no table. */
    const size_t more = length > nearest->length ? length - nearest->length : nearest->length - length;
    if ((int64_t)more >= nearest->distance)
        return;
    int64_t distance = measure(nearest->word, nearest->length, candidate, length);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->best = candidate;
    }
}
