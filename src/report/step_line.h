/**
 * Lines of a metrics.jsonl that hold numbers alone, read fast: a run of a million steps has as many.
 *
 *     {"step":3,"loss":4.54063659,"lr":0.0003,"grad_norm":2.73,...}
 */
#ifndef DT_REPORT_STEP_LINE_H
#define DT_REPORT_STEP_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The numbers of a line that reports show. */
typedef enum dt_step_key {
    DT_STEP_KEY_LOSS,
    DT_STEP_KEY_VAL_LOSS,
    DT_STEP_KEY_LR,
    DT_STEP_KEY_GRAD_NORM,
    DT_STEP_KEY_NOISE_SCALE,
    DT_STEP_KEY_STEP_MS,
    DT_STEP_KEY_EXPOSED_MS,
    DT_STEP_KEY_TOKENS_PER_S,
    DT_STEP_KEY_SAVE_MS,
    DT_STEP_KEY_TOKENS,
    DT_STEP_KEY_UTILISATION,
    DT_STEP_KEY_BITS_PER_BYTE,
    DT_STEP_KEYS
} dt_step_key;

typedef struct dt_step_line {
    int64_t step;
    double value[DT_STEP_KEYS]; /**< NaN where the line has no such number, or null */
} dt_step_line;

/**
 * Reads a line of `length` bytes, with or without its newline, that is an object of numbers and nulls without
 * blanks and has an integer "step"; of numbers with other names it takes no notice. False for every other
 * line, torn ones too, and `*values` then has no meaning. Local.
 */
bool dt_step_line_read(const char *line, size_t length, dt_step_line *values);

#endif
