/*
 * Damaged files: whatever happens to a file of a checkpoint, verify and load refuse it with a sentence that
 * names it. Damage that no checksum agrees with comes first, then files that vouch for their own lies.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/bits.h"
#include "support/saved_checkpoint.h"
#include "support/sign.h"

static const char *const names[] = {"metadata.json",         "config.json",      "tokenizer.json",
                                    "tokenizer_config.json", "checksums.xxh128", "model.safetensors",
                                    "optimizer.safetensors"};
#define NAMES ((int)(sizeof names / sizeof names[0]))

/* The sentence recorded last names the file `name`, and holds `why`. */
static void expect_sentence(const char *name, const char *why) {
    if (strstr(dt_error(), name) == NULL || strstr(dt_error(), why) == NULL)
        fail_msg("expected \"%s\" and \"%s\" in: %s", name, why, dt_error());
}

static void expect_verify_refuses(const char *name, size_t where, const char *why) {
    dt_checkpoint_about about;
    if (dt_checkpoint_verify(path, &about) != DT_FAILED)
        fail_msg("verify takes %s damaged at %zu, or calls it usage", name, where);
    expect_sentence(name, why);
}

static void expect_refused(const char *name, size_t where, const char *why) {
    dt_state back = t->state;
    expect_verify_refuses(name, where, why);
    if (dt_checkpoint_load(path, &back, true) != DT_FAILED)
        fail_msg("load takes %s damaged at %zu, or calls it usage", name, where);
    expect_sentence(name, why);
}

/* Where the tensors' data begin in a file of tensors; elsewhere its end. */
static size_t data_start(const char *name, const char *bytes, size_t length) {
    uint64_t header;
    if (strstr(name, ".safetensors") == NULL)
        return length;
    memcpy(&header, bytes, sizeof header);
    return (size_t)header + sizeof header;
}

/* One bit turned anywhere is refused, and in the data of a tensor by the tensor's name. Every eleventh is
 * tried on load as well, which reads by the same calls. */
static void every_turned_bit_is_refused(void **state) {
    (void)state;
    for (int n = 0; n < NAMES; n++) {
        size_t length, tried = 0;
        char *file = dt_file_join(path, names[n]), *bytes = scratch_get(file, &length);
        FILE *stream = fopen(file, "r+");
        for (size_t bit = 0; bit < 8 * length; bit += BITS_APART, tried++) {
            const char turned = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
            const char *why = bit / 8 < data_start(names[n], bytes, length) ? "" : "the data of tensor ";
            assert_int_equal(pwrite(fileno(stream), &turned, 1, (off_t)(bit / 8)), 1);
            if (tried % 11 == 0)
                expect_refused(names[n], bit, why);
            else
                expect_verify_refuses(names[n], bit, why);
            assert_int_equal(pwrite(fileno(stream), &bytes[bit / 8], 1, (off_t)(bit / 8)), 1);
        }
        print_message("%s: %zu turned bits of %zu bytes refused\n", names[n], tried, length);
        fclose(stream);
        free(bytes);
        free(file);
        expect_verified(path);
    }
}

/* A file that ends early, at any byte, is refused, an empty one too; so is one with a byte more. */
static void every_length_but_its_own_is_refused(void **state) {
    (void)state;
    for (int n = 0; n < NAMES; n++) {
        size_t length;
        char *file = dt_file_join(path, names[n]), *bytes = scratch_get(file, &length);
        for (size_t kept = 0; kept < length; kept += BITS_APART) {
            scratch_put(file, bytes, kept);
            expect_verify_refuses(names[n], kept, "");
        }
        scratch_put(file, bytes, 0);
        expect_refused(names[n], 0, "");
        scratch_put(file, bytes, length + 1);
        expect_refused(names[n], length, "");
        scratch_put(file, bytes, length);
        expect_verified(path);
        free(bytes);
        free(file);
    }
}

/* What is no file, or not there. A pipe must not be waited for, nor a device read without an end. */
static void what_is_no_file_is_refused(void **state) {
    (void)state;
    for (int n = 0; n < NAMES; n++) {
        char *file = dt_file_join(path, names[n]), *away = dt_file_join(t->scratch, "away");
        assert_int_equal(rename(file, away), 0);
        assert_int_equal(mkdir(file, 0777), 0);
        expect_refused(names[n], 1, "a folder");
        assert_int_equal(rmdir(file), 0);
        assert_int_equal(mkfifo(file, 0666), 0);
        expect_refused(names[n], 2, "expected a regular file");
        assert_int_equal(unlink(file), 0);
        assert_int_equal(symlink("/dev/zero", file), 0);
        expect_refused(names[n], 3, "expected a regular file");
        assert_int_equal(unlink(file), 0);
        if (n > 0)
            expect_refused(names[n], 4, "No such file");
        else { /* a folder without metadata is no checkpoint: a wrong path */
            dt_checkpoint_about about;
            assert_int_equal(dt_checkpoint_verify(path, &about), DT_USAGE);
            expect_sentence(names[n], "is no checkpoint");
        }
        assert_int_equal(rename(away, file), 0);
        free(file);
        free(away);
    }
    expect_verified(path);
}

