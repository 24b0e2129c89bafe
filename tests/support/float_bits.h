/* A float and its bits. */
#ifndef DT_TESTS_FLOAT_BITS_H
#define DT_TESTS_FLOAT_BITS_H

#include <stdint.h>
#include <string.h>

/** The float that has these bits. */
static inline float float_bits_make(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/** The bits of a float. */
static inline uint32_t float_bits_get(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

#endif
