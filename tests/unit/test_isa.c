/* Which set of kernels a processor and DTRAIN_ISA lead to, and that the sets have every kernel of math/. */
#include "support/sentence.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/suffix.h"
#include "math/kernels.h"

#if defined __x86_64__
#define NAMES "avx512_bf16, avx512, avx2, baseline"
static const char *const names[DT_KERNELS_SETS] = {"avx512_bf16", "avx512", "avx2", "baseline"};
#else
#define NAMES "neon"
static const char *const names[DT_KERNELS_SETS] = {"neon"};
#endif

static const dt_kernels *fastest(void) {
    for (int index = 0; index < DT_KERNELS_SETS; index++)
        if (dt_kernels_get(index, DT_DTYPE_FP32))
            return dt_kernels_get(index, DT_DTYPE_FP32);
    return NULL;
}

static const dt_dtype computes[] = {DT_DTYPE_FP32, DT_DTYPE_BF16};

#define COMPUTES (sizeof computes / sizeof *computes)

/* The members of a set, whatever their names: all that stands from the first of them to its end. */
#define MEMBERS ((sizeof(dt_kernels) - offsetof(dt_kernels, embedding)) / sizeof(void *))

static void read_members(const dt_kernels *kernels, const void *members[MEMBERS]) {
    memcpy(members, (const char *)kernels + offsetof(dt_kernels, embedding), MEMBERS * sizeof *members);
}

/* Every function of a struct of kernels is there. In fp32 weights are not packed, and nothing packs them. */
static void expect_functions(const dt_kernels *k, const char *member, const void *functions, size_t bytes) {
    const bool may_lack = strcmp(member, "linear") == 0 && k->compute == DT_DTYPE_FP32;
    for (size_t i = 0; i < bytes / sizeof(void (*)(void)); i++) {
        void (*function)(void);
        memcpy(&function, (const char *)functions + i * sizeof function, sizeof function);
        if (function == NULL &&
            !(may_lack && i * sizeof function >= offsetof(struct dt_linear, panels_bytes)))
            fail_msg("%s: function %zu of %s is missing", k->name, i, member);
    }
}

