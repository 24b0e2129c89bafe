/* What is made of Philox's words: keys, uniform and normal numbers. The generator itself is inline in the
 * header. */
#include "base/philox.h"

#include <math.h>

#include "base/elementary.h"

dt_philox_key dt_philox_derive(uint64_t seed, dt_purpose purpose, uint32_t minor) {
    dt_philox_key root = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    dt_philox_words words = dt_philox(root, (uint32_t)purpose, minor, 0, 0);
    return (dt_philox_key){words.w0, words.w1};
}

double dt_philox_unit(uint32_t high, uint32_t low) {
    uint64_t bits = ((uint64_t)high << 20) | (low >> 12);
    return ((double)bits + 0.5) * 0x1p-52;
}

void dt_philox_normal(dt_philox_words words, double normal[2]) {
    double radius = sqrt(-2.0 * dt_elementary_log(dt_philox_unit(words.w0, words.w1)));
    double cosine, sine;
    dt_elementary_turn(dt_philox_unit(words.w2, words.w3), &cosine, &sine);
    normal[0] = radius * cosine;
    normal[1] = radius * sine;
}
