/* A line that each rank says of itself, compared, and what it finds of its own arithmetic. */
#include "train/launch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ieee.h"
#include "base/version.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mismatch.h"
#include "math/kernels.h"
#include "base/checksum.h"

#define PROGRAM     "/proc/self/exe"
#define PIECE_BYTES ((size_t)1 << 16)

/* The digits of the program file, or a word where it cannot be read: that is no fault of its own, but one
 * rank that alone cannot read it stands out. */
static void hash_program(char digits[DT_CHECKSUM_TEXT_BYTES]) {
    char piece[PIECE_BYTES];
    dt_checksum checksum = {0};
    ssize_t length = -1;
    const int descriptor = open(PROGRAM, O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0 && dt_checksum_create(&checksum, 64) == DT_OK) {
        while ((length = read(descriptor, piece, sizeof piece)) > 0)
            dt_checksum_add(&checksum, piece, (size_t)length);
        if (length == 0)
            dt_checksum_text(&checksum, digits);
        dt_checksum_free(&checksum);
    }
    if (length != 0)
        snprintf(digits, DT_CHECKSUM_TEXT_BYTES, "unreadable");
    if (descriptor >= 0)
        close(descriptor);
}

static dt_status check_program(const dt_world *world) {
    char digits[DT_CHECKSUM_TEXT_BYTES], mine[DT_MISMATCH_TEXT_BYTES], found[DT_MISMATCH_BYTES];
    hash_program(digits);
    snprintf(mine, sizeof mine, "dtrain %s, commit %s, program file XXH3-64 %s", dt_version(),
             dt_version_commit(), digits);
    DT_TRY(dt_mismatch_find(world, mine, found));
    return dt_agree(world, *found ? dt_fail("expected one program on all ranks, found that %s; install the "
                                            "same build of dtrain on all hosts",
                                            found)
                                  : DT_OK);
}

dt_status dt_launch_check(const dt_world *world) {
    DT_COLLECTIVE_CALL(world);
    if (world->size > 1)
        DT_TRY(check_program(world));
    const char *fault = dt_ieee_find_fault();
    DT_TRY(dt_agree(world,
                    fault ? dt_fail("expected arithmetic as IEEE 754 has it, found that %s on %s; look for a "
                                    "library in LD_PRELOAD that is linked with -ffast-math",
                                    fault, world->host)
                          : DT_OK));
    return dt_agree(world, dt_kernels_check());
}