static void expect_whole(const dt_kernels *k) {
    const void *members[MEMBERS];
    size_t known = 0;
    read_members(k, members);
    for (size_t m = 0; m < MEMBERS; m++)
        if (members[m] == NULL)
            fail_msg("%s: member %zu of the set is missing", k->name, m);
#define EXPECT_FUNCTIONS(member)                                                                             \
    expect_functions(k, #member, k->member, sizeof *k->member);                                              \
    known++
    EXPECT_FUNCTIONS(embedding);
    EXPECT_FUNCTIONS(layernorm);
    EXPECT_FUNCTIONS(attention);
    EXPECT_FUNCTIONS(gelu);
    EXPECT_FUNCTIONS(linear);
    EXPECT_FUNCTIONS(residual);
    EXPECT_FUNCTIONS(loss);
    assert_int_equal(known, MEMBERS); /* else there is one more, and a line is missing here */
}

/* Sets are whole, stand from fast to slow under their names, and every processor runs the last. */
static void sets_are_whole(void **state) {
    (void)state;
    for (size_t c = 0; c < COMPUTES; c++) {
        assert_non_null(dt_kernels_get(DT_KERNELS_SETS - 1, computes[c]));
        for (int index = 0; index < DT_KERNELS_SETS; index++) {
            const dt_kernels *k = dt_kernels_get(index, computes[c]);
            if (k == NULL)
                continue;
            print_message("this processor runs %s in %s\n", k->name, dt_dtype_names[computes[c]]);
            assert_string_equal(k->name, names[index]);
            assert_int_equal(k->compute, computes[c]);
            expect_whole(k);
            /* A processor that runs a set runs the slower ones too. */
            for (int slower = index + 1; slower < DT_KERNELS_SETS; slower++)
                assert_non_null(dt_kernels_get(slower, computes[c]));
        }
    }
}

/* Each set has functions of its own: a table that names one set's twice would never run the other's. */
static void expect_own(const dt_kernels *one, const dt_kernels *other) {
    const void *ones[MEMBERS], *others[MEMBERS];
    read_members(one, ones);
    read_members(other, others);
    for (size_t m = 0; m < MEMBERS; m++)
        if (ones[m] == others[m])
            fail_msg("%s and %s share member %zu", one->name, other->name, m);
}

static void sets_share_no_kernels(void **state) {
    (void)state;
    for (size_t c = 0; c < COMPUTES; c++)
        for (int a = 0; a < DT_KERNELS_SETS; a++)
            for (int b = 0; b < a; b++)
                if (dt_kernels_get(a, computes[c]) && dt_kernels_get(b, computes[c]))
                    expect_own(dt_kernels_get(a, computes[c]), dt_kernels_get(b, computes[c]));
}

/* ---- the table against the sources ---- */

/* The file `name` of math/ as a new text. */
static char *read_source(const char *name) {
    char path[512], *text;
    size_t length;
    snprintf(path, sizeof path, "%s/src/math/%s", DTRAIN_SOURCE_DIR, name);
    assert_done(dt_file_read(path, 1 << 20, &text, &length));
    return text;
}

/* Whether kernels in a file other than `own` call dt_`name`, by its variant for the set or for a dtype too.
 */
static bool has_caller(const char *name, const char *own) {
    DIR *folder = opendir(DTRAIN_SOURCE_DIR "/src/math");
    char of_isa[128], of_compute[128];
    bool found = false;
    snprintf(of_isa, sizeof of_isa, "ISA_NAME(dt_%s)", name);
    snprintf(of_compute, sizeof of_compute, "COMPUTE_NAME(dt_%s)", name);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (!dt_has_suffix(entry->d_name, ".c") || strcmp(entry->d_name, own) == 0)
            continue;
        char *text = read_source(entry->d_name);
        found |= strstr(text, of_isa) != NULL || strstr(text, of_compute) != NULL;
        free(text);
    }
    closedir(folder);
    return found;
}

/* Looks at every struct of kernels that a header declares the variants of; returns how many there are. */
static int check_header(const char *header, const char *table) {
    char *text = read_source(header), own[280], name[64], member[160];
    int count = 0;
    snprintf(own, sizeof own, "%.*s.c", (int)strlen(header) - 2, header);
    for (const char *at = text; (at = strstr(at, "_DECLARE(dt_")) != NULL; at++) {
        if (sscanf(at, "_DECLARE(dt_%63[a-z0-9_])", name) != 1)
            continue;
        count++;
        snprintf(member, sizeof member, "const struct dt_%s *%s;", name, name);
        if (strstr(table, member) == NULL && !has_caller(name, own))
            fail_msg("%s declares dt_%s, which is in no set of kernels.h, and no other kernel calls it",
                     header, name);
    }
    free(text);
    return count;
}

/* A kernel that is in no set, and that no other kernel calls, is never run. */
static void every_kernel_is_in_the_table(void **state) {
    (void)state;
    char *table = read_source("kernels.h");
    DIR *folder = opendir(DTRAIN_SOURCE_DIR "/src/math");
    int count = 0;
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (dt_has_suffix(entry->d_name, ".h"))
            count += check_header(entry->d_name, table);
    closedir(folder);
    free(table);
    assert_true(count > (int)MEMBERS); /* the members, and tiles; else this reads the wrong files */
}

/* What DTRAIN_ISA names is taken where the processor runs it; otherwise it is refused with what would do. */
static void the_environment_asks_for_a_set(void **state) {
    (void)state;
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        setenv("DTRAIN_ISA", names[index], 1);
        if (dt_kernels_get(index, DT_DTYPE_FP32)) {
            assert_done(dt_kernels_check());
            for (size_t c = 0; c < COMPUTES; c++)
                assert_ptr_equal(dt_kernels_best(computes[c]), dt_kernels_get(index, computes[c]));
        } else {
            assert_int_equal(dt_kernels_check(), DT_USAGE);
            assert_non_null(strstr(dt_error(), "this processor does not run"));
            assert_non_null(strstr(dt_error(), fastest()->name));
        }
    }
}

