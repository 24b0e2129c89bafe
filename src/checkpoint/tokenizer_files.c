/* The files are checksummed with all others; here is what is in them. */
#include "checkpoint/tokenizer_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define PAD 0 /* where a tokenizer has tokens that stand for no text */

bool dt_tokenizer_files_name_ids(json_t *config, const dt_tokenizer *tokenizer) {
    const int64_t end = tokenizer ? tokenizer->end_of_text : -1,
                  pad = end < 0 && tokenizer && tokenizer->first_text > PAD ? PAD : end;
    const struct {
        const char *key;
        int64_t id;
    } ids[] = {{"bos_token_id", end}, {"eos_token_id", end}, {"pad_token_id", pad}};
    bool ok = true;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        ok &= json_object_set_new(config, ids[i].key,
                                  ids[i].id < 0 ? json_null() : json_integer(ids[i].id)) == 0;
    return ok;
}

/* Adds the end of text, which transformers has to know by its text. */
static int add_end_of_text(json_t *config, const dt_tokenizer *tokenizer) {
    size_t length;
    if (tokenizer->end_of_text < 0)
        return 0;
    const char *text = dt_tokenizer_decode(tokenizer, tokenizer->end_of_text, &length);
    return json_object_set_new(config, "eos_token", json_stringn(text, length));
}

json_t *dt_tokenizer_files_config(const dt_tokenizer *tokenizer, int64_t T) {
    json_t *config = json_pack("{s:s, s:b, s:I}", "tokenizer_class", "PreTrainedTokenizerFast",
                               "clean_up_tokenization_spaces", 0, "model_max_length", (json_int_t)T);
    if (config && add_end_of_text(config, tokenizer) != 0) {
        json_decref(config);
        config = NULL;
    }
    return config;
}

dt_status dt_tokenizer_files_read(const char *folder, char **json, size_t *length) {
    char *path = dt_file_join(folder, DT_TOKENIZER_FILES_JSON);
    *json = NULL;
    *length = 0;
    dt_status status = path ? DT_OK : DT_FAILED;
    if (path && dt_file_is_there(path))
        status = dt_tokenizer_read(path, json, length);
    free(path);
    return status;
}

dt_status dt_tokenizer_files_open(dt_tokenizer *tokenizer, const char *folder, const char *name) {
    char *json;
    size_t length;
    *tokenizer = (dt_tokenizer){0};
    DT_TRY(dt_tokenizer_files_read(folder, &json, &length));
    dt_status status = DT_OK;
    if (json) {
        char *path = dt_file_join(folder, DT_TOKENIZER_FILES_JSON);
        status = path ? dt_tokenizer_parse(tokenizer, path, json, length) : DT_FAILED;
        free(path);
    } else
        status = dt_tokenizer_open(tokenizer, name);
    free(json);
    return status;
}
