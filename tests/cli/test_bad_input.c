/*
 * Wrong input of every kind, through the real program: the tables of tests/cli/bad_input/, a row a case. Each
 * is answered by its exit code and one sentence, said once, in seconds, and the folder holds what it held.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bad_input/rows.h"
#include "support/command.h"
#include "support/text.h"

/* What runs without root's rights; "" when nothing can. */
static const char *as_nobody = "";

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* nftw has no context. */
static FILE *listing;

static int list_entry(const char *path, const struct stat *info, int kind, struct FTW *position) {
    (void)position;
    /* A folder that was tried out has a new time but nothing new in it. */
    const struct timespec time = kind == FTW_D ? (struct timespec){0} : info->st_mtim;
    fprintf(listing, "%s %d %lld %lld.%09ld\n", path, kind, (long long)info->st_size, (long long)time.tv_sec,
            time.tv_nsec);
    return 0;
}

/* Names, kinds, sizes and, of files, times of all there is below the working folder, in the order of the
 * disk. */
static char *list_folder(void) {
    char *text = NULL;
    size_t length;
    listing = open_memstream(&text, &length);
    assert_non_null(listing);
    assert_int_equal(nftw(".", list_entry, 16, FTW_PHYS), 0);
    assert_int_equal(fclose(listing), 0);
    return text;
}

static int64_t count_lines(const char *text, const char *start) {
    int64_t count = 0;
    for (const char *line = text; *line != 0; line += strcspn(line, "\n"), line += *line == '\n')
        count += strncmp(line, start, strlen(start)) == 0;
    return count;
}

/* Whether the row was answered as it should be; shows what was wrong otherwise. */
static bool is_refused(const bad_row *r, const char *launcher) {
    const int expected = r->failed ? 1 : 2;
    if (r->yaml)
        put("c.yaml", r->yaml);
    if (r->prepare)
        command_done(r->prepare);
    char *before = list_folder();
    command_result result = command_run("%s %s %s %s %s", r->before ? r->before : "",
                                        r->as_nobody ? as_nobody : "", launcher, DTRAIN, r->words);
    char *after = list_folder();
    const bool refused = result.exit_code == expected && count_lines(result.err, "dtrain: error: ") == 1 &&
                         strstr(result.err, r->says) != NULL && strcmp(before, after) == 0;
    if (!refused)
        print_error(
            "dtrain %s, c.yaml \"%s\", %s:\nexpected exit code %d and one sentence with \"%s\", found "
            "%d and\n%s%s%s%s%s",
            r->words, r->yaml ? r->yaml : "", r->prepare ? r->prepare : "nothing prepared", expected, r->says,
            result.exit_code, result.err, strcmp(before, after) ? "the folder before:\n" : "",
            strcmp(before, after) ? before : "", strcmp(before, after) ? "after:\n" : "",
            strcmp(before, after) ? after : "");
    free(before);
    free(after);
    command_free(&result);
    if (r->yaml)
        assert_int_equal(remove("c.yaml"), 0);
    if (r->prepare)
        command_done("rm -r case");
    return refused;
}

static void run_table(const bad_table *table) {
    size_t wrong = 0, skipped = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (table->row[i].as_nobody && geteuid() == 0 && as_nobody[0] == 0)
            skipped++;
        else if (!is_refused(&table->row[i], table->launcher))
            wrong++;
    }
    print_message("%zu cases of %s\n", table->count, table->subject);
    if (skipped > 0)
        print_message("skipped: %zu of them need setpriv and a program that nobody may run\n", skipped);
    if (wrong > 0)
        fail_msg("%zu of %zu cases of %s are answered wrongly", wrong, table->count, table->subject);
}

/* The first rank that leaves with a failure makes mpirun end the others; by then rank 0 must have spoken. */
static void test_sentence_is_in_time(void **state) {
    (void)state;
    const bad_row wrong = {ROW("--n-layers 0", "--n-layers: n_layers must be an integer")};
    for (int i = 0; i < 3; i++)
        assert_true(is_refused(&wrong, DTRAIN_MPIRUN " -np 8 --oversubscribe"));
}

/* Identity: what the rows build upon is accepted, so that each is refused for its own reason. */
static void test_base_is_accepted(void **state) {
    (void)state;
    put("c.yaml", "n_layers: 1\n");
    command_done(DTRAIN " " CONFIG " --out-dir run && rm -r run && " DTRAIN " " RESUME
                        "good --max-steps 4 && " DTRAIN " sample good --max-length 2 && " DTRAIN
                        " verify good && rm -r run c.yaml");
}

/* Root reads what nobody may: such rows run as nobody, where nobody can run the program. */
static void find_nobody(void) {
    const char *words = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    if (geteuid() != 0)
        return;
    command_result result = command_run("%s %s --version", words, DTRAIN);
    if (result.exit_code == 0)
        as_nobody = words;
    command_free(&result);
}

static int enter(void **state) {
    *state = command_enter_folder();
    command_limit_seconds = 30;
    /* A process that is a job of its own need not start a daemon for it. What Open MPI keeps on disk has a
     * place beside the folder that is compared, where no other job ends and takes it away. */
    char mpi[64];
    snprintf(mpi, sizeof mpi, "%s/mpi", (char *)*state);
    command_done("mkdir -m 777 mpi && mkdir work && chmod 755 . work");
    assert_int_equal(chdir("work"), 0);
    setenv("OMPI_MCA_orte_tmpdir_base", mpi, 1); /* Open MPI 4 */
    setenv("PRTE_MCA_prte_tmpdir_base", mpi, 1); /* and 5 */
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 1);
    /* Looking for network cards takes longer than what a row tries. */
    setenv("OMPI_MCA_pml", "ob1", 1);
    /* Ranks that are refused end by themselves: mpirun need not wait a second before it kills them. */
    setenv("OMPI_MCA_odls_base_sigkill_timeout", "0", 1);
    text_write("text.txt", 20000, 1);
    text_write("other.txt", 19000, 1);
    put("plain.txt", "7 bytes");
    put("empty.txt", "");
    command_done("mkdir folder");
    command_done(DTRAIN " " TRAIN
                        "--max-steps 2 --out-dir run && mv run/checkpoints/checkpoint_step_2 good && "
                        "rm -r run");
    find_nobody();
    return 0;
}

#define TABLES(DO)                                                                                           \
    DO(configs)                                                                                              \
    DO(values)                                                                                               \
    DO(flags)                                                                                                \
    DO(paths)                                                                                                \
    DO(corpora)                                                                                              \
    DO(checkpoints)                                                                                          \
    DO(hooks)                                                                                                \
    DO(verbs)                                                                                                \
    DO(ranks)

#define TEST_OF(subject)                                                                                     \
    static void test_##subject(void **state) {                                                               \
        (void)state;                                                                                         \
        run_table(&bad_##subject);                                                                           \
    }
#define ENTRY_OF(subject) cmocka_unit_test(test_##subject),

TABLES(TEST_OF)

/* A word chooses: "cli_bad_input test_hooks". */
int main(int argc, char **argv) {
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_is_accepted),
        TABLES(ENTRY_OF) cmocka_unit_test(test_sentence_is_in_time),
    };
    return cmocka_run_group_tests(tests, enter, command_tear_down);
}