static void an_unknown_name_is_refused(void **state) {
    (void)state;
    const char *const unknown[] = {"sse9", "AVX2", "avx", "avx51", "avx5120", " baseline"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char sentence[256];
        snprintf(sentence, sizeof sentence,
                 "DTRAIN_ISA: expected one of " NAMES ", found \"%s\"; unset it for the fastest that the "
                 "processor runs",
                 unknown[i]);
        setenv("DTRAIN_ISA", unknown[i], 1);
        assert_refused(dt_kernels_check(), sentence);
    }
    setenv("DTRAIN_ISA", "", 1);
    assert_done(dt_kernels_check());
    assert_ptr_equal(dt_kernels_best(DT_DTYPE_FP32), fastest());
    unsetenv("DTRAIN_ISA");
    assert_done(dt_kernels_check());
    assert_ptr_equal(dt_kernels_best(DT_DTYPE_FP32), fastest());
}

/* Unasked, bf16 takes the processor's instruction or what is quicker, and stays with it; the words say which.
 */
static void bf16_takes_the_quicker_way(void **state) {
    (void)state;
    unsetenv("DTRAIN_ISA");
    const dt_kernels *k = dt_kernels_best(DT_DTYPE_BF16);
    char how[DT_KERNELS_HOW_BYTES];
    dt_kernels_bf16_how(k, how);
    print_message("%s: %s\n", k->name, how);
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(dt_kernels_best(DT_DTYPE_BF16), k);
    const bool dots = strcmp(fastest()->name, "avx512_bf16") == 0, own = strcmp(k->name, "avx512_bf16") == 0;
    assert_string_equal(k->name, dots && !own ? "avx512" : fastest()->name);
    assert_ptr_equal(own ? strstr(how, "by the processor's own instruction") : strstr(how, "emulated"), how);
    assert_true((strstr(how, "fused multiply-adds at ") != NULL) == dots);
}

/*
 * Every set multiplies and adds in one rounding where a formula says so: with 1.3333334 for a factor, 0.75 of
 * it is 1 + 2^-25, of which a second rounding leaves 1.
 */
static void every_set_fuses_multiplication_and_addition(void **state) {
    (void)state;
    enum { C = 64 };
    const dt_dropout drop = dt_dropout_at(1, 0.25, 0, DT_DROPOUT_EMBEDDING, 0, 1);
    const float zeros[C] = {0}, product = (float)(0.75 * (double)drop.scale);
    assert_true(product == 1.0f && 0.75 * (double)drop.scale > 1.0);
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        const dt_kernels *k = dt_kernels_get(index, DT_DTYPE_FP32);
        float out[C], x[C], residual[C], factor[DT_DROPOUT_FLOATS(C)];
        if (k == NULL)
            continue;
        for (int c = 0; c < C; c++) {
            x[c] = 0.75f;
            residual[c] = -1.0f;
        }
        k->residual->forward(out, residual, x, zeros, dt_range_all(1), C, &drop, factor);
        const float expected = (float)(0.75 * (double)drop.scale - 1.0);
        for (int c = 0; c < C; c++)
            if (out[c] != (factor[c] == 0.0f ? -1.0f : expected))
                fail_msg("%s: out[%d] is %g, expected %g", k->name, c, (double)out[c], (double)expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_whole),
        cmocka_unit_test(sets_share_no_kernels),
        cmocka_unit_test(every_kernel_is_in_the_table),
        cmocka_unit_test(the_environment_asks_for_a_set),
        cmocka_unit_test(an_unknown_name_is_refused),
        cmocka_unit_test(bf16_takes_the_quicker_way),
        cmocka_unit_test(every_set_fuses_multiplication_and_addition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
