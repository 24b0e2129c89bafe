/* Names, globs and the default become the files of a corpus, or are refused with what was looked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "data/corpus_files.h"
#include "support/corpus_folder.h"

/* Makes an empty file of that name in the working folder. */
static void touch(const char *path) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

static void assert_found(const char *name, const char *expected) {
    char **paths;
    size_t count;
    assert_int_equal(dt_corpus_files_find(&name, name ? 1 : 0, &paths, &count), DT_OK);
    char joined[256] = "";
    for (size_t i = 0; i < count; i++) {
        strcat(joined, i == 0 ? "" : " ");
        strcat(joined, paths[i]);
    }
    assert_string_equal(joined, expected);
    dt_file_free_names(paths, count);
}

static void assert_not_found(const char *name, const char *sentence) {
    char **paths;
    size_t count;
    assert_int_equal(dt_corpus_files_find(&name, name ? 1 : 0, &paths, &count), DT_USAGE);
    assert_non_null(strstr(dt_error(), sentence));
    assert_null(paths);
}

/* Identity: uni-alg-int.txt comes first, then *.txt by name; folders, hidden and other files are no
 * candidates. */
static void test_find(void **state) {
    const corpus_folder *folder = *state;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(before >= 0);
    assert_int_equal(chdir(folder->path), 0);
    assert_not_found(NULL, "data/uni-alg-int.txt");
    assert_not_found(NULL, folder->path);
    assert_not_found(NULL, "--data FILE");
    assert_int_equal(dt_file_make_folder("data/a.txt"), DT_OK);
    touch("data/.b.txt");
    touch("data/c.text");
    assert_not_found(NULL, "found none");
    touch("data/zebra.txt");
    assert_found(NULL, "data/zebra.txt");
    touch("data/Yak.txt");
    assert_found(NULL, "data/Yak.txt");
    touch("data/uni-alg-int.txt");
    assert_found(NULL, "data/uni-alg-int.txt");
    /* Globs, in the order of bytes, and a file that is called like one. */
    assert_found("data/[Yz]*.txt", "data/Yak.txt data/zebra.txt");
    assert_found("data/?.text", "data/c.text");
    assert_not_found("data/*.bin", "expected files that match the glob data/*.bin, found none");
    touch("data/*.bin");
    touch("data/x.bin");
    assert_found("data/*.bin", "data/*.bin");
    assert_int_equal(fchdir(before), 0);
    close(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find, corpus_folder_make, corpus_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
