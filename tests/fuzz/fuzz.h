/**
 * What the fuzz targets share. Each target is one file with LLVMFuzzerTestOneInput: it hands the bytes to a
 * reader and checks not only that nothing crashes but that what is accepted means something: it comes back
 * the same when it is written and read again, or agrees with another reader. With clang's libFuzzer the bytes
 * are mutated (tools/fuzz); in every other build seeds.c hands each seed to the target once.
 */
#ifndef DT_TESTS_FUZZ_H
#define DT_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

/** The name libFuzzer calls. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Whether the target's reader took the last input: seeds that are called whole_* must be, bad_* must not. */
extern bool fuzz_accepted;

/** Ends the program when a promise is broken; libFuzzer keeps the input that did it. */
#define FUZZ_EXPECT(promise)                                                                                 \
    do {                                                                                                     \
        if (!(promise)) {                                                                                    \
            fprintf(stderr, "%s:%d: broken: %s\nlast sentence: %s\n", __FILE__, __LINE__, #promise,          \
                    dt_error());                                                                             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
