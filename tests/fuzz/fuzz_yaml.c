/*
 * The YAML reader. A config that is accepted is printed and read back to the same options; a tree that is
 * accepted is emitted and read back to the same JSON. What is refused is called usage and has a place.
 */
#include "fuzz/same_config.h"

#include "config/emit.h"
#include "config/yaml.h"

bool fuzz_accepted;

static void check_refusal(dt_status status) {
    FUZZ_EXPECT(status == DT_USAGE);
    FUZZ_EXPECT(strncmp(dt_error(), "f.yaml:", 7) == 0);
}

static void check_tree(const char *bytes, size_t size) {
    json_t *tree = NULL, *again = NULL;
    char *text = NULL;
    size_t length;
    const dt_status status = dt_yaml_read_tree("f.yaml", bytes, size, &tree);
    if (status != DT_OK) {
        check_refusal(status);
        return;
    }
    FILE *memory = open_memstream(&text, &length);
    FUZZ_EXPECT(memory != NULL);
    dt_emit_tree(tree, memory);
    FUZZ_EXPECT(fclose(memory) == 0);
    FUZZ_EXPECT(dt_yaml_read_tree("emitted", text, length, &again) == DT_OK);
    FUZZ_EXPECT(json_equal(tree, again));
    json_decref(tree);
    json_decref(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *bytes = (const char *)data;
    dt_config config;
    dt_config_init(&config);
    const dt_status status = dt_config_read_yaml(&config, "f.yaml", bytes, size);
    fuzz_accepted = status == DT_OK;
    if (fuzz_accepted) {
        same_config_check(&config);
        (void)dt_config_check_document(&config, "f.yaml", bytes, size);
    } else
        check_refusal(status);
    dt_config_free(&config);
    check_tree(bytes, size);
    return 0;
}
