/*
 * tokenizer.json: what is accepted turns texts into ids below V, the same in blocks as in one, and the ids
 * into text.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "support/token_blocks.h"
#include "tokenizer/bpe_tokenizer.h"

bool fuzz_accepted;

static void check_text(const dt_tokenizer *tokenizer, const char *text) {
    const int64_t length = (int64_t)strlen(text), positions[] = {length / 3, length / 2};
    token_blocks whole = token_blocks_make(tokenizer, text, length, NULL, 0);
    token_blocks blocks = token_blocks_make(tokenizer, text, length, positions, 2);
    FUZZ_EXPECT(whole.made == blocks.made);
    FUZZ_EXPECT(memcmp(whole.ids, blocks.ids, (size_t)whole.made * sizeof *whole.ids) == 0);
    for (int64_t i = 0; i < whole.made; i++) {
        size_t bytes;
        FUZZ_EXPECT(whole.ids[i] >= 0 && whole.ids[i] < tokenizer->V);
        FUZZ_EXPECT(dt_tokenizer_decode(tokenizer, whole.ids[i], &bytes) != NULL);
    }
    free(whole.ids);
    free(blocks.ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const texts[] = {"", "the the\n\nthe  Gr\303\266\303\237e\r\n <|endoftext|>x\n",
                                        "e\xcc\x81\n 123'LL\n\xff\xe4\xb8\x80\n/ a\n<e> b"};
    dt_tokenizer tokenizer;
    const dt_status status = dt_bpe_tokenizer_read(&tokenizer, (const char *)data, size, "f.json");
    fuzz_accepted = status == DT_OK;
    FUZZ_EXPECT(fuzz_accepted || strncmp(dt_error(), "f.json: ", 8) == 0 ||
                strstr(dt_error(), "memory") != NULL);
    for (size_t i = 0; fuzz_accepted && i < sizeof texts / sizeof *texts; i++)
        check_text(&tokenizer, texts[i]);
    dt_tokenizer_free(&tokenizer);
    return 0;
}
