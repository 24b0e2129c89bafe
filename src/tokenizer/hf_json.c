/* One function for each member of the file. */
#include "tokenizer/hf_json.h"

#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/json_bounds.h"

void dt_hf_json_mix(dt_bpe_contents *own, const void *bytes, size_t length) {
    const uint64_t both[2] = {own->hash, dt_checksum_64(bytes, length)};
    own->hash = dt_checksum_64(both, sizeof both);
}

const char *dt_hf_json_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

dt_status dt_hf_json_flag(const json_t *object, const char *key, bool absent, bool *flag, const char *where) {
    const json_t *value = json_object_get(object, key);
    *flag = value == NULL || json_is_null(value) ? absent : json_is_true(value);
    return value == NULL || json_is_null(value) || json_is_boolean(value)
               ? DT_OK
               : dt_usage("%s: expected true or false for \"%s\", found something else", where, key);
}

static dt_status refuse(const char *where, const char *member, const char *expected, const json_t *found) {
    const char *type = dt_hf_json_text(found, "type");
    return dt_usage("%s: expected %s %s, found %s%.60s; dtrain reads byte-level BPE only", where, member,
                    expected, type[0] == 0 ? "something without a type" : "", type);
}

/* ---- normalizer ---- */

static dt_status read_normalizer(dt_bpe_contents *own, const json_t *normalizer, int depth,
                                 const char *where) {
    const char *type = dt_hf_json_text(normalizer, "type");
    if (normalizer == NULL || json_is_null(normalizer))
        return DT_OK;
    if (strcmp(type, "NFC") == 0) {
        if (own->nfc == NULL)
            own->nfc = dt_nfc_create();
        return own->nfc != NULL ? DT_OK : DT_FAILED;
    }
    const json_t *list = json_object_get(normalizer, "normalizers"), *one;
    if (strcmp(type, "Sequence") != 0 || !json_is_array(list) || depth > 0)
        return refuse(where, "a normalizer that is", "null, NFC or a Sequence of NFC", normalizer);
    size_t i;
    json_array_foreach(list, i, one) DT_TRY(read_normalizer(own, one, depth + 1, where));
    return DT_OK;
}

/* ---- pre_tokenizer ---- */

typedef struct stages {
    dt_splitter_stage stage[DT_SPLITTER_MAX_STAGES];
    int count, prefix_stage;
    bool is_byte_level; /* the last one has been read */
} stages;

static dt_status add_stage(stages *all, const char *text, bool is_literal, const char *where) {
    if (all->count == DT_SPLITTER_MAX_STAGES)
        return dt_usage("%s: expected a pre_tokenizer of at most %d patterns, found more", where,
                        DT_SPLITTER_MAX_STAGES);
    all->stage[all->count++] = (dt_splitter_stage){text, is_literal};
    return DT_OK;
}

static dt_status read_byte_level(stages *all, const json_t *byte_level, const char *where) {
    bool has_prefix, has_regex;
    DT_TRY(dt_hf_json_flag(byte_level, "add_prefix_space", true, &has_prefix, where));
    DT_TRY(dt_hf_json_flag(byte_level, "use_regex", true, &has_regex, where));
    if (has_prefix)
        all->prefix_stage = all->count;
    all->is_byte_level = true;
    return has_regex ? add_stage(all, dt_splitter_gpt2, false, where) : DT_OK;
}

/* Matches and what lies between them are pieces. To take away what is no match comes to the same where a
 * pattern leaves nothing between its matches. */
static dt_status read_split(stages *all, const json_t *split, const char *where) {
    const json_t *pattern = json_object_get(split, "pattern");
    const char *behavior = dt_hf_json_text(split, "behavior"), *known = dt_hf_json_text(pattern, "Regex");
    const json_t *regex = json_object_get(pattern, "Regex"), *literal = json_object_get(pattern, "String");
    bool is_inverted;
    DT_TRY(dt_hf_json_flag(split, "invert", false, &is_inverted, where));
    const bool removes_nothing =
        strcmp(behavior, "Removed") == 0 && is_inverted && dt_splitter_is_known(known);
    if (strcmp(behavior, "Isolated") != 0 && !removes_nothing)
        return dt_usage(
            "%s: expected a Split with the behavior Isolated, found \"%.60s\", which dtrain does not read",
            where, behavior);
    if (json_is_string(regex) == json_is_string(literal))
        return dt_usage("%s: expected a Split with a pattern that is a Regex or a String, found another",
                        where);
    return add_stage(all, json_string_value(json_is_string(regex) ? regex : literal), json_is_string(literal),
                     where);
}

