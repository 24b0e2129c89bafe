/* UTF-8 to tokens in one pass: runs of plain bytes as vector code, all else one character at a time. */
#include "data/tokenizer.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"

#define TOKEN_NEWLINE 97
#define TOKEN_TAB     98

/* Plain bytes are looked at in pieces of this many: two of the widest baseline x86-64 registers. */
#define PIECE_BYTES 32

/* What stands for each token in text. */
/* clang-format off */
static const char *const token_text[DT_VOCAB] = {
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
 * The first place from `first` on where a token starts. Every byte but a continuation byte and the LF of a CR
 * LF pair starts one, so the nearest such byte before `first` tells how far its own token reaches.
 */
static int64_t first_start(const uint8_t *bytes, int64_t length, int64_t first) {
    if (first > 0 && first < length && bytes[first - 1] == '\r' && bytes[first] == '\n')
        return first + 1;
    for (int64_t start = first - 1; start >= 0 && start >= first - DT_TOKENIZER_BEFORE; start--) {
        bool is_continuation = (bytes[start] & 0xC0) == 0x80;
        if (!is_continuation) {
            bool well_formed;
            int64_t reached = start + dt_utf8_subpart(bytes + start, length - start, &well_formed);
            return reached > first ? reached : first;
        }
    }
    return first;
}

int64_t dt_tokenizer_block(const uint8_t *bytes, int64_t length, int64_t first, int64_t end, uint8_t *tokens,
                           dt_tokenizer_count *count) {
    DT_ASSERT(first >= 0 && first <= end && end <= length);
    dt_tokenizer_count found = {0};
    int64_t position = first_start(bytes, length, first);
    while (position < end) {
        if (plain_token(bytes[position]) != 0) {
            uint8_t *next = tokens == NULL ? NULL : tokens + found.tokens;
            int64_t run = encode_plain(bytes + position, end - position, next);
            position += run;
            found.tokens += run;
            continue;
        }
        uint8_t token = DT_TOKEN_UNK;
        if (bytes[position] == '\r' && position + 1 < length && bytes[position + 1] == '\n') {
            token = TOKEN_NEWLINE;
            position += 2;
        } else {
            bool well_formed;
            found.zero += bytes[position] == 0;
            position += dt_utf8_subpart(bytes + position, length - position, &well_formed);
            found.unknown++;
            found.invalid += !well_formed;
        }
        if (tokens != NULL)
            tokens[found.tokens] = token;
        found.tokens++;
    }
    if (count != NULL) {
        count->tokens += found.tokens;
        count->unknown += found.unknown;
        count->invalid += found.invalid;
        count->zero += found.zero;
    }
    return found.tokens;
}

int64_t dt_tokenizer_encode(const char *text, size_t length, uint8_t *tokens) {
    return dt_tokenizer_block((const uint8_t *)text, (int64_t)length, 0, (int64_t)length, tokens, NULL);
}

void dt_tokenizer_widen(int32_t *restrict ids, const uint8_t *restrict tokens, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        ids[i] = tokens[i];
}

const char *dt_tokenizer_text(int32_t token) {
    return token_text[token >= 0 && token < DT_VOCAB ? token : DT_TOKEN_UNK];
}

const char *dt_tokenizer_name(int32_t token) {
    if (token == DT_TOKEN_PAD)
        return "<PAD>";
    if (token == DT_TOKEN_UNK || token < 0 || token >= DT_VOCAB)
        return "<UNK>";
    return token_text[token];
}
