/* Plain loops, one for each width, which compilers turn into vector code. */
#include "tokenizer/tokens.h"

#include <string.h>

#include "base/assert.h"

int dt_tokens_bytes(int64_t V) {
    return V <= UINT8_MAX + 1 ? 1 : V <= UINT16_MAX + 1 ? 2 : 4;
}

static void widen_1(int32_t *restrict ids, const uint8_t *restrict tokens, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        ids[i] = tokens[i];
}

static void widen_2(int32_t *restrict ids, const uint16_t *restrict tokens, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        ids[i] = tokens[i];
}

void dt_tokens_widen(int32_t *ids, const void *tokens, int token_bytes, int64_t count) {
    DT_ASSERT(token_bytes == 1 || token_bytes == 2 || token_bytes == 4);
    if (token_bytes == 1)
        widen_1(ids, tokens, count);
    else if (token_bytes == 2)
        widen_2(ids, tokens, count);
    else if (count > 0)
        memcpy(ids, tokens, (size_t)count * sizeof *ids);
}

static void narrow_1(uint8_t *restrict tokens, const int32_t *restrict ids, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        tokens[i] = (uint8_t)ids[i];
}

static void narrow_2(uint16_t *restrict tokens, const int32_t *restrict ids, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        tokens[i] = (uint16_t)ids[i];
}

void dt_tokens_narrow(void *tokens, const int32_t *ids, int token_bytes, int64_t count) {
    DT_ASSERT(token_bytes == 1 || token_bytes == 2 || token_bytes == 4);
    if (token_bytes == 1)
        narrow_1(tokens, ids, count);
    else if (token_bytes == 2)
        narrow_2(tokens, ids, count);
    else if (count > 0)
        memcpy(tokens, ids, (size_t)count * sizeof *ids);
}

int64_t dt_tokens_count(const void *tokens, int token_bytes, int64_t count, int32_t id) {
    const uint8_t *one = tokens;
    const uint16_t *two = tokens;
    const int32_t *four = tokens;
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        found += (token_bytes == 1 ? one[i] : token_bytes == 2 ? two[i] : four[i]) == id;
    return found;
}
