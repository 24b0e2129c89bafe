/* By computing, not by reading a register: that works on every processor. */
#include "base/ieee.h"

#include <float.h>
#include <stddef.h>

const char *dt_ieee_find_fault(void) {
    /* Volatile, or the compiler would compute these itself. */
    volatile float smallest = FLT_MIN, half = 0.5f, denormal = 0x1p-140f, large = 0x1p100f, one = 1.0f;
    volatile float below_half_unit = 0x1p-25f, above_half_unit = 0x1.8p-24f;
    const float made = smallest * half, used = denormal * large;
    const float down = one + below_half_unit, up = one + above_half_unit;
    if (made == 0.0f || used == 0.0f)
        return "denormal numbers become 0 (flush-to-zero)";
    return down == 1.0f && up > 1.0f ? NULL : "results are not rounded to nearest";
}
