/**
 * Philox4x32-10: random numbers as a function of a key and a counter.
 *
 * Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC'11. Four 32-bit words of
 * counter and two of key give four words of output; there is no state, so any element of any mask can be made
 * anywhere, in any order, and the number of ranks or threads cannot matter.
 *
 * Everything random in dtrain is keyed by (seed, purpose) and counted by what the number is for.
 */
#ifndef DT_BASE_PHILOX_H
#define DT_BASE_PHILOX_H

#include <stdint.h>

#define DT_PHILOX_M0 0xD2511F53u /* the multipliers and Weyl constants of the paper */
#define DT_PHILOX_M1 0xCD9E8D57u
#define DT_PHILOX_W0 0x9E3779B9u
#define DT_PHILOX_W1 0xBB67AE85u

typedef struct dt_philox_key {
    uint32_t k0, k1;
} dt_philox_key;

typedef struct dt_philox_words {
    uint32_t w0, w1, w2, w3;
} dt_philox_words;

/** What a stream of random numbers is for. The values are part of every result: never renumber. */
typedef enum dt_purpose {
    DT_PURPOSE_INIT = 1,    /**< initial weights; minor: the tensor's row in the layout */
    DT_PURPOSE_SHUFFLE = 2, /**< order within a stream */
    DT_PURPOSE_DROPOUT = 3, /**< masks; minor: layer * 4 + site */
    DT_PURPOSE_SAMPLE = 4   /**< generated text */
} dt_purpose;

/**
 * Four random words for counter (c0, c1, c2, c3) under `key`. Inline and free of branches so that a loop over
 * counters becomes vector code in whichever file uses it. Local.
 */
static inline dt_philox_words dt_philox(dt_philox_key key, uint32_t c0, uint32_t c1, uint32_t c2,
                                        uint32_t c3) {
    uint32_t k0 = key.k0, k1 = key.k1;
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)DT_PHILOX_M0 * c0;
        uint64_t p1 = (uint64_t)DT_PHILOX_M1 * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += DT_PHILOX_W0;
        k1 += DT_PHILOX_W1;
    }
    return (dt_philox_words){c0, c1, c2, c3};
}

/** The key of the stream that serves `purpose` and `minor` under `seed`: two words of Philox itself. Local.
 */
dt_philox_key dt_philox_derive(uint64_t seed, dt_purpose purpose, uint32_t minor);

/** A double in (0, 1) from two words, with 52 random bits: never 0, so its logarithm is finite. Local. */
double dt_philox_unit(uint32_t high, uint32_t low);

/**
 * Two independent standard normal doubles from four words, by Box and Muller (Annals of Math. Stat. 29,
 * 1958): sqrt(-2 ln u) cos(2 pi v) and the same with sin. Local.
 */
void dt_philox_normal(dt_philox_words words, double normal[2]);

#endif
