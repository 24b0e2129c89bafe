/**
 * Checks that a call failed as it should, and in the words it should.
 */
#ifndef DT_TESTS_SUPPORT_SENTENCE_H
#define DT_TESTS_SUPPORT_SENTENCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/status.h"

/** `found` is what the call returned; its sentence must be `sentence`, letter for letter. */
#define assert_refused(found, sentence)                                                                      \
    do {                                                                                                     \
        assert_int_equal(found, DT_USAGE);                                                                   \
        assert_string_equal(dt_error(), sentence);                                                           \
    } while (0)

/** `found` is what the call returned; when it is a failure, its sentence is shown. */
#define assert_done(found)                                                                                   \
    do {                                                                                                     \
        if ((found) != DT_OK)                                                                                \
            fail_msg("%s", dt_error());                                                                      \
    } while (0)

#endif
