/* Model folders of Hugging Face's library: every form of one model is read to the same numbers, and what is
 * no such model is refused in one sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint/pretrained.h"
#include "support/model_fixture.h"

static dt_status read_into(const dt_layout *layout, float *parameters) {
    dt_pretrained model;
    dt_status status = dt_pretrained_open(&model, f.folder);
    if (status == DT_OK)
        status = dt_pretrained_read(&model, layout, parameters);
    dt_pretrained_close(&model);
    return status;
}

static void expect_read(void) {
    memset(f.back, 0, (size_t)f.layout.elements * sizeof *f.back);
    if (read_into(&f.layout, f.back) != DT_OK)
        fail_msg("%s", dt_error());
    assert_memory_equal(f.back, f.parameters, (size_t)f.layout.elements * sizeof *f.back);
}

static float *embedding(void) {
    return f.parameters + dt_layout_find(&f.layout, "wte.weight")->offset;
}

static void every_form_is_read(void **state) {
    (void)state;
    for (int element = 0; dt_element_names[element]; element++)
        for (int variant = 0; variant < 32; variant++) {
            const model_folder_form form = {.element = (dt_element)element,
                                            .prefix = variant & 1 ? "transformer." : NULL,
                                            .masks = variant & 2,
                                            .head = variant & 4 ? embedding() : NULL,
                                            .shards = variant >> 3};
            model_folder_write(f.folder, &f.layout, f.parameters, &form);
            assert_true(dt_pretrained_is(f.folder));
            expect_read();
            assert_int_equal(read_into(&f.layout, NULL), DT_OK);
            assert_int_equal(dt_file_remove_tree(f.folder), DT_OK);
        }
}

static void positions_may_be_left_out(void **state) {
    (void)state;
    dt_layout shorter;
    dt_shape shape = f.layout.shape;
    shape.T = 3;
    model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){.shards = 2});
    assert_int_equal(dt_layout_create(&shorter, shape), DT_OK);
    assert_int_equal(read_into(&shorter, f.back), DT_OK);
    for (int64_t t = 0; t < shorter.tensors; t++)
        assert_memory_equal(f.back + shorter.tensor[t].offset, f.parameters + f.layout.tensor[t].offset,
                            (size_t)shorter.tensor[t].count * sizeof(float));
    dt_layout_free(&shorter);
}

/* Where the library's defaults stand in for what an old config does not say. */
static void a_short_config_will_do(void **state) {
    (void)state;
    dt_pretrained model;
    dt_layout wide;
    assert_int_equal(
        dt_layout_create(&wide, (dt_shape){.n_layers = 1, .C = 2, .H = 1, .F = 8, .T = 1, .V = 3}), DT_OK);
    float *parameters = dt_memory_alloc(wide.elements, sizeof(float), "test");
    model_folder_write(f.folder, &wide, parameters, &(model_folder_form){0});
    model_folder_put_json(f.folder, "config.json",
                          json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "model_type", "gpt2", "vocab_size", 3,
                                    "n_positions", 1, "n_embd", 2, "n_layer", 1, "n_head", 1));
    assert_int_equal(dt_pretrained_open(&model, f.folder), DT_OK);
    assert_int_equal(model.layout.shape.F, 8);
    dt_pretrained_close(&model);
    dt_memory_free(parameters);
    dt_layout_free(&wide);
}

/* The sentence of a refusal begins with "cannot use", a file of the folder, and goes on like this. */
static void expect_refused(const char *what) {
    const dt_status status = read_into(&f.layout, f.back);
    if (status == DT_OK || strstr(dt_error(), what) == NULL || strstr(dt_error(), f.folder) == NULL)
        fail_msg("expected \"%s\", found %d \"%s\"", what, status, dt_error());
}