/* Exchanges the file `name` of two checkpoints. */
static void swap(const char *mine, const char *theirs, const char *name) {
    char *first = dt_file_join(mine, name), *second = dt_file_join(theirs, name);
    size_t first_length, second_length;
    char *first_bytes = scratch_get(first, &first_length),
         *second_bytes = scratch_get(second, &second_length);
    scratch_put(first, second_bytes, second_length);
    scratch_put(second, first_bytes, first_length);
    free(first_bytes);
    free(second_bytes);
    free(first);
    free(second);
}

/* A file of another checkpoint of the same run, whole in itself, does not belong. */
static void swapped_files_are_refused(void **state) {
    (void)state;
    char *other = NULL;
    tiny_advance(t, 4, 1);
    t->about.config.dropout = 0.25;
    assert_int_equal(tiny_save(t, &other), DT_OK);
    for (int n = 0; n < NAMES; n++) {
        swap(path, other, names[n]);
        if (strncmp(names[n], "tokenizer", strlen("tokenizer")) == 0)
            expect_verified(path); /* the same for all */
        else
            /* With the metadata of another, it is the first of the other files that is not as promised. */
            expect_refused(n == 0 ? "" : names[n], 0, n == 0 ? "step" : "is damaged");
        swap(path, other, names[n]);
    }
    expect_verified(path);
    free(other);
}

/* Two steps with the very same vectors: then only the folder's name tells whose metadata it holds. */
static void metadata_of_another_step_are_refused(void **state) {
    (void)state;
    char *other = NULL;
    t->about.step = t->state.step = 4;
    assert_int_equal(tiny_save(t, &other), DT_OK);
    swap(path, other, "metadata.json");
    expect_refused("metadata.json", 0, "is that of step 4");
    char *slash = dt_file_join(path, "");
    free(path);
    path = slash;
    expect_refused("metadata.json", 1, "is that of step 4");
    free(path);
    path = dt_file_join(t->scratch, "kept"); /* a name that says nothing of steps */
    assert_int_equal(rename(other, path), 0);
    expect_verified(path);
    free(other);
}

/* ---- lies with a checksum that agrees ---- */

/* Replaces the first `from` in metadata.json by `to`, and makes the file's own digits agree again. */
static void forge(const char *from, const char *to) {
    char *file = dt_file_join(path, "metadata.json"), *edited = NULL, *text = NULL;
    size_t length;
    assert_int_equal(dt_file_read(file, 1 << 20, &text, &length), DT_OK);
    const size_t before = (size_t)(strstr(text, from) - text);
    assert_true(before < length);
    assert_true(asprintf(&edited, "%.*s%s%s", (int)before, text, to, text + before + strlen(from)) > 0);
    (void)sign_metadata(edited, strlen(edited));
    scratch_put(file, edited, strlen(edited));
    free(edited);
    free(text);
    free(file);
}

