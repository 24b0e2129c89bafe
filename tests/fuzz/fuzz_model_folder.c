/*
 * The readers of a model folder of Hugging Face's library. The first byte says which file the others are: c
 * config.json, s model.safetensors, i the index of shards; the rest of the folder is whole. What is accepted
 * has the shapes of the weights there, and finite numbers; what is refused is refused by the folder's name.
 */
#include "fuzz/fuzz.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/gpt2_config.h"
#include "checkpoint/pretrained.h"
#include "support/model_folder.h"

bool fuzz_accepted;

/* Two forms of one model, made for the first input. */
static struct {
    char *scratch, *single, *sharded;
    dt_layout layout;
    float *saved, *back;
} f;

static void clear(void) {
    scratch_remove(f.scratch);
}

static void prepare(void) {
    if (f.saved != NULL)
        return;
    f.scratch = scratch_make();
    FUZZ_EXPECT(atexit(clear) == 0);
    f.single = dt_file_join(f.scratch, "single");
    f.sharded = dt_file_join(f.scratch, "sharded");
    FUZZ_EXPECT(dt_layout_create(&f.layout,
                                 (dt_shape){.n_layers = 1, .C = 2, .H = 1, .F = 3, .T = 2, .V = 5}) == DT_OK);
    f.saved = dt_memory_alloc(f.layout.elements, sizeof(float), "test");
    f.back = dt_memory_alloc(f.layout.elements, sizeof(float), "test");
    model_folder_write(f.single, &f.layout, f.saved, &(model_folder_form){0});
    model_folder_write(f.sharded, &f.layout, f.saved, &(model_folder_form){.shards = 2});
}

static dt_status read_folder(const char *folder) {
    dt_pretrained model;
    dt_status status = dt_pretrained_open(&model, folder);
    if (status == DT_OK) {
        const dt_shape *found = &model.layout.shape, *saved = &f.layout.shape;
        FUZZ_EXPECT(found->n_layers == saved->n_layers && found->C == saved->C && found->F == saved->F &&
                    found->T == saved->T && found->V == saved->V && found->C % found->H == 0);
        status = dt_pretrained_read(&model, &f.layout, f.back);
    }
    dt_pretrained_close(&model);
    if (status == DT_OK)
        for (int64_t e = 0; e < f.layout.elements; e++)
            FUZZ_EXPECT(isfinite(f.back[e]));
    else
        FUZZ_EXPECT(strstr(dt_error(), folder) != NULL);
    return status;
}

/* The input in the place of one file, which is put back afterwards. */
static dt_status read_with(const char *folder, const char *name, const uint8_t *data, size_t size) {
    size_t length;
    char *path = dt_file_join(folder, name), *before = scratch_get(path, &length);
    scratch_put(path, data, size);
    const dt_status status = read_folder(folder);
    scratch_put(path, before, length);
    free(before);
    free(path);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    prepare();
    fuzz_accepted = false;
    if (size == 0)
        return 0;
    const char *name = data[0] == 'c'   ? "config.json"
                       : data[0] == 's' ? "model.safetensors"
                       : data[0] == 'i' ? "model.safetensors.index.json"
                                        : NULL;
    if (name)
        fuzz_accepted = read_with(data[0] == 'i' ? f.sharded : f.single, name, data + 1, size - 1) == DT_OK;
    return 0;
}
