/* A short list, kept sorted as it is read. */
#include "plan/ranks.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static dt_status insert(dt_ranks *ranks, int number) {
    int at = 0;
    while (at < ranks->count && ranks->number[at] < number)
        at++;
    if (at < ranks->count && ranks->number[at] == number)
        return DT_OK;
    if (ranks->count == DT_RANKS_COUNT)
        return dt_usage("--ranks: expected at most %d numbers of ranks; give fewer", DT_RANKS_COUNT);
    for (int i = ranks->count++; i > at; i--)
        ranks->number[i] = ranks->number[i - 1];
    ranks->number[at] = number;
    return DT_OK;
}

dt_status dt_ranks_parse(dt_ranks *ranks, const char *text, int largest, const char *why) {
    const char *next = text;
    *ranks = (dt_ranks){0};
    for (;;) {
        char *end;
        errno = 0;
        const long number = strtol(next, &end, 10);
        if (errno != 0 || end == next || !isdigit((unsigned char)*next) || (*end != ',' && *end != 0))
            return dt_usage(
                "--ranks: expected numbers of ranks with commas between them, as in 1,2,4; found \"%s\"",
                text);
        if (number < 1 || number > largest)
            return dt_usage("--ranks: expected numbers from 1 to %d (%s), found %ld", largest, why, number);
        DT_TRY(insert(ranks, (int)number));
        if (*end == 0)
            return DT_OK;
        next = end + 1;
    }
}

void dt_ranks_doubling(dt_ranks *ranks, int size) {
    *ranks = (dt_ranks){0};
    for (int number = 1; number < size && number <= DT_RANKS_LARGEST; number *= 2)
        ranks->number[ranks->count++] = number;
    ranks->number[ranks->count++] = size;
}
