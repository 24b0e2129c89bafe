/*
 * Compares what ranks bring to a collective function by one message of fixed size, whatever that function is,
 * so that ranks which are in different ones find it out rather than wait for each other or take each other's
 * data.
 */
#include "comm/contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "base/progress.h"
#include "comm/mpi_world.h"

/* The function and its arguments, 64 bits each. */
#define FIELDS (1 + DT_CONTRACT_ARGUMENTS_MAX)

/* Room for a value as it is shown, and for the sentence. */
#define VALUE_BYTES    64
#define SENTENCE_BYTES 1024

/* How long other ranks leave the first one to speak: whoever ends ends the job. */
#define SPEAK_NANOSECONDS 300000000L

static uint64_t bits_of(const dt_contract_argument *argument) {
    uint64_t bits = (uint64_t)argument->number;
    if (argument->kind == DT_CONTRACT_REAL)
        memcpy(&bits, &argument->real, sizeof bits);
    else if (argument->kind == DT_CONTRACT_TEXT && argument->what)
        bits = dt_checksum_64(argument->what, strlen(argument->what));
    else if (argument->kind == DT_CONTRACT_BYTES && argument->what)
        bits += dt_checksum_64(argument->what, (size_t)argument->number);
    return bits;
}

static void show(char value[VALUE_BYTES], const dt_contract_argument *argument) {
    if (argument->kind == DT_CONTRACT_INT)
        snprintf(value, VALUE_BYTES, "%" PRId64, argument->number);
    else if (argument->kind == DT_CONTRACT_REAL)
        snprintf(value, VALUE_BYTES, "%.17g", argument->real);
    else if (argument->what == NULL)
        snprintf(value, VALUE_BYTES, "NULL");
    else if (argument->kind == DT_CONTRACT_TEXT)
        snprintf(value, VALUE_BYTES, "\"%.48s\"", (const char *)argument->what);
    else
        snprintf(value, VALUE_BYTES, "%" PRId64 " bytes with hash %016" PRIx64, argument->number,
                 dt_checksum_64(argument->what, (size_t)argument->number));
}

/* The first field that is not the same on all ranks, the same on all; -1 when there is none. The largest
 * value, and by its complement the smallest: as in dt_agree_same. */
static int find_difference(MPI_Comm comm, const uint64_t fields[FIELDS]) {
    uint64_t here[2 * FIELDS], largest[2 * FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        here[i] = fields[i];
        here[FIELDS + i] = ~fields[i];
    }
    memcpy(largest, here, sizeof largest);
    dt_progress_arrive();
    if (MPI_Allreduce(here, largest, 2 * FIELDS, MPI_UINT64_T, MPI_MAX, comm) != MPI_SUCCESS)
        return -1; /* the function itself will fail, and say why */
    for (int i = 0; i < FIELDS; i++)
        if (largest[i] != ~largest[FIELDS + i])
            return i;
    return -1;
}

/* Appends text; what has no room is left out. */
static void append(char sentence[SENTENCE_BYTES], const char *text) {
    const size_t length = strlen(sentence);
    snprintf(sentence + length, SENTENCE_BYTES - length, "%s", text);
}

/* "96 on rank 0, 128 on ranks 1, 2" of values[size]. */
static void list_values(char sentence[SENTENCE_BYTES], const char (*values)[VALUE_BYTES], int size) {
    for (int r = 0; r < size; r++) {
        char number[16];
        int first = 0, count = 0;
        while (strcmp(values[first], values[r]) != 0)
            first++;
        if (first < r)
            continue; /* listed with the first rank that has it */
        for (int s = r; s < size; s++)
            count += strcmp(values[s], values[r]) == 0;
        append(sentence, r == 0 ? " " : ", ");
        append(sentence, values[r]);
        append(sentence, count > 1 ? " on ranks" : " on rank");
        for (int s = r, listed = 0; s < size; s++) {
            if (strcmp(values[s], values[r]) != 0)
                continue;
            snprintf(number, sizeof number, "%s %d", listed++ ? "," : "", s);
            append(sentence, number);
        }
    }
}

/* Says what differs, on all ranks, and ends the job by the lowest: the others leave it time to speak. */
static void tell(const dt_world *world, const char *where[2], int line,
                 const dt_contract_argument *argument) {
    char sentence[SENTENCE_BYTES] = "ranks disagree on the collective function:", mine[VALUE_BYTES];
    char(*values)[VALUE_BYTES] = dt_memory_alloc(world->size, VALUE_BYTES, "what ranks have");
    const struct timespec pause = {.tv_nsec = SPEAK_NANOSECONDS};
    if (argument)
        show(mine, argument);
    else
        snprintf(mine, sizeof mine, "%s", where[1]);
    if (argument)
        snprintf(sentence, sizeof sentence, "ranks disagree on the argument \"%s\" of %s:", argument->name,
                 where[1]);
    if (values && MPI_Allgather(mine, VALUE_BYTES, MPI_CHAR, values, VALUE_BYTES, MPI_CHAR,
                                world->mpi->comm) == MPI_SUCCESS)
        list_values(sentence, (const char(*)[VALUE_BYTES])values, world->size);
    dt_memory_free(values);
    if (world->rank != 0)
        nanosleep(&pause, NULL);
    dt_assert_fail(sentence, where[0], line, where[1]);
}

bool dt_contract_check(const dt_world *world, const char *file, int line, const char *function,
                       const dt_contract_argument *arguments, int count) {
    uint64_t fields[FIELDS] = {0};
    DT_ASSERT(world->mpi != NULL && count <= DT_CONTRACT_ARGUMENTS_MAX);
    fields[0] = dt_checksum_64(function, strlen(function));
    for (int i = 0; i < count; i++)
        fields[1 + i] = bits_of(&arguments[i]);
    const int differs = find_difference(world->mpi->comm, fields);
    if (differs >= 0)
        tell(world, (const char *[]){file, function}, line, differs > 0 ? &arguments[differs - 1] : NULL);
    return true;
}
