/* To JSON and back. Nothing read is believed before the file's own checksum agrees and each field is in
 * range. */
#include "checkpoint/metadata.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "config/emit.h"
#include "config/json.h"
#include "math/kernels.h"
#include "checkpoint/path.h"
#include "base/checksum.h"
#include "config/check.h"
#include "tokenizer/ascii.h"

/* About 3 KB a layer are used, of 1024 layers at most, and what texts of 1 MB may come to with their escapes.
 */
#define LARGEST_BYTES ((int64_t)16 << 20)

/* The file's own digits. JSON escapes quotes within strings, so this text stands nowhere but at the key. */
#define OWN_KEY      "\"metadata_xxh3_128\": \""
#define OWN_DIGITS   32
#define BLANK_DIGITS "00000000000000000000000000000000"
#define VERSION_KEY  "\"checkpoint_version\""

/* Whether something is at `path`. That it cannot be told, for want of a right or by a fault of the disk, is a
 * failure: it may well be there. */
static dt_status look(const char *path, struct stat *info, bool *there) {
    *there = stat(path, info) == 0;
    return *there || errno == ENOENT || errno == ENOTDIR
               ? DT_OK
               : dt_usage("cannot look at the checkpoint %s: %s", path, strerror(errno));
}

dt_status dt_checkpoint_metadata_expect(const char *path) {
    struct stat info;
    bool there;
    DT_TRY(look(path, &info, &there));
    if (!there || !S_ISDIR(info.st_mode))
        return dt_usage("%s is no checkpoint: expected a folder, found %s; name one such as "
                        "checkpoints/checkpoint_step_1000",
                        path, there ? "a file" : "nothing there");
    char *metadata = dt_file_join(path, DT_CHECKPOINT_METADATA);
    if (metadata == NULL)
        return DT_FAILED;
    dt_status status = look(metadata, &info, &there);
    if (status == DT_OK && !there)
        status = dt_usage("%s is no checkpoint: the folder holds no " DT_CHECKPOINT_METADATA
                          "; name a folder such as checkpoints/checkpoint_step_1000",
                          path);
    free(metadata);
    return status;
}

/* Whether the number text[0..length) has a point or an exponent; none starts with one. */
static bool is_real(const char *text, size_t length) {
    for (size_t i = 1; i < length; i++)
        if (text[i] == '.' || text[i] == 'e' || text[i] == 'E')
            return true;
    return false;
}

/*
 * Copies a JSON text with the fewest digits for each of its real numbers, where jansson prints 17: 0.1, and
 * not 0.10000000000000001. Returns the end of `copy`, which has room for twice the text: of "1e-8" comes
 * "1e-08".
 */
static char *copy_shortened(const char *text, char *copy) {
    bool quoted = false;
    while (*text != 0) {
        const size_t length = quoted ? 0 : strspn(text, "+-.0123456789eE");
        if (is_real(text, length) && *text != 'e') {
            char digits[DT_REAL_TEXT_BYTES];
            copy = stpcpy(copy, dt_emit_digits(strtod(text, NULL), digits));
            text += length;
            continue;
        }
        if (*text == '"')
            quoted = !quoted;
        else if (*text == '\\')
            *copy++ = *text++;
        *copy++ = *text++;
    }
    return copy;
}

char *dt_checkpoint_metadata_print(json_t *object, size_t flags) {
    char *json = object == NULL ? NULL : json_dumps(object, JSON_INDENT(2) | flags);
    char *text = json == NULL ? NULL : malloc(2 * strlen(json) + 2);
    json_decref(object);
    if (text != NULL)
        strcpy(copy_shortened(json, text), "\n");
    free(json);
    return text;
}

/* Where the file's own digits stand in its text, or NULL. */
static char *find_digits(char *text, size_t length) {
    char *key = memmem(text, length, OWN_KEY, strlen(OWN_KEY));
    if (key == NULL)
        return NULL;
    char *digits = key + strlen(OWN_KEY);
    return (size_t)(text + length - digits) < OWN_DIGITS ? NULL : digits;
}

