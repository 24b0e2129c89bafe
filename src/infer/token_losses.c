/* Ranks hand over a section each at a time, so that no rank holds what all have. */
#include "infer/token_losses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/replace.h"
#include "comm/agree.h"
#include "comm/contract.h"

#define SECTION ((int64_t)16384)

dt_status dt_token_losses_check(const char *path) {
    if (dt_file_is_there(path))
        return dt_usage(
            "--losses: expected the name of a new file, found that %s is there already; give another "
            "name, or remove it",
            path);
    return dt_replace_check(path) == DT_OK ? DT_OK : dt_usage("--losses: %s", dt_error());
}

/* The file, on rank 0 alone. */
typedef struct losses_file {
    const char *path;
    char *temporary;
    int descriptor;
} losses_file;

static dt_status create(losses_file *file, const char *path) {
    *file = (losses_file){.path = path, .descriptor = -1};
    if (asprintf(&file->temporary, "%s.%ld.tmp", path, (long)getpid()) < 0) {
        file->temporary = NULL;
        return dt_fail("out of memory for the name of %s", path);
    }
    return dt_replace_create(file->temporary, path, &file->descriptor);
}

/* Writes losses[count] to where those from target `first` on stand. */
static dt_status put(const losses_file *file, int64_t first, const float *losses, int64_t count) {
    if (lseek(file->descriptor, (off_t)(first * (int64_t)sizeof *losses), SEEK_SET) < 0)
        return dt_fail("cannot write %s: %s", file->path, strerror(errno));
    return dt_file_write(file->descriptor, file->path, losses, (size_t)count * sizeof *losses);
}

/* Sections `round` of all ranks: their own go to all[rank], and rank 0 writes them. */
static dt_status write_round(const dt_evaluator *e, const losses_file *file, int64_t round, float *all) {
    const int64_t at = round * SECTION;
    const int64_t own = dt_min(dt_max(e->targets - at, 0), SECTION);
    memset(all + e->world->rank * SECTION, 0, (size_t)SECTION * sizeof *all);
    if (own > 0)
        memcpy(all + e->world->rank * SECTION, e->each + at, (size_t)own * sizeof *all);
    DT_TRY(dt_world_gather_same(e->world, all, SECTION * (int64_t)sizeof *all));
    dt_status status = DT_OK;
    for (int r = 0; e->world->rank == 0 && status == DT_OK && r < e->world->size; r++) {
        int64_t first, end;
        dt_evaluate_targets(e, r, &first, &end);
        if (at < end - first)
            status = put(file, first + at, all + r * SECTION, dt_min(end - first - at, SECTION));
    }
    return dt_agree(e->world, status);
}

/* As many rounds as the rank with the most targets needs. */
static int64_t count_rounds(const dt_evaluator *e) {
    int64_t rounds = 0;
    for (int r = 0; r < e->world->size; r++) {
        int64_t first, end;
        dt_evaluate_targets(e, r, &first, &end);
        rounds = dt_max(rounds, (end - first + SECTION - 1) / SECTION);
    }
    return rounds;
}

dt_status dt_token_losses_write(const dt_evaluator *e, const char *path) {
    DT_COLLECTIVE(e->world, DT_SAME_TEXT(path));
    losses_file file = {.descriptor = -1};
    float *all = dt_memory_alloc(e->world->size * SECTION, sizeof *all, "the losses of tokens");
    dt_status status = all ? DT_OK : DT_FAILED;
    if (status == DT_OK && e->world->rank == 0)
        status = create(&file, path);
    status = dt_agree(e->world, status);
    const int64_t rounds = count_rounds(e);
    for (int64_t round = 0; status == DT_OK && round < rounds; round++)
        status = write_round(e, &file, round, all);
    if (file.descriptor >= 0)
        status = dt_replace_finish(file.descriptor, file.temporary, path, status);
    free(file.temporary);
    dt_memory_free(all);
    return dt_agree(e->world, status);
}
