/*
 * The memory of a case that calls one kernel again and again: inputs are made once for all of its calls,
 * scratch is new for each, and full of NaN.
 */
#ifndef DT_TESTS_CASE_MEMORY_H
#define DT_TESTS_CASE_MEMORY_H

#include "support/numbers.h"

/* Tokens are below that. */
enum { CASE_TOKENS = 29 };

/* The inputs of a case, made once for all of its calls, and what a call needs of its own. */
typedef struct input {
    char kind; /* float, half or token */
    int64_t count;
    uint32_t seed;
    void *made;
} input;

static input inputs[16];
static void *blocks[8];
static size_t input_count, block_count;

static inline void *find_input(char kind, int64_t count, uint32_t seed) {
    for (size_t i = 0; i < input_count; i++)
        if (inputs[i].kind == kind && inputs[i].count == count && inputs[i].seed == seed)
            return inputs[i].made;
    assert_true(input_count < sizeof inputs / sizeof *inputs);
    void *made = kind == 'f'   ? (void *)numbers_random(count, seed, 1.0)
                 : kind == 'h' ? (void *)numbers_halves(count, seed)
                               : (void *)numbers_tokens(count, seed, CASE_TOKENS);
    inputs[input_count++] = (input){kind, count, seed, made};
    return made;
}

static inline float *floats(int64_t count, uint32_t seed) {
    return find_input('f', count, seed);
}

static inline int32_t *tokens(int64_t count, uint32_t seed) {
    return find_input('t', count, seed);
}

static inline dt_operand *operands(const dt_kernels *k, int64_t count, uint32_t seed) {
    return find_input(k->compute == DT_DTYPE_BF16 ? 'h' : 'f', count, seed);
}

/* Scratch that starts on a cache line, as memory of base/memory.h does. */
static inline float *scratch(int64_t count) {
    const size_t bytes = (size_t)(count + 15) / 16 * 64;
    assert_true(block_count < sizeof blocks / sizeof *blocks);
    float *block = aligned_alloc(64, bytes);
    assert_non_null(block);
    memset(block, 0xff, bytes);
    return blocks[block_count++] = block;
}

static inline void free_blocks(void) {
    while (block_count > 0)
        free(blocks[--block_count]);
}

static inline void free_inputs(void) {
    while (input_count > 0)
        free(inputs[--input_count].made);
}

#endif