/* Each lie is told and refused, with DT_FAILED and in few megabytes of memory; then the truth is restored. */
static void forged_metadata_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *why;
    } lies[] = {
        {"\"checkpoint_version\": 1", "\"checkpoint_version\": 2", "checkpoint_version 2"},
        {"\"checkpoint_version\": 1", "\"checkpoint_version\": \"1\"", "expected a \"checkpoint_version\""},
        {"\"checkpoint_version\": 1", "\"checkpoint_version\": 99999999999999999999",
         "checkpoint_version 92"},
        {"\"checkpoint_version\": 1", "\"checkpoint_version\": 1.5", "as \"checkpoint_version\""},
        {"metadata_xxh3_128", "metadata_xxh3_129", "expected its checksum"},
        {"\"step\": 3", "\"step\": -3", "as \"step\""},
        {"\"step\": 3", "\"step\": 3.0", "as \"step\""},
        {"\"step\": 3", "\"step\": 3, \"step\": 3", "is not JSON"},
        {"\"step\": 3", "\"step\": 9223372036854775808", "is not JSON"},
        {"\"step\": 3", "\"step\": 7", "is that of step 7"},
        {"\"seed\": 5", "\"seed\": 6", "its config has another"},
        {"\"run_id\": \"", "\"run_id\": \"12345678901234567890123456789012", "run_id"},
        {"\"parent_run_id\": \"", "\"parent_run_id\": \"1234567890123456789012345678901", "parent_run_id"},
        {"\"parent_run_id\": \"", "\"parent_run_id\": 7, \"more\": \"", "parent_run_id"},
        {"\"state_hash\": \"", "\"state_hash\": \"0", "state_hash"},
        {"\"state_hash\": \"", "\"state_hash\": 7, \"more\": \"", "state_hash"},
        {"\"file_bytes\": 1234", "\"file_bytes\": null", "file_bytes"},
        {"fedcba9876543210", "FEDCBA9876543210", "hash"},
        {"\"n_layers\": 1,", "\"n_layers\": 1024,", "cannot hold"},
        {"\"n_layers\": 1,", "\"n_layers\": 1025,", "n_layers must be"},
        {"\"d_model\": 2", "\"d_model\": 65536", "cannot hold"},
        {"\"d_ff\": 3", "\"d_ff\": 262144", "cannot hold"},
        {"\"max_seq_len\": 2,", "\"max_seq_len\": 1048576,", "cannot hold"},
        {"\"d_model\": 2", "\"d_model\": 3", "d_model"},
        {"\"d_model\": 2", "\"d_model\": [2]", "d_model"},
        {"\"d_model\": 2", "\"d_modell\": 2", "unknown key d_modell"},
        {"\"config\": {", "\"config\": [], \"more\": {", "config"},
        {"\"files\": {", "\"files\": [], \"more\": {", "\"files\""},
        {"\"tokenizer.json\": {", "\"tokenizer.json\": 5, \"more\": {", "tokenizer.json"},
        {"\"checksums.xxh128\": {", "\"checksums.xxh128\": 5, \"more\": {", "checksums.xxh128"},
        {"\"bytes\": ", "\"bytes\": -", "config.json"},
        {"\"bytes\": ", "\"bytes\": 9", "config.json"},
        {"\"bytes\": ", "\"bites\": ", "config.json"},
        {"\"tensors\": {", "\"tensors\": [], \"more\": {", "model.safetensors"},
        {"\"wte.weight\"", "\"wte.weigth\"", "tensor wte.weight"},
        {"\"exp_avg.wte.weight\": \"", "\"exp_avg.wte.weight\": \"0", "tensor exp_avg.wte.weight"},
    };
    char *file = dt_file_join(path, "metadata.json");
    size_t length;
    char *truth = scratch_get(file, &length);
    struct rusage before, after;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        forge(lies[i].from, lies[i].to);
        expect_refused("", i, lies[i].why);
        scratch_put(file, truth, length);
    }
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 << 10); /* kilobytes */
    expect_verified(path);
    free(truth);
    free(file);
}

/* Checkpoints of version 0.1.0 have no file of checksums, and their metadata do not promise one: then it is
 * as good as any other file. */
static void checkpoints_from_before_the_file_are_read(void **state) {
    (void)state;
    dt_state back = t->state;
    forge("\"checksums.xxh128\": {", "\"more\": {");
    forge("\"state_hash\": \"", "\"more_hash\": \"");
    expect_verified(path);
    char *file = dt_file_join(path, "checksums.xxh128");
    assert_int_equal(unlink(file), 0);
    expect_verified(path);
    assert_int_equal(dt_checkpoint_load(path, &back, true), DT_OK);
    free(file);
}

/* A file beyond all reason is refused by its size alone. */
static void huge_files_are_refused(void **state) {
    (void)state;
    for (int n = 0; n < NAMES; n++) {
        size_t length;
        char *file = dt_file_join(path, names[n]), *bytes = scratch_get(file, &length);
        assert_int_equal(truncate(file, (off_t)1 << 40), 0); /* a hole, which takes no room */
        expect_refused(names[n], n == 0 ? 1 : 0,
                       n == 2  ? "expected at most 268435456 bytes"
                       : n < 5 ? "expected at most 16777216 bytes"
                               : "but");
        scratch_put(file, bytes, length);
        free(bytes);
        free(file);
    }
    expect_verified(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_turned_bit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_length_but_its_own_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(swapped_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metadata_of_another_step_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forged_metadata_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checkpoints_from_before_the_file_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(huge_files_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
