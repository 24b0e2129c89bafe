/**
 * Text that came from elsewhere (a file, a name, the environment) as it may be shown: what would move the
 * cursor, colour the screen, turn the direction of writing or look like a line of the program's own is
 * written out instead.
 *
 *     ESC ] 0 ; x BEL   \x1b]0;x\x07        a byte that is no UTF-8   \xff
 *     a newline         \n                  U+009B, U+202E            \u009b, \u202e
 */
#ifndef DT_BASE_ESCAPE_H
#define DT_BASE_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

/** The room that dt_escape needs for a text of `length` bytes. */
#define DT_ESCAPE_BYTES(length) (4 * (length) + 1)

typedef enum dt_escape_shape {
    DT_ESCAPE_LINE, /**< newlines and tabs are escaped too: the text stays on its line */
    DT_ESCAPE_BLOCK /**< newlines and tabs stay */
} dt_escape_shape;

/** Whether a character is a control (Unicode's category Cc), separates lines or paragraphs, or turns the
 * direction of writing. Local. */
bool dt_escape_is_control(uint32_t point);

/** Whether dt_escape would change `text`. Local. */
bool dt_escape_needed(const char *text, dt_escape_shape shape);

/**
 * Writes `text` with its escapes to `escaped`, which has DT_ESCAPE_BYTES of the text's length. A backslash
 * stays as it is, so this is for people, not for reading back. Returns `escaped`. Local.
 */
char *dt_escape(const char *text, dt_escape_shape shape, char *escaped);

#endif