static dt_status read_pre_tokenizer(stages *all, const json_t *one, int depth, const char *where) {
    const char *type = dt_hf_json_text(one, "type");
    if (all->is_byte_level)
        return refuse(where, "nothing behind the", "ByteLevel of a pre_tokenizer", one);
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(all, one, where);
    if (strcmp(type, "Split") == 0)
        return read_split(all, one, where);
    const json_t *list = json_object_get(one, "pretokenizers"), *each;
    if (strcmp(type, "Sequence") != 0 || !json_is_array(list) || depth > 0)
        return refuse(where, "a pre_tokenizer that is", "ByteLevel or a Sequence of Splits and a ByteLevel",
                      one);
    size_t i;
    json_array_foreach(list, i, each) DT_TRY(read_pre_tokenizer(all, each, depth + 1, where));
    return DT_OK;
}

static dt_status read_splitter(dt_bpe_contents *own, const json_t *pre_tokenizer, const char *where) {
    stages all = {.prefix_stage = -1};
    DT_TRY(read_pre_tokenizer(&all, pre_tokenizer, 0, where));
    if (!all.is_byte_level)
        return refuse(where, "a pre_tokenizer that ends", "with ByteLevel", pre_tokenizer);
    for (int i = 0; i < all.count; i++) {
        dt_hf_json_mix(own, all.stage[i].text, strlen(all.stage[i].text));
        dt_hf_json_mix(own, &all.stage[i].is_literal, sizeof all.stage[i].is_literal);
    }
    dt_hf_json_mix(own, &all.prefix_stage, sizeof all.prefix_stage);
    return dt_splitter_create(&own->splitter, all.stage, all.count, all.prefix_stage, where);
}

/* ---- what is read and does not act on a text ---- */

static void add_note(dt_bpe_contents *own, const char *what) {
    const size_t used = strlen(own->note);
    snprintf(own->note + used, sizeof own->note - used, "%s%s", used > 0 ? ", " : "", what);
}

static dt_status read_post_processor(dt_bpe_contents *own, const json_t *one, int depth, const char *where) {
    const char *type = dt_hf_json_text(one, "type");
    if (one == NULL || json_is_null(one) || strcmp(type, "ByteLevel") == 0)
        return DT_OK; /* ByteLevel's is about offsets */
    if (strcmp(type, "TemplateProcessing") == 0) {
        add_note(own, "its post_processor's template");
        return DT_OK;
    }
    const json_t *list = json_object_get(one, "processors"), *each;
    if (strcmp(type, "Sequence") != 0 || !json_is_array(list) || depth > 0)
        return refuse(where, "a post_processor that is", "null, ByteLevel or TemplateProcessing", one);
    size_t i;
    json_array_foreach(list, i, each) DT_TRY(read_post_processor(own, each, depth + 1, where));
    return DT_OK;
}

static dt_status read_rest(dt_bpe_contents *own, const json_t *root, const char *where) {
    const json_t *decoder = json_object_get(root, "decoder");
    if (decoder != NULL && !json_is_null(decoder) &&
        strcmp(dt_hf_json_text(decoder, "type"), "ByteLevel") != 0)
        return refuse(where, "a decoder that is", "ByteLevel", decoder);
    DT_TRY(read_post_processor(own, json_object_get(root, "post_processor"), 0, where));
    if (json_is_object(json_object_get(root, "truncation")))
        add_note(own, "its truncation");
    if (json_is_object(json_object_get(root, "padding")))
        add_note(own, "its padding");
    return DT_OK;
}

static dt_status read_root(dt_bpe_contents *own, const json_t *root, const char *where) {
    if (!json_is_object(root) || !json_is_object(json_object_get(root, "model")))
        return dt_usage("%s: expected a tokenizer.json, an object with a \"model\", found other JSON", where);
    const json_t *model = json_object_get(root, "model");
    /* Old files leave the type away; a BPE is the one with merges. */
    if (json_object_get(model, "type") != NULL ? strcmp(dt_hf_json_text(model, "type"), "BPE") != 0
                                               : json_object_get(model, "merges") == NULL)
        return refuse(where, "a model that is", "BPE", model);
    DT_TRY(read_normalizer(own, json_object_get(root, "normalizer"), 0, where));
    DT_TRY(read_rest(own, root, where));
    DT_TRY(dt_hf_model_read(own, root, where));
    return read_splitter(own, json_object_get(root, "pre_tokenizer"), where);
}

dt_status dt_hf_json_read(dt_bpe_contents *own, const char *bytes, size_t length, const char *where) {
    json_error_t error;
    char why[DT_ERROR_BYTES / 2];
    if (dt_json_bounds_check(bytes, length, DT_HF_JSON_MAX_DEPTH, DT_HF_JSON_MAX_VALUES) != DT_OK) {
        snprintf(why, sizeof why, "%s", dt_error());
        return dt_usage("%s: %s", where, why);
    }
    json_t *root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return dt_usage("%s: expected a tokenizer.json, found on line %d: %s", where, error.line, error.text);
    const dt_status status = read_root(own, root, where);
    json_decref(root);
    return status;
}
