/*
 * The schema's regular expressions, walked by hand; strtoll and strtod only see text that matches one of
 * them.
 */
#include "config/scalar.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static bool is_one_of(const char *text, const char *const *words) {
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_number(const char *text, bool *integral) {
    static const char digits[] = "0123456789";
    text += strspn(text, "-+") == 1;
    size_t whole = strspn(text, digits), fraction = 0;
    text += whole;
    *integral = true;
    if (*text == '.') {
        fraction = strspn(++text, digits);
        text += fraction;
        *integral = false;
    }
    if (whole + fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '-' || text[1] == '+');
        size_t exponent = strspn(text, digits);
        if (exponent == 0)
            return false;
        text += exponent;
        *integral = false;
    }
    return *text == '\0';
}

/* 0o[0-7]+ and 0x[0-9a-fA-F]+: the base, or 0 when `text` is neither. */
static int find_base(const char *text) {
    if (strncmp(text, "0o", 2) == 0 && text[2] != '\0' && text[2 + strspn(text + 2, "01234567")] == '\0')
        return 8;
    if (strncmp(text, "0x", 2) == 0 && text[2] != '\0' &&
        text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0')
        return 16;
    return 0;
}

static dt_scalar resolve_int(const char *digits, int base) {
    errno = 0;
    int64_t integer = strtoll(digits, NULL, base);
    /* The least int64_t stands for null in a field, so it is no value. */
    if (errno == ERANGE || integer == INT64_MIN)
        return (dt_scalar){.kind = DT_SCALAR_INT_TOO_LARGE};
    return (dt_scalar){.kind = DT_SCALAR_INT, .integer = integer, .real = (double)integer};
}

dt_scalar dt_scalar_resolve(const char *text) {
    static const char *const nulls[] = {"", "null", "Null", "NULL", "~", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    if (is_one_of(text, nulls))
        return (dt_scalar){.kind = DT_SCALAR_NULL};
    if (is_one_of(text, trues) || is_one_of(text, falses))
        return (dt_scalar){.kind = DT_SCALAR_BOOL, .boolean = is_one_of(text, trues)};
    if (is_one_of(text + (strspn(text, "-+") == 1), infinities) || is_one_of(text, nans))
        return (dt_scalar){.kind = DT_SCALAR_NOT_FINITE};
    int base = find_base(text);
    if (base != 0)
        return resolve_int(text + 2, base);
    bool integral = false;
    if (!is_number(text, &integral))
        return (dt_scalar){.kind = DT_SCALAR_STRING};
    if (integral)
        return resolve_int(text, 10);
    double real = strtod(text, NULL);
    return (dt_scalar){.kind = isinf(real) ? DT_SCALAR_REAL_TOO_LARGE : DT_SCALAR_REAL, .real = real};
}

bool dt_scalar_is_utf8(const char *text) {
    while (*text != 0) {
        const int bytes = dt_utf8_bytes(text);
        if (bytes == 0)
            return false;
        text += bytes;
    }
    return true;
}
