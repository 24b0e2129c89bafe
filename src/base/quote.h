/**
 * Words for a shell: a command that the program suggests must do, when it is pasted, what it says.
 *
 *     runs/a_1        runs/a_1            my runs/a       'my runs/a'
 *     it's            'it'\''s'           a newline       $'a\nb'
 */
#ifndef DT_BASE_QUOTE_H
#define DT_BASE_QUOTE_H

/**
 * `word` as one word of a POSIX shell's command line, as a new string that the caller frees; NULL when out of
 * memory. As it is where that is safe, else in quotes; with control characters, or bytes that are no UTF-8,
 * in the form $'..' of bash, ksh, zsh and POSIX of 2024, so that no terminal acts on it. Local.
 */
char *dt_quote(const char *word);

#endif
