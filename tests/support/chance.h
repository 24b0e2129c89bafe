/**
 * Numbers drawn from a seeded generator, xorshift64* (Marsaglia 2003, Vigna 2016), and how many of what to
 * draw.
 */
#ifndef DT_TESTS_SUPPORT_CHANCE_H
#define DT_TESTS_SUPPORT_CHANCE_H

#include <stdint.h>
#include <stdlib.h>

/** A generator: its state. */
typedef struct chance {
    uint64_t state;
} chance;

/** The generator of a seed; of equal seeds the same numbers come. */
static inline chance chance_of(int64_t seed) {
    return (chance){(uint64_t)seed * 0x9e3779b97f4a7c15u + 1};
}

/** A number from 0 to `end` - 1. */
static inline int64_t chance_draw(chance *generator, int64_t end) {
    generator->state ^= generator->state >> 12;
    generator->state ^= generator->state << 25;
    generator->state ^= generator->state >> 27;
    return (int64_t)((generator->state * 2685821657736338717u >> 33) % (uint64_t)end);
}

/** The number in the environment's variable `name`, or `otherwise`. */
static inline int64_t chance_from_environment(const char *name, int64_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

#endif
