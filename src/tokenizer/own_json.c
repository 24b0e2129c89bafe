/* The keys stand as the library writes them. */
#include "tokenizer/own_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"
#define FIRST_TOKEN 2 /* behind <PAD> and <UNK> */

/* The whole, of its parts, which are taken; NULL for one of them gives NULL. */
static char *print(json_t *normalizer, json_t *pre_tokenizer, json_t *decoder, json_t *unknown,
                   json_t *vocab) {
    json_t *model =
        json_pack("{s:s, s:n, s:o, s:n, s:n, s:b, s:b, s:b, s:o, s:[]}", "type", "BPE", "dropout",
                  "unk_token", unknown, "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                  "byte_fallback", 0, "ignore_merges", 0, "vocab", vocab, "merges");
    json_t *whole =
        json_pack("{s:s, s:n, s:n, s:[], s:o, s:o, s:n, s:o, s:o}", "version", "1.0", "truncation", "padding",
                  "added_tokens", "normalizer", normalizer, "pre_tokenizer", pre_tokenizer, "post_processor",
                  "decoder", decoder, "model", model);
    char *json = whole ? json_dumps(whole, JSON_INDENT(2)) : NULL;
    char *text = json ? malloc(strlen(json) + 2) : NULL;
    if (text)
        strcpy(stpcpy(text, json), "\n");
    free(json);
    json_decref(whole);
    return text;
}

/* Adds the character `point` as token `token`. */
static bool add(json_t *vocab, uint32_t point, int64_t token) {
    char key[5] = {0};
    dt_utf8_write(key, point);
    return json_object_set_new(vocab, key, json_integer(token)) == 0;
}

static json_t *make_characters(const uint32_t *points, int64_t count) {
    json_t *vocab = json_pack("{s:i, s:i}", "<PAD>", 0, "<UNK>", 1);
    for (int64_t i = 0; vocab && i < count; i++)
        if (!add(vocab, points[i], FIRST_TOKEN + i)) {
            json_decref(vocab);
            vocab = NULL;
        }
    return vocab;
}

char *dt_own_json_characters(const uint32_t *points, int64_t count, bool joins_lines) {
    json_t *normalizer = joins_lines ? json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern",
                                                 "String", "\r\n", "content", "\n")
                                     : json_null();
    json_t *decoder =
        json_pack("{s:s, s:[{s:s, s:{s:s}, s:s}, {s:s, s:{s:s}, s:s}, {s:s}]}", "type", "Sequence",
                  "decoders", "type", "Replace", "pattern", "String", "<UNK>", "content", REPLACEMENT, "type",
                  "Replace", "pattern", "String", "<PAD>", "content", "", "type", "Fuse");
    return print(normalizer, json_null(), decoder, json_string("<UNK>"), make_characters(points, count));
}

/* The character that GPT-2 has for a byte: its own in Latin-1 where that is one to be seen, and those from
 * U+0100 on for the others, in their order (Radford et al. 2019, bytes_to_unicode of the published code). */
static json_t *make_bytes(void) {
    json_t *vocab = json_object();
    uint32_t other = 0x100;
    for (uint32_t byte = 0; vocab && byte < 256; byte++) {
        const bool seen = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
        if (!add(vocab, seen ? byte : other++, byte)) {
            json_decref(vocab);
            vocab = NULL;
        }
    }
    return vocab;
}

static json_t *make_byte_level(void) {
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0,
                     "use_regex", 0);
}

char *dt_own_json_bytes(void) {
    return print(json_null(), make_byte_level(), make_byte_level(), json_null(), make_bytes());
}

/* The character that is all of `key`, or 0. */
static uint32_t point_of(const char *key) {
    const int bytes = *key ? dt_utf8_bytes(key) : 0;
    return bytes > 0 && key[bytes] == 0 ? dt_utf8_point(key, bytes) : 0;
}

/* Whether `text` begins as all texts of this form do, up to the first character: only then is it parsed. */
static bool begins_alike(const char *text) {
    char *empty = dt_own_json_characters(NULL, 0, false);
    const char *vocab = empty ? strstr(empty, "\"<UNK>\": 1") : NULL;
    const bool alike = vocab && strncmp(text, empty, (size_t)(vocab - empty)) == 0;
    free(empty);
    return alike;
}

/* The points of a vocabulary of `size` tokens, or NULL where they are not characters that rise. */
static uint32_t *read_points(json_t *vocab, int64_t size) {
    const char *key;
    json_t *id;
    uint32_t *points = calloc((size_t)size, sizeof *points);
    json_object_foreach(vocab, key, id) {
        const json_int_t token = json_integer_value(id);
        if (points && token >= FIRST_TOKEN && token < size)
            points[token - FIRST_TOKEN] = point_of(key);
    }
    for (int64_t i = 0; points && i < size - FIRST_TOKEN; i++)
        if (points[i] <= (i > 0 ? points[i - 1] : 0)) {
            free(points);
            points = NULL;
        }
    return points;
}

bool dt_own_json_find_characters(const char *text, uint32_t **points, int64_t *count) {
    *points = NULL;
    json_t *whole = begins_alike(text) ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *vocab = json_object_get(json_object_get(whole, "model"), "vocab");
    const int64_t size = (int64_t)json_object_size(vocab);
    *count = size - FIRST_TOKEN;
    if (*count >= 0)
        *points = read_points(vocab, size);
    json_decref(whole);
    char *again = *points ? dt_own_json_characters(*points, *count, false) : NULL;
    const bool same = again && strcmp(again, text) == 0;
    free(again);
    if (!same) {
        free(*points);
        *points = NULL;
    }
    return same;
}
