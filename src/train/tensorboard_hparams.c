/* Two events, whose content is the metadata of their tags. */
#include "train/tensorboard_hparams.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The value of a tag that is there for its metadata: one float, 0, as TensorBoard's own writer has it. */
static dt_status write_content(dt_tensorboard_file *file, const char *tag, ProtobufCBinaryData content) {
    float zero = 0.0f;
    Tensorboard__TensorShapeProto__Dim one = TENSORBOARD__TENSOR_SHAPE_PROTO__DIM__INIT, *dims = &one;
    Tensorboard__TensorShapeProto shape = TENSORBOARD__TENSOR_SHAPE_PROTO__INIT;
    Tensorboard__TensorProto tensor = TENSORBOARD__TENSOR_PROTO__INIT;
    one.size = 1;
    shape.n_dim = 1;
    shape.dim = &dims;
    tensor.dtype = TENSORBOARD__DATA_TYPE__DT_FLOAT;
    tensor.tensor_shape = &shape;
    tensor.n_float_val = 1;
    tensor.float_val = &zero;
    return dt_tensorboard_file_write_tensor(file, 0, tag, "hparams", content, &tensor);
}

static dt_status write_data(dt_tensorboard_file *file, const char *tag,
                            const Tensorboard__HParamsPluginData *data) {
    ProtobufCBinaryData content = {.len = tensorboard__hparams_plugin_data__get_packed_size(data)};
    content.data = malloc(content.len);
    if (content.data == NULL)
        return dt_fail("out of memory for the hyperparameters of TensorBoard");
    tensorboard__hparams_plugin_data__pack(data, content.data);
    const dt_status status = write_content(file, tag, content);
    free(content.data);
    return status;
}

/* One option as a message. */
typedef struct hparam {
    Tensorboard__SessionStartInfo__HparamsEntry entry;
    Tensorboard__Value value;
    char *text; /* of a list or a map; owned */
} hparam;

/* False when out of memory. */
static bool set_hparam(hparam *h, const char *key, const json_t *option) {
    tensorboard__session_start_info__hparams_entry__init(&h->entry);
    tensorboard__value__init(&h->value);
    h->entry.key = (char *)key;
    h->entry.value = &h->value;
    if (json_is_boolean(option)) {
        h->value.kind_case = TENSORBOARD__VALUE__KIND_BOOL_VALUE;
        h->value.bool_value = json_is_true(option);
    } else if (json_is_number(option)) {
        h->value.kind_case = TENSORBOARD__VALUE__KIND_NUMBER_VALUE;
        h->value.number_value = json_number_value(option);
    } else if (json_is_null(option)) {
        h->value.kind_case = TENSORBOARD__VALUE__KIND_NULL_VALUE;
        h->value.null_value = TENSORBOARD__VALUE__NULL_VALUE__NULL_VALUE;
    } else {
        h->value.kind_case = TENSORBOARD__VALUE__KIND_STRING_VALUE;
        h->text = json_is_string(option) ? strdup(json_string_value(option))
                                         : json_dumps(option, JSON_COMPACT | JSON_SORT_KEYS);
        h->value.string_value = h->text;
        return h->text != NULL;
    }
    return true;
}

/* `hparams` and `info`'s entries have room for all options. */
static dt_status write_start(dt_tensorboard_file *file, json_t *options, hparam *hparams,
                             Tensorboard__SessionStartInfo *info) {
    Tensorboard__HParamsPluginData data = TENSORBOARD__HPARAMS_PLUGIN_DATA__INIT;
    const char *key;
    json_t *option;
    json_object_foreach(options, key, option) {
        hparam *h = &hparams[info->n_hparams];
        info->hparams[info->n_hparams++] = &h->entry;
        if (!set_hparam(h, key, option))
            return dt_fail("out of memory for the hyperparameters of TensorBoard");
    }
    info->start_time_secs = dt_tensorboard_now();
    data.data_case = TENSORBOARD__HPARAMS_PLUGIN_DATA__DATA_SESSION_START_INFO;
    data.session_start_info = info;
    return write_data(file, "_hparams_/session_start_info", &data);
}

dt_status dt_tensorboard_hparams_start(dt_tensorboard_file *file, json_t *options) {
    Tensorboard__SessionStartInfo info = TENSORBOARD__SESSION_START_INFO__INIT;
    const size_t count = json_object_size(options);
    hparam *hparams = calloc(count, sizeof *hparams);
    info.hparams = calloc(count, sizeof(Tensorboard__SessionStartInfo__HparamsEntry *));
    const dt_status status = hparams && info.hparams
                                 ? write_start(file, options, hparams, &info)
                                 : dt_fail("out of memory for the hyperparameters of TensorBoard");
    for (size_t i = 0; hparams && i < count; i++)
        free(hparams[i].text);
    free(hparams);
    free(info.hparams);
    return status;
}

dt_status dt_tensorboard_hparams_end(dt_tensorboard_file *file) {
    Tensorboard__HParamsPluginData data = TENSORBOARD__HPARAMS_PLUGIN_DATA__INIT;
    Tensorboard__SessionEndInfo info = TENSORBOARD__SESSION_END_INFO__INIT;
    info.status = TENSORBOARD__SESSION_END_INFO__STATUS__STATUS_SUCCESS;
    info.end_time_secs = dt_tensorboard_now();
    data.data_case = TENSORBOARD__HPARAMS_PLUGIN_DATA__DATA_SESSION_END_INFO;
    data.session_end_info = &info;
    return write_data(file, "_hparams_/session_end_info", &data);
}
