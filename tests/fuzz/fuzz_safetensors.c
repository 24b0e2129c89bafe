/*
 * The safetensors reader. Size and checksum of the whole are made to agree with the input, those of the
 * tensors stay as they were saved. So a header may be written in another way, but whatever is accepted holds
 * exactly the tensors that were saved, and verifying comes to the same as reading.
 */
#include "fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/scratch.h"
#include "base/checksum.h"
#include "checkpoint/safetensors.h"

bool fuzz_accepted;

/* What was saved once, and a file in memory that takes each input; made for the first input. */
static struct {
    int descriptor;
    char path[64];
    dt_layout layout;
    float *saved, *back;
    json_t *sums;
} f;

static void fill(float *vector) {
    for (int64_t t = 0; t < f.layout.tensors; t++)
        for (int64_t e = 0; e < f.layout.tensor[t].count; e++)
            vector[f.layout.tensor[t].offset + e] = (float)(t * 64 + e) / 64;
}

static void prepare(void) {
    if (f.saved != NULL)
        return;
    char *folder = scratch_make(), *path = dt_file_join(folder, "saved.safetensors");
    FUZZ_EXPECT(dt_layout_create(&f.layout,
                                 (dt_shape){.n_layers = 1, .C = 2, .H = 1, .F = 3, .T = 2, .V = 5}) == DT_OK);
    f.saved = dt_memory_alloc(f.layout.elements, sizeof(float), "test");
    f.back = dt_memory_alloc(f.layout.elements, sizeof(float), "test");
    fill(f.saved);
    const dt_safetensors_section section = {"", f.saved};
    FUZZ_EXPECT(dt_safetensors_write(path, &f.layout, &section, 1, DT_ELEMENT_FP32, &f.sums) == DT_OK);
    f.descriptor = memfd_create("input", MFD_CLOEXEC);
    FUZZ_EXPECT(f.descriptor >= 0);
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.descriptor);
    free(path);
    scratch_remove(folder);
}

static void put(const uint8_t *data, size_t size) {
    char digits[DT_CHECKSUM_TEXT_BYTES];
    FUZZ_EXPECT(ftruncate(f.descriptor, 0) == 0);
    FUZZ_EXPECT(pwrite(f.descriptor, data, size, 0) == (ssize_t)size);
    dt_checksum_block(data, size, digits);
    json_object_set_new(f.sums, "bytes", json_integer((json_int_t)size));
    json_object_set_new(f.sums, "xxh3_128", json_string(digits));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    prepare();
    put(data, size);
    const dt_safetensors_section section = {"", f.back}, nowhere = {"", NULL};
    memset(f.back, 0, (size_t)f.layout.elements * sizeof(float));
    const dt_status status = dt_safetensors_read(f.path, &f.layout, &section, 1, f.sums);
    fuzz_accepted = status == DT_OK;
    if (fuzz_accepted)
        FUZZ_EXPECT(memcmp(f.back, f.saved, (size_t)f.layout.elements * sizeof(float)) == 0);
    else {
        FUZZ_EXPECT(status == DT_FAILED);
        FUZZ_EXPECT(strstr(dt_error(), f.path) != NULL);
    }
    FUZZ_EXPECT(dt_safetensors_read(f.path, &f.layout, &nowhere, 1, f.sums) == status);
    return 0;
}