static json_t *make_object(const dt_checkpoint_about *about, json_t *files) {
    char hash[17], validation[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, about->corpus.hash);
    snprintf(validation, sizeof validation, "%016" PRIx64, about->validation_hash);
    /* "o" takes the config, also when the rest fails, and NULL for it makes the whole fail. */
    json_t *val_loss = isfinite(about->val_loss) ? json_real(about->val_loss) : json_null();
    return json_pack(
        "{s:i, s:s, s:I, s:I, s:o, s:s*, s:o, s:s, s:o, s:s, s:s, s:s, s:{s:I, s:I, s:s}, s:o, s:O}",
        "checkpoint_version", DT_CHECKPOINT_VERSION, "metadata_xxh3_128", BLANK_DIGITS, "step",
        (json_int_t)about->step, "vocabulary", (json_int_t)about->V, "val_loss", val_loss, "validation_hash",
        about->validation_hash ? validation : NULL, "seed", dt_json_integer(about->config.seed), "run_id",
        about->run_id, "parent_run_id",
        about->parent_run_id[0] ? json_string(about->parent_run_id) : json_null(), "state_hash",
        about->state_hash, "kernels", dt_kernels_best((dt_dtype)about->config.compute_dtype)->name,
        "products", about->products, "corpus", "file_bytes", (json_int_t)about->corpus.file_bytes, "tokens",
        (json_int_t)about->corpus.tokens, "hash", hash, "config", dt_config_to_json(&about->config), "files",
        files);
}

char *dt_checkpoint_metadata_text(const dt_checkpoint_about *about, json_t *files) {
    char own[DT_CHECKSUM_TEXT_BYTES];
    char *text = dt_checkpoint_metadata_print(make_object(about, files), 0);
    char *digits = text == NULL ? NULL : find_digits(text, strlen(text));
    if (digits == NULL) {
        free(text);
        return NULL;
    }
    dt_checksum_block(text, strlen(text), own);
    memcpy(digits, own, OWN_DIGITS);
    return text;
}

dt_status dt_checkpoint_metadata_write(const char *folder, const dt_checkpoint_about *about, json_t *files) {
    char *path = dt_file_join(folder, DT_CHECKPOINT_METADATA);
    char *text = dt_checkpoint_metadata_text(about, files);
    dt_status status = path == NULL || text == NULL
                           ? dt_fail("cannot write " DT_CHECKPOINT_METADATA
                                     " in %s: out of memory, or a text option is not UTF-8",
                                     folder)
                           : dt_file_save(path, text, strlen(text));
    free(path);
    free(text);
    return status;
}

static dt_status check_version(const char *path, int64_t version) {
    if (version < 0)
        return dt_fail("cannot use %s: expected a \"checkpoint_version\", found none; use another checkpoint",
                       path);
    if (version != DT_CHECKPOINT_VERSION)
        return dt_fail("cannot use %s: it has checkpoint_version %" PRId64
                       ", this dtrain reads %d; use the dtrain that wrote it, or another checkpoint",
                       path, version, DT_CHECKPOINT_VERSION);
    return DT_OK;
}

/* Compares the file's own digits with its text; leaves zeros in their place. */
static dt_status check_own_digits(const char *path, char *text, size_t length) {
    char found[DT_CHECKSUM_TEXT_BYTES];
    char *digits = find_digits(text, length);
    if (digits == NULL)
        return dt_fail("cannot use %s: expected its checksum as metadata_xxh3_128, found none", path);
    char stated[OWN_DIGITS + 1] = {0};
    memcpy(stated, digits, OWN_DIGITS);
    memcpy(digits, BLANK_DIGITS, OWN_DIGITS);
    dt_checksum_block(text, length, found);
    if (strcmp(stated, found) != 0)
        return dt_fail("%s is damaged or was edited: it has XXH3-128 %s, but says %s; use another checkpoint",
                       path, found, stated);
    return DT_OK;
}

/* An integer of at least 0. */
static dt_status read_count(const char *path, const json_t *object, const char *key, int64_t *count) {
    const json_t *value = json_object_get(object, key);
    if (!dt_json_read_integer(value, count) || *count < 0)
        return dt_fail("cannot use %s: expected an integer of at least 0 as \"%s\"", path, key);
    return DT_OK;
}

/* A checkpoint from before there was a "val_loss" has none, as one whose weights were not evaluated. */
static dt_status read_val_loss(const char *path, const json_t *object, double *val_loss) {
    const json_t *value = json_object_get(object, "val_loss");
    *val_loss = value == NULL || json_is_null(value) ? DT_NULL_REAL : json_number_value(value);
    if (value != NULL && !json_is_null(value) && !json_is_number(value))
        return dt_fail("cannot use %s: expected a number or null as \"val_loss\"", path);
    return DT_OK;
}

