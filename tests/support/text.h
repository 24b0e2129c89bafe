/**
 * English-like text for tests, the same for the same seed: words of a small vocabulary in sentences.
 */
#ifndef DT_TESTS_TEXT_H
#define DT_TESTS_TEXT_H

#include <stdint.h>

/** Writes `bytes` bytes of text to the new file `path`; fails the test when it cannot. */
void text_write(const char *path, int64_t bytes, uint32_t seed);

#endif
