/*
 * libyaml's emitter is not used, since it cannot write comments: none of its events carries one, and text
 * that is put between its calls falls where its buffer happens to end. The printed config and
 * configs/default.yaml are half comments. What they need beside is little: every value stands on one line.
 *
 * JSON text would nearly do, but libyaml refuses or folds characters that JSON leaves as they are (U+007F,
 * U+0085, U+2028), and refuses the surrogate pairs that JSON escapes to. So strings have YAML's own escapes
 * here.
 */
#include "config/emit.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/escape.h"
#include "base/utf8.h"
#include "config/scalar.h"

const char *dt_emit_digits(double value, char text[DT_REAL_TEXT_BYTES]) {
    DT_ASSERT(isfinite(value));
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, DT_REAL_TEXT_BYTES, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (text[strcspn(text, ".e")] == '\0')
        strcat(text, ".0");
    return text;
}

/*
 * Letters, digits and the marks of file names that mean nothing in YAML; first a letter, '/' or a lone or
 * "./" dot.
 */
static bool is_plain(const char *text) {
    static const char marks[] = "_-./+";
    if (!isalpha((unsigned char)text[0]) && text[0] != '/' && strcmp(text, ".") != 0 &&
        strncmp(text, "./", 2) != 0)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80 || (!isalnum((unsigned char)*c) && strchr(marks, *c) == NULL))
            return false;
    return dt_scalar_resolve(text).kind == DT_SCALAR_STRING;
}

/* What a YAML stream may not hold as it is, what its readers take for the end of a line, and what no terminal
 * should get from a file. */
static bool needs_code(uint32_t point) {
    return dt_escape_is_control(point) || point == 0xA0 || point == 0xFEFF || point == 0xFFFE ||
           point == 0xFFFF;
}

static void emit_quoted(const char *text, FILE *file) {
    static const char named[] = "\"\\\n\t\r", names[] = "\"\\ntr";
    fputc('"', file);
    while (*text != '\0') {
        const char *start = text;
        const int bytes = dt_utf8_bytes(text);
        const uint32_t point = dt_utf8_point(text, bytes);
        text += bytes;
        const char *name = point < 0x80 ? strchr(named, (int)point) : NULL;
        if (name != NULL)
            fprintf(file, "\\%c", names[name - named]);
        else if (needs_code(point))
            fprintf(file, point < 0x100 ? "\\x%02" PRIX32 : "\\u%04" PRIX32, point);
        else
            fwrite(start, 1, (size_t)(text - start), file);
    }
    fputc('"', file);
}

void dt_emit_string(const char *text, FILE *file) {
    if (is_plain(text))
        fputs(text, file);
    else
        emit_quoted(text, file);
}

static void emit_object(const json_t *object, FILE *file) {
    const char *key, *separator = "";
    json_t *value;
    fputc('{', file);
    json_object_foreach((json_t *)object, key, value) {
        fputs(separator, file);
        emit_quoted(key, file);
        fputs(": ", file);
        dt_emit_tree(value, file);
        separator = ", ";
    }
    fputc('}', file);
}

static void emit_array(const json_t *array, FILE *file) {
    fputc('[', file);
    for (size_t i = 0; i < json_array_size(array); i++) {
        fputs(i == 0 ? "" : ", ", file);
        dt_emit_tree(json_array_get(array, i), file);
    }
    fputc(']', file);
}

void dt_emit_tree(const json_t *tree, FILE *file) {
    char digits[DT_REAL_TEXT_BYTES];
    switch (json_typeof(tree)) {
    case JSON_OBJECT:
        emit_object(tree, file);
        break;
    case JSON_ARRAY:
        emit_array(tree, file);
        break;
    case JSON_STRING:
        emit_quoted(json_string_value(tree), file);
        break;
    case JSON_INTEGER:
        fprintf(file, "%" JSON_INTEGER_FORMAT, json_integer_value(tree));
        break;
    case JSON_REAL:
        fputs(dt_emit_digits(json_real_value(tree), digits), file);
        break;
    case JSON_TRUE:
        fputs("true", file);
        break;
    case JSON_FALSE:
        fputs("false", file);
        break;
    case JSON_NULL:
        fputs("null", file);
        break;
    }
}
