/* Text, in the order of the reference's own files. */
#include "tokenizer/hf_write.h"

#include <inttypes.h>
#include <stdlib.h>

#include "tokenizer/bytelevel.h"

/* A token as JSON; `text` is scratch. All characters of the alphabet can be seen, so two need a backslash. */
static void write_token(FILE *file, const dt_vocabulary *vocabulary, int64_t id, char *text) {
    int64_t length;
    const uint8_t *bytes = dt_vocabulary_bytes(vocabulary, id, &length);
    dt_bytelevel_encode(bytes, length, text);
    fputc('"', file);
    for (; *text != 0; text++)
        fprintf(file, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    fputc('"', file);
}

static void write_model(FILE *file, const dt_bpe_learned *learned, char *text) {
    const dt_vocabulary *vocabulary = &learned->vocabulary;
    fputs(
        "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
        "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"
        "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n    \"vocab\": {",
        file);
    for (int64_t id = 0; id < vocabulary->count; id++) {
        fputs(id == 0 ? "\n      " : ",\n      ", file);
        write_token(file, vocabulary, id, text);
        fprintf(file, ": %" PRId64, id);
    }
    fputs("\n    },\n    \"merges\": [", file);
    for (int64_t m = 0; m < learned->merge_count; m++) {
        fputs(m == 0 ? "\n      [" : ",\n      [", file);
        write_token(file, vocabulary, learned->merges[m].left, text);
        fputs(", ", file);
        write_token(file, vocabulary, learned->merges[m].right, text);
        fputc(']', file);
    }
    fputs(learned->merge_count == 0 ? "]\n  }\n}\n" : "\n    ]\n  }\n}\n", file);
}

dt_status dt_hf_write(FILE *file, const dt_bpe_learned *learned, const dt_hf_options *options) {
    char *text = malloc(DT_BYTELEVEL_CHAR_BYTES * DT_VOCABULARY_MAX_BYTES + 1);
    if (text == NULL)
        return dt_fail("out of memory for writing a tokenizer");
    fputs("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [",
          file);
    if (options->end_of_text != NULL)
        fprintf(file,
                "\n    {\n      \"id\": %" PRId64
                ",\n      \"content\": \"%s\",\n      \"single_word\": false,\n"
                "      \"lstrip\": false,\n      \"rstrip\": false,\n      \"normalized\": false,\n"
                "      \"special\": true\n    }\n  ",
                learned->vocabulary.count, options->end_of_text);
    fprintf(file,
            "],\n  \"normalizer\": null,\n  \"pre_tokenizer\": {\n    \"type\": \"ByteLevel\",\n"
            "    \"add_prefix_space\": %s,\n    \"trim_offsets\": true,\n    \"use_regex\": %s\n  },\n"
            "  \"post_processor\": null,\n  \"decoder\": {\n    \"type\": \"ByteLevel\",\n"
            "    \"add_prefix_space\": true,\n    \"trim_offsets\": true,\n    \"use_regex\": true\n  },\n",
            options->add_prefix_space ? "true" : "false", options->use_regex ? "true" : "false");
    write_model(file, learned, text);
    free(text);
    return DT_OK;
}
