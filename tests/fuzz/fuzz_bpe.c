/*
 * Texts by the tokenizers of tests/samples/tokenizers: the first three bytes choose one, and say where the
 * rest is cut into three blocks. The blocks' ids are the whole's, and give the text again where the tokenizer
 * keeps it as it is.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/utf8.h"
#include "support/token_blocks.h"
#include "tokenizer/bpe_tokenizer.h"

bool fuzz_accepted = true; /* there is no text that has no ids */

/* Those that neither normalize nor put spaces come first. */
static const char *const names[] = {"gpt2", "gpt4",  "no_regex", "o200k", "prefix", "no_regex_prefix",
                                    "qwen", "stages"};
#define NAMES 8
#define PLAIN 4

static dt_tokenizer *open_sample(int n) {
    static dt_tokenizer tokenizers[NAMES];
    char path[512];
    if (tokenizers[n].kind == NULL) {
        snprintf(path, sizeof path, DTRAIN_SOURCE_DIR "/tests/samples/tokenizers/%s.json", names[n]);
        FUZZ_EXPECT(dt_bpe_tokenizer_open(&tokenizers[n], path) == DT_OK);
    }
    return &tokenizers[n];
}

/* The ids stand for the text, in which U+FFFD is in place of each maximal subpart that is ill-formed. */
static void check_text(const token_blocks *found) {
    int64_t at = 0, used = 0;
    const char *token = "";
    size_t left = 0;
    for (int64_t i = 0; i < found->length; i += used) {
        bool well_formed;
        used = dt_utf8_subpart(found->bytes + i, found->length - i, &well_formed);
        const uint8_t *expected = well_formed ? found->bytes + i : (const uint8_t *)"\xEF\xBF\xBD";
        for (int64_t b = 0; b < (well_formed ? used : 3); b++) {
            while (left == 0) {
                FUZZ_EXPECT(at < found->made);
                token = dt_tokenizer_decode(found->tokenizer, found->ids[at++], &left);
            }
            FUZZ_EXPECT((uint8_t)*token++ == expected[b]);
            left--;
        }
    }
    FUZZ_EXPECT(at == found->made && left == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    const uint8_t *bytes = data + 3;
    const int64_t length = (int64_t)size - 3;
    const int64_t a = data[1] * length / 256, b = data[2] * length / 256;
    const int64_t positions[] = {a < b ? a : b, a < b ? b : a};
    const int n = data[0] % NAMES;
    const dt_tokenizer *tokenizer = open_sample(n);
    token_blocks whole = token_blocks_make(tokenizer, bytes, length, NULL, 0);
    token_blocks blocks = token_blocks_make(tokenizer, bytes, length, positions, 2);
    FUZZ_EXPECT(whole.made == blocks.made && memcmp(&whole.count, &blocks.count, sizeof whole.count) == 0);
    FUZZ_EXPECT(memcmp(whole.ids, blocks.ids, (size_t)whole.made * sizeof *whole.ids) == 0);
    if (n < PLAIN)
        check_text(&whole);
    free(whole.ids);
    free(blocks.ids);
    return 0;
}
