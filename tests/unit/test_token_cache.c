/* What a file of the token cache is called. */
#include "support/sentence.h"

#include <stdlib.h>

#include "support/scratch.h"
#include "train/token_cache.h"

static char *folder;

static void expect_path(const dt_tokenizer *tokenizer, const char *name) {
    char *path = dt_token_cache_path(folder, 0x12, tokenizer), *expected = dt_file_join(folder, name);
    assert_string_equal(path, expected);
    free(path);
    free(expected);
}

/* One that is called by the hash of the tokenizer's file is found, where there is none by its meaning. */
static void older_names_are_found(void **state) {
    (void)state;
    const dt_tokenizer tokenizer = {.hash = 0xA, .file_hash = 0xB};
    expect_path(&tokenizer, "0000000000000012-000000000000000a.tokens");
    scratch_put_in(folder, ".", "0000000000000012-000000000000000b.tokens", "old");
    expect_path(&tokenizer, "0000000000000012-000000000000000b.tokens");
    scratch_put_in(folder, ".", "0000000000000012-000000000000000a.tokens", "new");
    expect_path(&tokenizer, "0000000000000012-000000000000000a.tokens");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(older_names_are_found)};
    folder = scratch_make();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(folder);
    return failed;
}
