/**
 * One tiny checkpoint, saved before each test and removed after it. For files that have included cmocka.h.
 */
#ifndef DT_TESTS_SAVED_CHECKPOINT_H
#define DT_TESTS_SAVED_CHECKPOINT_H

#include "support/checkpoint.h"

static tiny *t;
static char *path; /* of the checkpoint of step 3 */

static int set_up(void **state) {
    (void)state;
    t = tiny_make();
    return tiny_save(t, &path) != DT_OK;
}

static int tear_down(void **state) {
    (void)state;
    free(path);
    tiny_free(t);
    return 0;
}

#endif
