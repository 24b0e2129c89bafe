/**
 * What a plain YAML scalar means by the core schema of YAML 1.2 (chapter 10.3.2 of its specification).
 */
#ifndef DT_CONFIG_SCALAR_H
#define DT_CONFIG_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

typedef enum dt_scalar_kind {
    DT_SCALAR_NULL, /**< null Null NULL ~ and nothing at all */
    DT_SCALAR_BOOL, /**< true True TRUE false False FALSE */
    DT_SCALAR_INT,  /**< 12 -3 0x1F 0o17 */
    DT_SCALAR_REAL, /**< 1.5 .5 3e-4 */
    DT_SCALAR_INT_TOO_LARGE,
    DT_SCALAR_REAL_TOO_LARGE,
    DT_SCALAR_NOT_FINITE, /**< .inf .nan and their spellings */
    DT_SCALAR_STRING      /**< everything else */
} dt_scalar_kind;

typedef struct dt_scalar {
    dt_scalar_kind kind;
    bool boolean;    /**< for DT_SCALAR_BOOL */
    int64_t integer; /**< for DT_SCALAR_INT */
    double real;     /**< for DT_SCALAR_REAL, and for DT_SCALAR_INT the nearest double */
} dt_scalar;

/** Resolves a plain scalar. Cannot fail: what is nothing else is a string. Local. */
dt_scalar dt_scalar_resolve(const char *text);

/** Whether `text` is well-formed UTF-8 (Unicode 15, table 3-7). Local. */
bool dt_scalar_is_utf8(const char *text);

#endif
