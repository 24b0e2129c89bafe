/*
 * Lines of metrics.jsonl that are read fast: whatever the fast reader takes jansson takes too, and every
 * number is the same double.
 */
#include "fuzz/fuzz.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "report/step_line.h"

bool fuzz_accepted;

static const char *const names[DT_STEP_KEYS] = {[DT_STEP_KEY_LOSS] = "loss",
                                                [DT_STEP_KEY_VAL_LOSS] = "val_loss",
                                                [DT_STEP_KEY_LR] = "lr",
                                                [DT_STEP_KEY_GRAD_NORM] = "grad_norm",
                                                [DT_STEP_KEY_NOISE_SCALE] = "noise_scale",
                                                [DT_STEP_KEY_STEP_MS] = "step_ms",
                                                [DT_STEP_KEY_EXPOSED_MS] = "exposed_ms",
                                                [DT_STEP_KEY_TOKENS_PER_S] = "tokens_per_s",
                                                [DT_STEP_KEY_SAVE_MS] = "save_ms",
                                                [DT_STEP_KEY_TOKENS] = "tokens",
                                                [DT_STEP_KEY_UTILISATION] = "mfu",
                                                [DT_STEP_KEY_BITS_PER_BYTE] = "val_bits_per_byte"};

static void expect_number(const json_t *value, double found) {
    const double wanted = json_is_number(value) ? json_number_value(value) : NAN;
    FUZZ_EXPECT(isnan(wanted) ? isnan(found) : wanted == found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *line = (const char *)data;
    dt_step_line values;
    fuzz_accepted = dt_step_line_read(line, size, &values);
    if (!fuzz_accepted)
        return 0;
    json_t *object = json_loadb(line, size, 0, NULL);
    /* Jansson minds a name of other bytes than UTF-8, an integer beyond 64 bits, and a leading zero. */
    if (object != NULL) {
        FUZZ_EXPECT(json_integer_value(json_object_get(object, "step")) == values.step);
        for (int k = 0; k < DT_STEP_KEYS; k++)
            expect_number(json_object_get(object, names[k]), values.value[k]);
    }
    json_decref(object);
    return 0;
}
