/* Two tables: what must have one value, and what is a size. */
#include "checkpoint/gpt2_config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/json.h"
#include "config/options.h"

#define LARGEST_BYTES ((int64_t)4 << 20)

/* Ids of tokens are 32-bit integers. */
#define LARGEST_VOCABULARY INT32_MAX

/* GPT-2's activation, 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), by all its names in transformers. */
static const char *const gelu_names[] = {"gelu_new",      "gelu_pytorch_tanh", "gelu_python_tanh",
                                         "gelu_accurate", "gelu_fast",         NULL};

/* Keys that take one truth value, which is also what their absence means. */
static const struct {
    const char *key;
    bool value;
} switches[] = {
    {"scale_attn_weights", true},       {"tie_word_embeddings", true},
    {"reorder_and_upcast_attn", false}, {"scale_attn_by_inverse_layer_idx", false},
    {"add_cross_attention", false},     {"is_encoder_decoder", false},
};

/* Keys that must say nothing. */
static const char *const empties[] = {"quantization_config", "pruned_heads"};

static dt_status refuse(const char *path, const char *key, const json_t *value, const char *expected) {
    char *found =
        value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    const dt_status status = dt_fail("cannot use %s: its \"%s\" is %.200s, expected %s", path, key,
                                     found == NULL ? "missing" : found, expected);
    free(found);
    return status;
}

#define ONLY_GPT2 "; dtrain reads GPT-2's architecture alone"

static dt_status check_activation(const char *path, const json_t *config) {
    const json_t *value = json_object_get(config, "activation_function");
    const char *name = json_string_value(value);
    bool known = value == NULL;
    for (int i = 0; name && gelu_names[i]; i++)
        known |= strcmp(name, gelu_names[i]) == 0;
    return known ? DT_OK
                 : refuse(path, "activation_function", value,
                          "gelu_new or another name of that formula" ONLY_GPT2);
}

static dt_status check_function(const char *path, const json_t *config) {
    const json_t *type = json_object_get(config, "model_type"),
                 *epsilon = json_object_get(config, "layer_norm_epsilon");
    if (!json_is_string(type) || strcmp(json_string_value(type), "gpt2") != 0)
        return refuse(path, "model_type", type, "\"gpt2\"" ONLY_GPT2);
    DT_TRY(check_activation(path, config));
    /* What counts is the float that it is rounded to. */
    if (epsilon && !(json_is_number(epsilon) && (float)json_number_value(epsilon) == 1e-5f))
        return refuse(path, "layer_norm_epsilon", epsilon, "1e-05" ONLY_GPT2);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        const json_t *value = json_object_get(config, switches[i].key);
        if (value && !(switches[i].value ? json_is_true(value) : json_is_false(value)))
            return refuse(path, switches[i].key, value,
                          switches[i].value ? "true" ONLY_GPT2 : "false" ONLY_GPT2);
    }
    for (size_t i = 0; i < sizeof empties / sizeof *empties; i++) {
        const json_t *value = json_object_get(config, empties[i]);
        if (value && !json_is_null(value) && !(json_is_object(value) && json_object_size(value) == 0))
            return refuse(path, empties[i], value, "nothing: dtrain reads whole models of F32, F16 or BF16");
    }
    return DT_OK;
}

/* The size that `key` names, which must suit the option of that meaning; NULL for the vocabulary. */
static dt_status read_size(const char *path, const json_t *config, const char *key, const char *option,
                           int64_t *size) {
    const json_t *value = json_object_get(config, key);
    const int64_t limit =
        option ? dt_options_find(option, strlen(option), false)->high_int : LARGEST_VOCABULARY;
    char expected[96];
    *size = json_integer_value(value);
    if (json_is_integer(value) && *size >= 1 && *size <= limit)
        return DT_OK;
    snprintf(expected, sizeof expected, "an integer from 1 to %" PRId64, limit);
    return refuse(path, key, value, expected);
}

static dt_status read_shape(const char *path, const json_t *config, dt_shape *shape) {
    const json_t *inner = json_object_get(config, "n_inner");
    DT_TRY(read_size(path, config, "n_layer", "n_layers", &shape->n_layers));
    DT_TRY(read_size(path, config, "n_embd", "d_model", &shape->C));
    DT_TRY(read_size(path, config, "n_head", "n_heads", &shape->H));
    DT_TRY(read_size(path, config, "n_positions", "max_seq_len", &shape->T));
    DT_TRY(read_size(path, config, "vocab_size", NULL, &shape->V));
    shape->F = 4 * shape->C;
    if (inner && !json_is_null(inner))
        DT_TRY(read_size(path, config, "n_inner", "d_ff", &shape->F));
    if (shape->C % shape->H != 0)
        return dt_fail("cannot use %s: its \"n_embd\", %" PRId64
                       ", is no multiple of its \"n_head\", %" PRId64,
                       path, shape->C, shape->H);
    return DT_OK;
}

dt_status dt_gpt2_config_parse(const char *path, const char *text, size_t length, dt_shape *shape,
                               json_t **config) {
    *shape = (dt_shape){0};
    if (dt_json_parse(text, length, config) != DT_OK)
        return dt_fail("cannot use %s: %s", path, dt_error());
    dt_status status = json_is_object(*config)
                           ? check_function(path, *config)
                           : dt_fail("cannot use %s: expected an object of JSON, found another value", path);
    if (status == DT_OK)
        status = read_shape(path, *config, shape);
    if (status != DT_OK) {
        json_decref(*config);
        *config = NULL;
    }
    return status;
}

dt_status dt_gpt2_config_read(const char *path, dt_shape *shape, json_t **config) {
    char *text = NULL;
    size_t length = 0;
    *config = NULL;
    DT_TRY(dt_file_read_regular(path, LARGEST_BYTES, &text, &length));
    const dt_status status = dt_gpt2_config_parse(path, text, length, shape, config);
    free(text);
    return status;
}
