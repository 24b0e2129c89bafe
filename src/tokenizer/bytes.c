/* A copy, and a count of the NUL bytes. */
#include "tokenizer/bytes.h"

#include <string.h>

#include "tokenizer/encoder.h"
#include "tokenizer/own_json.h"

#define V_BYTES 256

/* Every byte is a string of one byte here. */
#define FOUR(n)    (char)(n), (char)((n) + 1), (char)((n) + 2), (char)((n) + 3)
#define SIXTEEN(n) FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)
static const char text_of[V_BYTES] = {SIXTEEN(0x00), SIXTEEN(0x10), SIXTEEN(0x20), SIXTEEN(0x30),
                                      SIXTEEN(0x40), SIXTEEN(0x50), SIXTEEN(0x60), SIXTEEN(0x70),
                                      SIXTEEN(0x80), SIXTEEN(0x90), SIXTEEN(0xA0), SIXTEEN(0xB0),
                                      SIXTEEN(0xC0), SIXTEEN(0xD0), SIXTEEN(0xE0), SIXTEEN(0xF0)};

static dt_status encode(dt_encoder *encoder, const dt_text *text, int64_t first, int64_t end, bool keep,
                        dt_token_count *count) {
    const uint8_t *bytes = text->bytes + first;
    const int64_t n = end - first;
    int64_t zero = 0;
    for (int64_t i = 0; i < n; i++)
        zero += bytes[i] == 0;
    count->tokens += n;
    count->zero += zero;
    if (!keep || n == 0)
        return DT_OK;
    DT_TRY(dt_encoder_reserve(encoder, n));
    memcpy(encoder->tokens + encoder->count, bytes, (size_t)n);
    encoder->count += n;
    return DT_OK;
}

static int64_t cut(const dt_tokenizer *tokenizer, const dt_text *text, int64_t from) {
    (void)tokenizer;
    (void)text;
    return from;
}

static const char *decode(const dt_tokenizer *tokenizer, int32_t id, size_t *length) {
    (void)tokenizer;
    *length = 1;
    return &text_of[id];
}

static char *print_json(const dt_tokenizer *tokenizer) {
    (void)tokenizer;
    return dt_own_json_bytes();
}

const dt_tokenizer_kind dt_bytes = {.name = "bytes",
                                    .unit = "byte",
                                    .is_fast = true,
                                    .encode = encode,
                                    .cut = cut,
                                    .decode = decode,
                                    .json = print_json};

/* "dt_bytes", as a number that is nobody else's. */
#define HASH UINT64_C(0x73657479625F7464)

void dt_bytes_open(dt_tokenizer *tokenizer) {
    *tokenizer = (dt_tokenizer){.kind = &dt_bytes,
                                .V = V_BYTES,
                                .token_bytes = 1,
                                .unknown = -1,
                                .end_of_text = -1,
                                .can_cut = true,
                                .hash = HASH};
}
