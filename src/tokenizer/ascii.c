/* UTF-8 to tokens in one pass: runs of plain bytes as vector code, all else one character at a time. */
#include "tokenizer/ascii.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizer/encoder.h"
#include "tokenizer/own_json.h"

#define TOKEN_NEWLINE 97
#define TOKEN_TAB     98

/* The bytes of a character before its last one: so far back lies what a place depends on. */
#define BEFORE_BYTES 3

/* Plain bytes are looked at in pieces of this many: two of the widest baseline x86-64 registers. */
#define PIECE_BYTES 32

/* What stands for each token in text. */
/* clang-format off */
static const char *const token_text[DT_ASCII_V] = {
    "",  "\xEF\xBF\xBD",
    " ", "!", "\"", "#", "$", "%", "&", "'", "(", ")", "*", "+", ",",  "-", ".", "/",
    "0", "1", "2",  "3", "4", "5", "6", "7", "8", "9", ":", ";", "<",  "=", ">", "?",
    "@", "A", "B",  "C", "D", "E", "F", "G", "H", "I", "J", "K", "L",  "M", "N", "O",
    "P", "Q", "R",  "S", "T", "U", "V", "W", "X", "Y", "Z", "[", "\\", "]", "^", "_",
    "`", "a", "b",  "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",  "m", "n", "o",
    "p", "q", "r",  "s", "t", "u", "v", "w", "x", "y", "z", "{", "|",  "}", "~", "\n", "\t"};
/* clang-format on */

/* 255 where the condition holds, else 0. */
static inline uint8_t mask(bool condition) {
    return (uint8_t)(0 - condition);
}

/*
 * The token of a plain byte, which is a token by itself wherever it stands, and 0 for every other byte (no
 * text makes <PAD>). A newline is plain because whoever meets the CR of a CR LF pair takes the LF with it.
 * Masks instead of branches or a table, so that compilers turn a loop over it into vector code.
 */
static inline uint8_t plain_token(uint8_t byte) {
    uint8_t printable = mask((uint8_t)(byte - ' ') <= '~' - ' ') & (uint8_t)(byte - ' ' + 2);
    return printable | (mask(byte == '\n') & TOKEN_NEWLINE) | (mask(byte == '\t') & TOKEN_TAB);
}

/* The tokens of PIECE_BYTES bytes into `tokens`; whether all of the bytes are plain. */
static inline bool encode_piece(const uint8_t *restrict bytes, uint8_t *restrict tokens) {
    uint8_t min = UINT8_MAX;
    for (int i = 0; i < PIECE_BYTES; i++) {
        tokens[i] = plain_token(bytes[i]);
        min = tokens[i] < min ? tokens[i] : min;
    }
    return min != 0;
}

/* How many plain bytes bytes[0..length) begins with; their tokens go to `tokens` unless that is NULL. */
static int64_t encode_plain(const uint8_t *bytes, int64_t length, uint8_t *tokens) {
    uint8_t piece[PIECE_BYTES];
    int64_t done = 0;
    while (length - done >= PIECE_BYTES && encode_piece(bytes + done, piece)) {
        if (tokens != NULL)
            memcpy(tokens + done, piece, PIECE_BYTES);
        done += PIECE_BYTES;
    }
    for (; done < length; done++) {
        uint8_t token = plain_token(bytes[done]);
        if (token == 0)
            break;
        if (tokens != NULL)
            tokens[done] = token;
    }
    return done;
}

/*
 * Every byte but a continuation byte and the LF of a CR LF pair starts a token, so the nearest such byte
 * before `from` tells how far its own token reaches.
 */
static int64_t cut(const dt_tokenizer *tokenizer, const dt_text *text, int64_t from) {
    const uint8_t *bytes = text->bytes;
    (void)tokenizer;
    if (from > 0 && bytes[from - 1] == '\r' && bytes[from] == '\n')
        return from + 1;
    for (int64_t start = from - 1; start >= 0 && start >= from - BEFORE_BYTES; start--) {
        const bool is_continuation = (bytes[start] & 0xC0) == 0x80;
        if (!is_continuation) {
            bool well_formed;
            const int64_t reached =
                start + dt_utf8_subpart(bytes + start, text->length - start, &well_formed);
            if (reached == text->length && !text->is_end && !well_formed)
                return -1; /* what follows may belong to it */
            return reached > from ? reached : from;
        }
    }
    return from;
}

/* The token that bytes[0..length) begin with where it is no plain byte; `*used` bytes make it. */
static uint8_t encode_other(const uint8_t *bytes, int64_t length, int64_t *used, dt_token_count *count) {
    if (bytes[0] == '\r' && length > 1 && bytes[1] == '\n') {
        *used = 2;
        return TOKEN_NEWLINE;
    }
    bool well_formed;
    *used = dt_utf8_subpart(bytes, length, &well_formed);
    count->zero += bytes[0] == 0;
    count->unknown++;
    count->invalid += !well_formed;
    return DT_ASCII_UNKNOWN;
}

static dt_status encode(dt_encoder *encoder, const dt_text *text, int64_t first, int64_t end, bool keep,
                        dt_token_count *count) {
    const uint8_t *bytes = text->bytes;
    if (first == end) /* of an empty text there need be no bytes to point to */
        return DT_OK;
    if (keep) /* no token has less than a byte */
        DT_TRY(dt_encoder_reserve(encoder, end - first));
    uint8_t *tokens = keep ? encoder->tokens + encoder->count : NULL;
    int64_t found = 0;
    for (int64_t position = first; position < end;) {
        int64_t used = encode_plain(bytes + position, end - position, keep ? tokens + found : NULL);
        found += used;
        position += used;
        if (position == end)
            break;
        const uint8_t token = encode_other(bytes + position, text->length - position, &used, count);
        if (keep)
            tokens[found] = token;
        found++;
        position += used;
    }
    encoder->count += keep ? found : 0;
    count->tokens += found;
    return DT_OK;
}

static const char *decode(const dt_tokenizer *tokenizer, int32_t id, size_t *length) {
    (void)tokenizer;
    *length = strlen(token_text[id]);
    return token_text[id];
}

static char *print_json(const dt_tokenizer *tokenizer) {
    uint32_t points[DT_ASCII_V - DT_ASCII_TEXT];
    (void)tokenizer;
    for (int32_t token = DT_ASCII_TEXT; token < DT_ASCII_V; token++)
        points[token - DT_ASCII_TEXT] = (uint32_t)token_text[token][0];
    return dt_own_json_characters(points, DT_ASCII_V - DT_ASCII_TEXT, true);
}

const dt_tokenizer_kind dt_ascii = {.name = "ascii",
                                    .unit = "character",
                                    .is_fast = true,
                                    .encode = encode,
                                    .cut = cut,
                                    .decode = decode,
                                    .json = print_json};

/* "dt_ascii", as a number that is nobody else's. */
#define HASH UINT64_C(0x69696373615F7464)

void dt_ascii_open(dt_tokenizer *tokenizer) {
    *tokenizer = (dt_tokenizer){.kind = &dt_ascii,
                                .V = DT_ASCII_V,
                                .token_bytes = 1,
                                .unknown = DT_ASCII_UNKNOWN,
                                .end_of_text = -1,
                                .first_text = DT_ASCII_TEXT,
                                .before = BEFORE_BYTES,
                                .can_cut = true,
                                .hash = HASH};
}
