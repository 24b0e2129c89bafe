/* One walk over the characters; what is shown of each is decided in one place. */
#include "base/escape.h"

#include <stdio.h>

#include "base/utf8.h"

bool dt_escape_is_control(uint32_t point) {
    return point < 0x20 || (point >= 0x7F && point <= 0x9F) || point == 0x061C || point == 0x200E ||
           point == 0x200F || (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

static bool is_shown(uint32_t point, dt_escape_shape shape) {
    return !dt_escape_is_control(point) || (shape == DT_ESCAPE_BLOCK && (point == '\n' || point == '\t'));
}

/* How many bytes at `text` are shown as they are; 0 where the first character is not. */
static int shown_bytes(const char *text, dt_escape_shape shape) {
    const int bytes = dt_utf8_bytes(text);
    return bytes > 0 && is_shown(dt_utf8_point(text, bytes), shape) ? bytes : 0;
}

bool dt_escape_needed(const char *text, dt_escape_shape shape) {
    while (*text != 0) {
        const int bytes = shown_bytes(text, shape);
        if (bytes == 0)
            return true;
        text += bytes;
    }
    return false;
}

char *dt_escape(const char *text, dt_escape_shape shape, char *escaped) {
    char *end = escaped;
    while (*text != 0) {
        int bytes = shown_bytes(text, shape);
        if (bytes > 0) {
            for (; bytes > 0; bytes--)
                *end++ = *text++;
            continue;
        }
        bytes = dt_utf8_bytes(text);
        if (*text == '\n' || *text == '\t')
            end += snprintf(end, sizeof "\\n", "\\%c", *text == '\n' ? 'n' : 't');
        else if (bytes > 1)
            end += snprintf(end, sizeof "\\u0000", "\\u%04x", dt_utf8_point(text, bytes));
        else
            end += snprintf(end, sizeof "\\x00", "\\x%02x", (unsigned)(unsigned char)*text);
        text += bytes > 0 ? bytes : 1;
    }
    *end = 0;
    return escaped;
}