static void another_function_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *sentence;
    } rows[] = {
        {"model_type", "\"gpt_neo\"", "its \"model_type\" is \"gpt_neo\", expected \"gpt2\""},
        {"activation_function", "\"relu\"", "its \"activation_function\" is \"relu\", expected gelu_new"},
        {"activation_function", "\"gelu\"", "its \"activation_function\" is \"gelu\", expected gelu_new"},
        {"activation_function", "null", "its \"activation_function\" is null, expected gelu_new"},
        {"layer_norm_epsilon", "1e-6", "its \"layer_norm_epsilon\" is 1e-6, expected 1e-05"},
        {"scale_attn_weights", "false", "its \"scale_attn_weights\" is false, expected true"},
        {"scale_attn_by_inverse_layer_idx", "true",
         "its \"scale_attn_by_inverse_layer_idx\" is true, expected false"},
        {"reorder_and_upcast_attn", "true", "its \"reorder_and_upcast_attn\" is true, expected false"},
        {"add_cross_attention", "true", "its \"add_cross_attention\" is true, expected false"},
        {"tie_word_embeddings", "false", "its \"tie_word_embeddings\" is false, expected true"},
        {"tie_word_embeddings", "1", "its \"tie_word_embeddings\" is 1, expected true"},
        {"quantization_config", "{\"bits\":4}",
         "its \"quantization_config\" is {\"bits\":4}, expected nothing"},
        {"pruned_heads", "{\"0\":[1]}", "its \"pruned_heads\" is {\"0\":[1]}, expected nothing"},
        {"n_layer", "0", "its \"n_layer\" is 0, expected an integer from 1 to 1024"},
        {"n_layer", "2.0", "its \"n_layer\" is 2.0, expected an integer from 1 to 1024"},
        {"n_layer", "3", "tensor h.2.ln_1.weight is missing"},
        {"n_layer", "1", "it holds a tensor h.1."},
        {"n_head", "3", "its \"n_embd\", 4, is no multiple of its \"n_head\", 3"},
        {"n_inner", "7", "has shape [4,6], expected [4,7]"},
        {"n_inner", "null", "has shape [4,6], expected [4,16]"},
        {"n_positions", "99999999999", "its \"n_positions\" is 99999999999, expected an integer from 1 to"},
        {"vocab_size", "12", "tensor wte.weight has shape [11,4], expected [12,4]"},
        {"vocab_size", "\"11\"", "its \"vocab_size\" is \"11\", expected an integer from 1 to 2147483647"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
        json_t *config = model_folder_config(&f.layout.shape);
        json_object_set_new(config, rows[i].key, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
        model_folder_put_json(f.folder, "config.json", config);
        expect_refused(rows[i].sentence);
    }
    model_folder_put(f.folder, "config.json", "[1]", 3);
    expect_refused("expected an object of JSON, found another value");
    model_folder_put(f.folder, "config.json", "{\"a\"", 4);
    expect_refused("config.json: line 1 is not JSON");
}

/* The formula has several names. */
static void synonyms_are_taken(void **state) {
    (void)state;
    static const char *const names[] = {"gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate",
                                        "gelu_python_tanh"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
        json_t *config = model_folder_config(&f.layout.shape);
        json_object_set_new(config, "activation_function", json_string(names[i]));
        json_object_set_new(config, "layer_norm_epsilon", json_real(9.999999747378752e-06));
        model_folder_put_json(f.folder, "config.json", config);
        expect_read();
    }
}

static void a_head_of_its_own_is_refused(void **state) {
    (void)state;
    const dt_tensor *wte = dt_layout_find(&f.layout, "wte.weight");
    float *head = malloc((size_t)wte->count * sizeof *head);
    memcpy(head, embedding(), (size_t)wte->count * sizeof *head);
    head[4 * 7 + 2] = 0.5f;
    embedding()[4 * 7 + 2] = -3.0f;
    model_folder_write(f.folder, &f.layout, f.parameters,
                       &(model_folder_form){.head = head, .shards = 2, .element = DT_ELEMENT_BF16});
    expect_refused(
        "tensor lm_head.weight is not tied: its element [7,2] is 0.5 where that of wte.weight is -3; ");
    free(head);
}

static void numbers_that_are_none_are_refused(void **state) {
    (void)state;
    for (int element = 0; dt_element_names[element]; element++) {
        f.parameters[dt_layout_find(&f.layout, "h.1.ln_2.bias")->offset + 1] = INFINITY;
        model_folder_write(f.folder, &f.layout, f.parameters,
                           &(model_folder_form){.element = (dt_element)element});
        expect_refused("expected finite numbers, found NaN or infinity in tensor h.1.ln_2.bias");
        assert_int_equal(dt_file_remove_tree(f.folder), DT_OK);
    }
}

static void write_sharded(void) {
    (void)dt_file_remove_tree(f.folder);
    model_folder_write(f.folder, &f.layout, f.parameters,
                       &(model_folder_form){.shards = 3, .prefix = "transformer."});
}

static json_t *read_json(const char *name) {
    size_t length;
    char *path = dt_file_join(f.folder, name), *text = scratch_get(path, &length);
    json_t *object = json_loads(text, 0, NULL);
    free(text);
    free(path);
    return object;
}

/* Writes the index again with the tensor in another file, or in none where `file` is NULL. */
static void tell_otherwise(const char *tensor, json_t *file) {
    write_sharded();
    json_t *index = read_json("model.safetensors.index.json"), *map = json_object_get(index, "weight_map");
    if (file)
        json_object_set_new(map, tensor, file);
    else
        json_object_del(map, tensor);
    model_folder_put_json(f.folder, "model.safetensors.index.json", index);
}

/* Whichever of index and shards has the prefix; lm_head.weight, where it is, has none. */
static void an_index_may_have_another_prefix(void **state) {
    (void)state;
    for (int has_prefix = 0; has_prefix < 2; has_prefix++) {
        model_folder_form form = {
            .shards = 3, .masks = true, .head = embedding(), .prefix = has_prefix ? "transformer." : NULL};
        (void)dt_file_remove_tree(f.folder);
        model_folder_write(f.folder, &f.layout, f.parameters, &form);
        json_t *index = read_json("model.safetensors.index.json");
        (void)dt_file_remove_tree(f.folder);
        form.prefix = has_prefix ? NULL : "transformer.";
        model_folder_write(f.folder, &f.layout, f.parameters, &form);
        model_folder_put_json(f.folder, "model.safetensors.index.json", index);
        expect_read();
    }
}

static void an_index_that_lies_is_refused(void **state) {
    (void)state;
    const char *wte = "transformer.wte.weight";
    write_sharded();
    char *shard = dt_file_join(f.folder, "model-00002-of-00003.safetensors");
    assert_int_equal(unlink(shard), 0);
    expect_refused("model-00002-of-00003.safetensors: No such file or directory; ");
    free(shard);
    tell_otherwise(wte, json_string("model-00002-of-00003.safetensors"));
    expect_refused("it says that tensor transformer.wte.weight is in ");
    tell_otherwise(wte, NULL);
    expect_refused("it says that tensor transformer.wte.weight is in no file, found it in ");
    tell_otherwise("h.9.x", json_string("model-00001-of-00003.safetensors"));
    expect_refused("it says that tensor h.9.x is in ");
    tell_otherwise(wte, json_string("../model-00001-of-00003.safetensors"));
    expect_refused("expected the name of a .safetensors file of the same folder");
    tell_otherwise(wte, json_integer(1));
    expect_refused("it says that tensor transformer.wte.weight is in no file, expected the name");
    tell_otherwise(wte, json_string("weights.bin"));
    expect_refused("is in weights.bin, expected the name of a .safetensors file");
    write_sharded();
    model_folder_put(f.folder, "model.safetensors.index.json", "{\"weight_map\": {}}", 18);
    expect_refused("expected a \"weight_map\" from tensors to files, found none");
    model_folder_put(f.folder, "model.safetensors.index.json", "[", 1);
    expect_refused("index.json: line 1 is not JSON");
}

/* Changes one entry of the header of the only file, and cuts or fills what follows it. */
static void change_file(const char *name, const char *entry, int64_t more_bytes) {
    uint64_t length;
    size_t size;
    (void)dt_file_remove_tree(f.folder);
    model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
    char *path = dt_file_join(f.folder, "model.safetensors"), *bytes = scratch_get(path, &size);
    memcpy(&length, bytes, sizeof length);
    json_t *header = json_loadb(bytes + 8, (size_t)length, 0, NULL);
    if (entry)
        json_object_set_new(header, name, json_loads(entry, 0, NULL));
    const int64_t data = (int64_t)(size - 8 - length);
    char *more = calloc(1, (size_t)(data + 64));
    memcpy(more, bytes + 8 + length, (size_t)data);
    model_folder_put_tensors(f.folder, "model.safetensors", header, more, data + more_bytes);
    free(more);
    json_decref(header);
    free(bytes);
    free(path);
}

static void a_file_that_lies_is_refused(void **state) {
    (void)state;
    change_file(NULL, NULL, -4);
    expect_refused("the file is damaged");
    change_file(NULL, NULL, 4);
    expect_refused("the file is damaged");
    change_file("ln_f.bias", "{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[0,16]}", 0);
    expect_refused("tensor ln_f.bias has dtype F64, expected F32, F16 or BF16");
    change_file("ln_f.bias", "{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,16]}", 0);
    expect_refused("tensor ln_f.bias must have data_offsets of 8 bytes");
    change_file("ln_f.bias", "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,32]}", 0);
    expect_refused("of the data, expected 0, where the one before it ends");
    change_file("ln_f.bias", "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]}", 0);
    expect_refused("tensor ln_f.bias has no data_offsets of two bytes within the data");
    change_file("h.0.crossattention.bias", "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,0]}", 0);
    expect_refused("it holds a tensor h.0.crossattention.bias that the GPT-2 of config.json does not have");
    change_file("transformer.ln_f.bias", "{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}", 0);
    expect_refused("it holds tensor transformer.ln_f.bias, which is in ");
    change_file("__metadata__", "{\"format\":1}", 0);
    expect_refused("__metadata__ in its header must be an object of strings");
    model_folder_put(f.folder, "model.safetensors", "abc", 3);
    expect_refused("expected a safetensors file, found only 3 bytes");
    model_folder_put(f.folder, "model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    expect_refused("its header claims 18446744073709551615 bytes, expected at most 2");
}

static void a_folder_without_weights_is_refused(void **state) {
    (void)state;
    model_folder_write(f.folder, &f.layout, f.parameters, &(model_folder_form){0});
    char *weights = dt_file_join(f.folder, "model.safetensors");
    assert_int_equal(unlink(weights), 0);
    expect_refused("holds no weights: expected model.safetensors or model.safetensors.index.json, found "
                   "neither");
    model_folder_put(f.folder, "pytorch_model.bin", "x", 1);
    expect_refused("found neither but pytorch_model.bin, which only PyTorch can read; ");
    assert_false(dt_pretrained_is(weights));
    assert_true(dt_pretrained_is(f.folder));
    model_folder_put(f.folder, "optimizer.safetensors", "x", 1);
    assert_false(dt_pretrained_is(f.folder));
    free(weights);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(every_form_is_read),
                                       TEST(positions_may_be_left_out),
                                       TEST(a_short_config_will_do),
                                       TEST(another_function_is_refused),
                                       TEST(synonyms_are_taken),
                                       TEST(a_head_of_its_own_is_refused),
                                       TEST(numbers_that_are_none_are_refused),
                                       TEST(an_index_may_have_another_prefix),
                                       TEST(an_index_that_lies_is_refused),
                                       TEST(a_file_that_lies_is_refused),
                                       TEST(a_folder_without_weights_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
