/* Walks over the rows of the table of verbs, and the flags of each. */
#include "verb/help_flag.h"

#include <string.h>

#include "base/assert.h"
#include "config/options.h"
#include "config/reference.h"
#include "verb/table.h"

void dt_help_flag_row(const dt_verb *row, FILE *file) {
    char flag[64];
    dt_verb_print_synopsis(row, file);
    fputc('\n', file);
    dt_reference_text(row->about, file);
    if (row->flags[0].name != NULL)
        fputs("\nFlags:\n", file);
    for (const dt_verb_flag *own = row->flags; own->name != NULL; own++) {
        snprintf(flag, sizeof flag, "--%s", own->name);
        dt_reference_flag(flag, own->value, own->help, file);
    }
    if (row->takes_options)
        fputs("\nIt takes the options of training too: dtrain help options lists them.\n", file);
    fprintf(file, "\nExample:\n  %s\n", row->example);
}

static bool spells(const char *known, const char *name) {
    return dt_options_spells(known, name, strlen(name), true);
}

/* The flag `name` of a row; NULL where it has none, or where it is the row's mode, which is told of whole. */
static const dt_verb_flag *find(const dt_verb *row, const char *name) {
    if (row->mode != NULL && spells(row->mode, name))
        return NULL;
    for (const dt_verb_flag *flag = row->flags; flag->name != NULL; flag++)
        if (spells(flag->name, name))
            return flag;
    return NULL;
}

static bool same(const dt_verb_flag *a, const dt_verb_flag *b) {
    const bool values = a->value != NULL && b->value != NULL;
    return strcmp(a->help, b->help) == 0 && (values ? strcmp(a->value, b->value) == 0 : a->value == b->value);
}

/* The next row from `from` on, of the verb's or of all, whose flag `name` means what `like` does (NULL:
 * anything); the number of rows where there is none. */
static int next_row(int from, const char *name, const char *verb, const dt_verb_flag *like) {
    const dt_verb *row;
    for (; (row = dt_verb_at(from)) != NULL; from++) {
        const dt_verb_flag *flag = find(row, name);
        if ((verb == NULL || strcmp(verb, row->name) == 0) && flag != NULL &&
            (like == NULL || same(flag, like)))
            break;
    }
    return from;
}

/* "A flag of dtrain sample, eval and tokenize --decode.", and the flag. */
static void print_meaning(int first, const char *name, const char *verb, FILE *file) {
    const dt_verb_flag *flag = find(dt_verb_at(first), name);
    char dashed[64];
    fputs("A flag of dtrain", file);
    for (int v = first; dt_verb_at(v) != NULL;) {
        const dt_verb *row = dt_verb_at(v);
        const int after = next_row(v + 1, name, verb, flag);
        const bool last = dt_verb_at(after) == NULL;
        fprintf(file, "%s %s%s%s",
                v == first ? ""
                : last     ? " and"
                           : ",",
                row->name, row->mode ? " --" : "", row->mode ? row->mode : "");
        v = after;
    }
    fputs(".\n\n", file);
    snprintf(dashed, sizeof dashed, "--%s", flag->name);
    dt_reference_flag(dashed, flag->value, flag->help, file);
}

bool dt_help_flag_print(const char *name, const char *verb, FILE *file) {
    const dt_verb *row;
    bool found = false;
    DT_ASSERT(name[0] != '-');
    for (int v = 0; (row = dt_verb_at(v)) != NULL; v++)
        if (row->mode != NULL && spells(row->mode, name) && (verb == NULL || strcmp(verb, row->name) == 0)) {
            fputs(found ? "\n" : "", file);
            dt_help_flag_row(row, file);
            found = true;
        }
    for (int v = next_row(0, name, verb, NULL); dt_verb_at(v) != NULL;
         v = next_row(v + 1, name, verb, NULL)) {
        if (next_row(0, name, verb, find(dt_verb_at(v), name)) != v)
            continue; /* told of beside an earlier verb */
        fputs(found ? "\n" : "", file);
        print_meaning(v, name, verb, file);
        found = true;
    }
    return found;
}
