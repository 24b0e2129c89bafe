/*
 * metadata.json. The input's own checksum is made to agree, so that what lies behind it is reached. What is
 * accepted is written and read back as the same, and no longer accepted with one bit turned.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "support/sign.h"
#include "checkpoint/metadata.h"

bool fuzz_accepted;

/* Reads a copy, which the reader may change. */
static dt_status parse(const char *text, size_t length, dt_checkpoint_about *about, json_t **files) {
    char *copy = malloc(length + 1);
    FUZZ_EXPECT(copy != NULL);
    memcpy(copy, text, length);
    copy[length] = 0;
    const dt_status status = dt_checkpoint_metadata_parse("c/metadata.json", copy, length, about, files);
    free(copy);
    if (status != DT_OK) {
        FUZZ_EXPECT(status == DT_FAILED);
        FUZZ_EXPECT(strstr(dt_error(), "c/metadata.json") != NULL);
    }
    return status;
}

static void check_round_trip(const dt_checkpoint_about *about, json_t *files, size_t salt) {
    dt_checkpoint_about again;
    json_t *again_files;
    char *text = dt_checkpoint_metadata_text(about, files);
    FUZZ_EXPECT(text != NULL);
    const size_t length = strlen(text);
    FUZZ_EXPECT(parse(text, length, &again, &again_files) == DT_OK);
    FUZZ_EXPECT(again.step == about->step && strcmp(again.run_id, about->run_id) == 0);
    FUZZ_EXPECT(strcmp(again.parent_run_id, about->parent_run_id) == 0);
    FUZZ_EXPECT(memcmp(&again.corpus, &about->corpus, sizeof again.corpus) == 0);
    FUZZ_EXPECT(dt_config_hash(&again.config) == dt_config_hash(&about->config));
    FUZZ_EXPECT(json_equal(files, again_files));
    dt_config_free(&again.config);
    json_decref(again_files);
    text[salt * 2654435761u % length] ^= (char)(1 << (salt % 8));
    FUZZ_EXPECT(parse(text, length, &again, &again_files) == DT_FAILED);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    dt_checkpoint_about about;
    json_t *files;
    char *text = malloc(size + 1);
    FUZZ_EXPECT(text != NULL);
    memcpy(text, data, size);
    (void)sign_metadata(text, size);
    fuzz_accepted = parse(text, size, &about, &files) == DT_OK;
    if (fuzz_accepted) {
        check_round_trip(&about, files, size + (size_t)about.step);
        dt_config_free(&about.config);
        json_decref(files);
    }
    free(text);
    return 0;
}