static dt_status read_hash(const char *path, const char *text, const char *what, uint64_t *hash) {
    if (text == NULL || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return dt_fail("cannot use %s: expected 16 hex digits as the \"%s", path, what);
    *hash = strtoull(text, NULL, 16);
    return DT_OK;
}

/* A checkpoint from before it was written has none. Its losses are over the text itself unless the run named
 * another. */
static dt_status read_validation_hash(const char *path, const json_t *object, dt_checkpoint_about *about) {
    const json_t *value = json_object_get(object, "validation_hash");
    if (value != NULL)
        return read_hash(path, json_string_value(value), "validation_hash\"", &about->validation_hash);
    about->validation_hash = about->config.validation_data ? 0 : about->corpus.hash;
    return DT_OK;
}

/* A checkpoint from before there was a choice is of the 99 characters. */
static dt_status read_vocabulary(const char *path, const json_t *object, int64_t *V) {
    *V = DT_ASCII_V;
    if (json_object_get(object, "vocabulary") != NULL)
        DT_TRY(read_count(path, object, "vocabulary", V));
    return *V > 0 ? DT_OK : dt_fail("cannot use %s: expected a \"vocabulary\" of at least 1, found 0", path);
}

static dt_status read_corpus(const char *path, const json_t *object, dt_corpus_identity *corpus) {
    const char *hash = json_string_value(json_object_get(object, "hash"));
    DT_TRY(read_count(path, object, "file_bytes", &corpus->file_bytes));
    DT_TRY(read_count(path, object, "tokens", &corpus->tokens));
    return read_hash(path, hash, "hash\" of the corpus", &corpus->hash);
}

static dt_status read_config(const char *path, const json_t *object, int64_t seed, dt_config *config) {
    dt_status status = dt_config_init(config);
    if (status == DT_OK)
        status = dt_config_from_json(config, object, "config");
    if (status == DT_OK)
        status = dt_config_check(config);
    /* Not the fault of a command line, as the sentences of the config are elsewhere. */
    if (status != DT_OK)
        status = dt_fail("cannot use the config in %s: %s", path, dt_error());
    if (status == DT_OK && (dt_is_null_int(config->seed) || config->seed != seed))
        status =
            dt_fail("cannot use %s: its \"seed\" is %" PRId64 ", but its config has another", path, seed);
    if (status != DT_OK)
        dt_config_free(config);
    return status;
}

/* The name of a run. One that began from no other run's checkpoint, or before that was recorded, has no
 * parent. */
static dt_status read_run(const char *path, const json_t *object, const char *key, bool optional,
                          char run_id[DT_RUN_ID_BYTES]) {
    const json_t *value = json_object_get(object, key);
    const char *text = optional && (value == NULL || json_is_null(value)) ? "" : json_string_value(value);
    if (text == NULL || strlen(text) >= DT_RUN_ID_BYTES)
        return dt_fail("cannot use %s: expected less than %d bytes of text as \"%s\"", path, DT_RUN_ID_BYTES,
                       key);
    memcpy(run_id, text, strlen(text) + 1);
    return DT_OK;
}

/* A checkpoint from before there was a "state_hash" has none. */
static dt_status read_state_hash(const char *path, const json_t *object,
                                 char state_hash[DT_STATE_HASH_BYTES]) {
    const json_t *value = json_object_get(object, "state_hash");
    const char *text = value == NULL ? "" : json_string_value(value);
    const size_t digits = text == NULL ? 0 : strspn(text, "0123456789abcdef");
    if (text == NULL || text[digits] != 0 || (digits != 0 && digits != DT_STATE_HASH_BYTES - 1))
        return dt_fail("cannot use %s: expected 16 hex digits as \"state_hash\"", path);
    memcpy(state_hash, text, digits + 1);
    return DT_OK;
}

/* Whose products; a checkpoint from before there was a choice has dtrain's own. */
static dt_status read_products(const char *path, const json_t *object, char products[DT_MATMUL_NAME_BYTES]) {
    const json_t *value = json_object_get(object, "products");
    const char *text = value == NULL ? dt_choices_products[DT_PRODUCTS_OWN] : json_string_value(value);
    if (text == NULL || strlen(text) >= DT_MATMUL_NAME_BYTES)
        return dt_fail("cannot use %s: expected less than %d bytes of text as \"products\"", path,
                       DT_MATMUL_NAME_BYTES);
    memcpy(products, text, strlen(text) + 1);
    return DT_OK;
}

static dt_status read_fields(const char *path, const json_t *object, dt_checkpoint_about *about) {
    static const char *const names[] = {DT_CHECKPOINT_CONFIG, DT_CHECKPOINT_MODEL, DT_CHECKPOINT_OPTIMIZER};
    const json_t *files = json_object_get(object, "files");
    int64_t seed, version;
    DT_TRY(read_count(path, object, "checkpoint_version", &version));
    DT_TRY(check_version(path, version));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!json_is_object(json_object_get(files, names[i])))
            return dt_fail("cannot use %s: expected %s among its \"files\"", path, names[i]);
    DT_TRY(read_run(path, object, "run_id", false, about->run_id));
    DT_TRY(read_run(path, object, "parent_run_id", true, about->parent_run_id));
    DT_TRY(read_state_hash(path, object, about->state_hash));
    DT_TRY(read_products(path, object, about->products));
    DT_TRY(read_count(path, object, "step", &about->step));
    DT_TRY(read_vocabulary(path, object, &about->V));
    DT_TRY(read_val_loss(path, object, &about->val_loss));
    DT_TRY(read_count(path, object, "seed", &seed));
    DT_TRY(read_corpus(path, json_object_get(object, "corpus"), &about->corpus));
    DT_TRY(read_config(path, json_object_get(object, "config"), seed, &about->config));
    const dt_status status = read_validation_hash(path, object, about);
    if (status != DT_OK)
        dt_config_free(&about->config);
    return status;
}

