/* One pass over the bytes. A decimal number of up to 19 digits is an integer times a power of ten; where both
 * are exact doubles their product or quotient is the nearest one, and elsewhere strtod() is asked. */
#include "report/step_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX   18
#define EXACT_MAX    (UINT64_C(1) << 53)
#define POWERS       23 /* of ten that are exact doubles */
#define NUMBER_BYTES 40
#define EXPONENT_MAX 1000

static const struct {
    const char *name;
    size_t length;
} keys[DT_STEP_KEYS] = {
    [DT_STEP_KEY_LOSS] = {"loss", 4},
    [DT_STEP_KEY_VAL_LOSS] = {"val_loss", 8},
    [DT_STEP_KEY_LR] = {"lr", 2},
    [DT_STEP_KEY_GRAD_NORM] = {"grad_norm", 9},
    [DT_STEP_KEY_NOISE_SCALE] = {"noise_scale", 11},
    [DT_STEP_KEY_STEP_MS] = {"step_ms", 7},
    [DT_STEP_KEY_EXPOSED_MS] = {"exposed_ms", 10},
    [DT_STEP_KEY_TOKENS_PER_S] = {"tokens_per_s", 12},
    [DT_STEP_KEY_SAVE_MS] = {"save_ms", 7},
    [DT_STEP_KEY_TOKENS] = {"tokens", 6},
    [DT_STEP_KEY_UTILISATION] = {"mfu", 3},
    [DT_STEP_KEY_BITS_PER_BYTE] = {"val_bits_per_byte", 17},
};

static const double power_of_ten[POWERS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* What is left of a line. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static bool take(cursor *c, char wanted) {
    const bool found = c->at < c->end && *c->at == wanted;
    c->at += found;
    return found;
}

static bool is_digit(const cursor *c) {
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

/* What decimal notation says: digits, and the power of ten behind them. */
typedef struct decimal {
    uint64_t digits;
    int count, exponent;
    bool negative, integer;
} decimal;

static void take_digits(cursor *c, decimal *d) {
    for (; is_digit(c); c->at++) {
        d->count++;
        if (d->count <= DIGITS_MAX)
            d->digits = 10 * d->digits + (uint64_t)(*c->at - '0');
    }
}

static bool take_exponent(cursor *c, decimal *d) {
    int exponent = 0;
    const bool negative = take(c, '-');
    if (!negative)
        take(c, '+');
    if (!is_digit(c))
        return false;
    for (; is_digit(c); c->at++)
        exponent = exponent < EXPONENT_MAX ? 10 * exponent + (*c->at - '0') : exponent;
    d->exponent += negative ? -exponent : exponent;
    d->integer = false;
    return true;
}

static bool take_decimal(cursor *c, decimal *d) {
    *d = (decimal){.negative = take(c, '-'), .integer = true};
    take_digits(c, d);
    if (d->count == 0)
        return false;
    if (take(c, '.')) {
        const int whole = d->count;
        take_digits(c, d);
        d->exponent = whole - d->count;
        d->integer = false;
        if (d->count == whole)
            return false;
    }
    return take(c, 'e') || take(c, 'E') ? take_exponent(c, d) : true;
}

static bool take_number(cursor *c, double *value, bool *integer) {
    char text[NUMBER_BYTES];
    const char *start = c->at;
    decimal d;
    if (!take_decimal(c, &d))
        return false;
    *integer = d.integer;
    const int power = abs(d.exponent);
    if (d.count <= DIGITS_MAX && d.digits <= EXACT_MAX && power < POWERS) {
        const double digits = (double)d.digits;
        const double size = d.exponent < 0 ? digits / power_of_ten[power] : digits * power_of_ten[power];
        *value = d.negative ? -size : size;
        return true;
    }
    const size_t length = (size_t)(c->at - start);
    if (length >= sizeof text)
        return false;
    memcpy(text, start, length);
    text[length] = 0;
    *value = strtod(text, NULL);
    return isfinite(*value);
}

static bool take_null(cursor *c) {
    const bool found = c->end - c->at >= 4 && memcmp(c->at, "null", 4) == 0;
    c->at += found ? 4 : 0;
    return found;
}

/* The name between quotes, which has no escapes; the colon behind it is taken too. */
static bool take_name(cursor *c, const char **name, size_t *length) {
    if (!take(c, '"'))
        return false;
    *name = c->at;
    while (c->at < c->end && *c->at != '"' && *c->at != '\\')
        c->at++;
    *length = (size_t)(c->at - *name);
    return take(c, '"') && take(c, ':');
}

static bool is_named(const char *name, size_t length, const char *wanted, size_t wanted_length) {
    return length == wanted_length && memcmp(name, wanted, length) == 0;
}

static void keep(dt_step_line *values, const char *name, size_t length, double value) {
    for (int k = 0; k < DT_STEP_KEYS; k++)
        if (is_named(name, length, keys[k].name, keys[k].length)) {
            values->value[k] = value;
            return;
        }
}

bool dt_step_line_read(const char *line, size_t length, dt_step_line *values) {
    cursor c = {line, line + length};
    bool has_step = false;
    for (int k = 0; k < DT_STEP_KEYS; k++)
        values->value[k] = NAN;
    if (!take(&c, '{'))
        return false;
    do {
        const char *name;
        size_t name_length;
        double value = NAN;
        bool integer = false;
        if (!take_name(&c, &name, &name_length))
            return false;
        if (!take_null(&c) && !take_number(&c, &value, &integer))
            return false;
        if (is_named(name, name_length, "step", 4)) {
            if (!integer || !(fabs(value) <= (double)EXACT_MAX))
                return false;
            values->step = (int64_t)value;
            has_step = true;
        } else
            keep(values, name, name_length, value);
    } while (take(&c, ','));
    if (!take(&c, '}'))
        return false;
    take(&c, '\n');
    return has_step && c.at == c.end;
}