/*
 * The version comes first, straight from the text: a later one may have other rules for all the rest. -1 when
 * there is none.
 */
static int64_t find_version(const char *text, size_t length) {
    const char *key = memmem(text, length, VERSION_KEY, strlen(VERSION_KEY));
    if (key == NULL)
        return -1;
    const char *digits = key + strlen(VERSION_KEY);
    digits += strspn(digits, " \t\r\n:");
    return *digits >= '0' && *digits <= '9' ? strtoll(digits, NULL, 10) : -1;
}

dt_status dt_checkpoint_metadata_parse(const char *path, char *text, size_t length,
                                       dt_checkpoint_about *about, json_t **files) {
    *about = (dt_checkpoint_about){0};
    *files = NULL;
    DT_TRY(check_version(path, find_version(text, length)));
    DT_TRY(check_own_digits(path, text, length));
    json_t *object;
    if (dt_json_parse(text, length, &object) != DT_OK)
        return dt_fail("cannot use %s: %s", path, dt_error());
    dt_status status = read_fields(path, object, about);
    if (status == DT_OK)
        *files = json_incref(json_object_get(object, "files"));
    json_decref(object);
    return status;
}

/* A folder may have any name, but not one that belongs to another step: resuming goes by these names. What
 * counts is the folder's own, not that of a link to it. */
static dt_status check_name(const char *folder, const dt_checkpoint_about *about) {
    char *own = realpath(folder, NULL);
    if (own == NULL)
        return dt_fail("cannot use %s: %s", folder, strerror(errno));
    const int64_t step = dt_checkpoint_path_step(strrchr(own, '/') + 1);
    dt_status status = DT_OK;
    if (step >= 0 && step != about->step)
        status = dt_fail("cannot use %s: its " DT_CHECKPOINT_METADATA " is that of step %" PRId64
                         "; use another checkpoint, or name the folder " DT_CHECKPOINT_PREFIX "%" PRId64
                         " if all of it is",
                         own, about->step, about->step);
    free(own);
    return status;
}

dt_status dt_checkpoint_metadata_read(const char *folder, dt_checkpoint_about *about, json_t **files) {
    char *text = NULL;
    size_t length = 0;
    *about = (dt_checkpoint_about){0};
    *files = NULL;
    DT_TRY(dt_checkpoint_metadata_expect(folder));
    char *path = dt_file_join(folder, DT_CHECKPOINT_METADATA);
    dt_status status = path == NULL ? DT_FAILED : dt_file_read_regular(path, LARGEST_BYTES, &text, &length);
    if (status == DT_OK)
        status = dt_checkpoint_metadata_parse(path, text, length, about, files);
    free(text);
    free(path);
    if (status == DT_OK && (status = check_name(folder, about)) != DT_OK) {
        dt_config_free(&about->config);
        json_decref(*files);
        *files = NULL;
    }
    return status;
}
