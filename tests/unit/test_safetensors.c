/*
 * The safetensors format: bytes checked by a reader of this test's own, round trips bit for bit, and refusal
 * of every file that is not exactly what was written.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/memory.h"
#include "support/bits.h"
#include "support/scratch.h"
#include "checkpoint/safetensors.h"

/* Two sections of a tiny layout, written once for each test. */
typedef struct fixture {
    char *folder, *path;
    dt_layout layout;
    float *vector[2];
    dt_safetensors_section sections[2];
    json_t *sums;
    char *bytes; /* of the file */
    size_t length;
} fixture;

/* Every bit pattern of a finite number may stand in a vector. */
static void fill(float *vector, const dt_layout *layout, uint32_t seed) {
    for (int64_t t = 0; t < layout->tensors; t++)
        for (int64_t e = 0; e < layout->tensor[t].count; e++) {
            seed = seed * 1664525u + 1013904223u;
            const uint32_t bits = (seed >> 23 & 0xffu) == 0xffu ? seed ^ UINT32_C(0x00800000) : seed;
            memcpy(&vector[layout->tensor[t].offset + e], &bits, sizeof bits);
        }
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->folder = scratch_make();
    f->path = dt_file_join(f->folder, "two.safetensors");
    if (dt_layout_create(&f->layout, (dt_shape){.n_layers = 1, .C = 4, .H = 2, .F = 6, .T = 3, .V = 5}) !=
        DT_OK)
        return 1;
    for (int p = 0; p < 2; p++) {
        f->vector[p] = dt_memory_alloc(f->layout.elements, sizeof(float), "test");
        fill(f->vector[p], &f->layout, 17u + (uint32_t)p);
        f->sections[p] = (dt_safetensors_section){p == 0 ? "exp_avg." : "exp_avg_sq.", f->vector[p]};
    }
    if (dt_safetensors_write(f->path, &f->layout, f->sections, 2, DT_ELEMENT_FP32, &f->sums) != DT_OK)
        return 1;
    f->bytes = scratch_get(f->path, &f->length);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    json_decref(f->sums);
    dt_memory_free(f->vector[0]);
    dt_memory_free(f->vector[1]);
    dt_layout_free(&f->layout);
    free(f->bytes);
    free(f->path);
    scratch_remove(f->folder);
    free(f);
    return 0;
}

static dt_status verify(fixture *f) {
    const dt_safetensors_section nowhere[] = {{f->sections[0].prefix, NULL}, {f->sections[1].prefix, NULL}};
    return dt_safetensors_read(f->path, &f->layout, nowhere, 2, f->sums);
}

/* The text of the header entry that the format's definition asks for. */
static void print_entry(char *text, size_t capacity, const char *prefix, const dt_tensor *tensor,
                        int64_t begin) {
    char shape[64];
    snprintf(shape, sizeof shape, tensor->dims == 2 ? "%" PRId64 ",%" PRId64 : "%.0" PRId64 "%" PRId64,
             tensor->dims == 2 ? tensor->rows : 0, tensor->cols);
    snprintf(text, capacity,
             ",\"%s%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}",
             prefix, tensor->name, shape, begin, begin + 4 * tensor->count);
}

/* The whole file, assembled here from the definition, equals what was written, and so do all checksums. */
static void bytes_are_the_format(void **state) {
    fixture *f = *state;
    char *header = calloc(1, 1 << 16), digits[40];
    size_t used = (size_t)sprintf(header, "{\"__metadata__\":{\"format\":\"pt\"}");
    int64_t data = 0;
    for (int p = 0; p < 2; p++)
        for (int64_t t = 0; t < f->layout.tensors; t++) {
            print_entry(header + used, 1024, f->sections[p].prefix, &f->layout.tensor[t], data);
            used += strlen(header + used);
            data += 4 * f->layout.tensor[t].count;
        }
    header[used++] = '}';
    while ((8 + used) % 64 != 0)
        header[used++] = ' ';
    for (size_t i = 0; i < 8; i++)
        assert_int_equal((uint8_t)f->bytes[i], (uint8_t)((uint64_t)used >> (8 * i)));
    assert_int_equal(f->length, 8 + used + (size_t)data);
    assert_memory_equal(f->bytes + 8, header, used);
    const char *at = f->bytes + 8 + used;
    const json_t *tensors = json_object_get(f->sums, "tensors");
    for (int p = 0; p < 2; p++)
        for (int64_t t = 0; t < f->layout.tensors; t++) {
            const dt_tensor *tensor = &f->layout.tensor[t];
            char name[128];
            assert_memory_equal(at, f->vector[p] + tensor->offset, (size_t)tensor->count * 4);
            snprintf(name, sizeof name, "%s%s", f->sections[p].prefix, tensor->name);
            snprintf(digits, sizeof digits, "%016" PRIx64, XXH3_64bits(at, (size_t)tensor->count * 4));
            assert_string_equal(json_string_value(json_object_get(tensors, name)), digits);
            at += tensor->count * 4;
        }
    XXH128_hash_t whole = XXH3_128bits(f->bytes, f->length);
    snprintf(digits, sizeof digits, "%016" PRIx64 "%016" PRIx64, whole.high64, whole.low64);
    assert_string_equal(json_string_value(json_object_get(f->sums, "xxh3_128")), digits);
    assert_int_equal(json_integer_value(json_object_get(f->sums, "bytes")), f->length);
    free(header);
}

/* What is read equals what was written, in every bit, padding included. */
static void round_trip_keeps_every_bit(void **state) {
    fixture *f = *state;
    float *back[2];
    for (int p = 0; p < 2; p++)
        back[p] = dt_memory_alloc(f->layout.elements, sizeof(float), "test");
    const dt_safetensors_section sections[] = {{"exp_avg.", back[0]}, {"exp_avg_sq.", back[1]}};
    assert_int_equal(dt_safetensors_read(f->path, &f->layout, sections, 2, f->sums), DT_OK);
    for (int p = 0; p < 2; p++) {
        assert_memory_equal(back[p], f->vector[p], (size_t)f->layout.elements * sizeof(float));
        dt_memory_free(back[p]);
    }
    assert_int_equal(verify(f), DT_OK);
    /* A file is new or an error, never written over. */
    json_t *sums = NULL;
    assert_int_equal(dt_safetensors_write(f->path, &f->layout, f->sections, 2, DT_ELEMENT_FP32, &sums),
                     DT_FAILED);
    assert_null(sums);
}

/* No bit can turn. */
static void every_turned_bit_is_refused(void **state) {
    fixture *f = *state;
    for (size_t bit = 0; bit < 8 * f->length; bit += BITS_APART) {
        f->bytes[bit / 8] ^= (char)(1 << (bit % 8));
        scratch_put(f->path, f->bytes, f->length);
        f->bytes[bit / 8] ^= (char)(1 << (bit % 8));
        if (verify(f) != DT_FAILED)
            fail_msg("bit %zu of byte %zu may turn", bit % 8, bit / 8);
        assert_non_null(strstr(dt_error(), f->path));
    }
}

/* No length but the right one, with the size that was promised and with that of the cut file. */
static void every_truncation_is_refused(void **state) {
    fixture *f = *state;
    for (int promised = 0; promised < 2; promised++)
        for (size_t length = 0; length < f->length; length += BITS_APART) {
            scratch_put(f->path, f->bytes, length);
            if (promised)
                json_object_set_new(f->sums, "bytes", json_integer((json_int_t)length));
            assert_int_equal(verify(f), DT_FAILED);
        }
    json_object_set_new(f->sums, "bytes", json_integer((json_int_t)f->length + 1));
    scratch_put(f->path, f->bytes, f->length + 1); /* the 0 byte behind */
    assert_int_equal(verify(f), DT_FAILED);
}

/* Sets a new header before the old data, promises its size, and expects a refusal that says `why`. */
static void expect_refusal(fixture *f, const char *header, uint64_t stated, const char *why) {
    uint64_t old;
    memcpy(&old, f->bytes, sizeof old);
    size_t length = strlen(header), data = f->length - 8 - (size_t)old;
    char *bytes = malloc(8 + length + data);
    memcpy(bytes, &stated, 8);
    memcpy(bytes + 8, header, length);
    memcpy(bytes + 8 + length, f->bytes + 8 + old, data);
    scratch_put(f->path, bytes, 8 + length + data);
    json_object_set_new(f->sums, "bytes", json_integer((json_int_t)(8 + length + data)));
    free(bytes);
    assert_int_equal(verify(f), DT_FAILED);
    if (strstr(dt_error(), why) == NULL)
        fail_msg("expected \"%s\" in: %s", why, dt_error());
}

/* The header with the first `from` replaced by `to`. */
static void expect_edit_refused(fixture *f, const char *from, const char *to, const char *why) {
    uint64_t old;
    memcpy(&old, f->bytes, sizeof old);
    char *header = strndup(f->bytes + 8, old), *edited = NULL;
    char *at = strstr(header, from);
    assert_non_null(at);
    *at = 0;
    assert_true(asprintf(&edited, "%s%s%s", header, to, at + strlen(from)) > 0);
    expect_refusal(f, edited, strlen(edited), why);
    free(header);
    free(edited);
}

/* Lengths beyond the file, and text that is not JSON, end before anything is allocated or read for them. */
static void absurd_headers_are_refused(void **state) {
    fixture *f = *state;
    const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, 100000001, f->length - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        expect_refusal(f, "{}", lengths[i], "claims");
    expect_refusal(f, "", 0, "expected a header of JSON");
    expect_refusal(f, "[]", 2, "no '{'");
    expect_refusal(f, " {}", 3, "no '{'");
    expect_refusal(f, "{\"a\":", 5, "expected a header of JSON");
    expect_refusal(f, "{} {}", 5, "expected a header of JSON");
    expect_refusal(f, "{}", 2, "exp_avg.wte.weight is missing");
}

/* Each rule about entries, broken once. */
static void wrong_entries_are_refused(void **state) {
    fixture *f = *state;
    expect_edit_refused(f, "\"F32\"", "\"F64\"", "exp_avg.wte.weight has dtype F64");
    expect_edit_refused(f, "\"F32\"", "32", "exp_avg.wte.weight has dtype nothing");
    expect_edit_refused(f, "[5,4]", "[4,5]", "exp_avg.wte.weight has shape [4,5], expected [5,4]");
    expect_edit_refused(f, "[5,4]", "[20]", "shape [20]");
    expect_edit_refused(f, "[5,4]", "[5,4.0]", "exp_avg.wte.weight has shape");
    expect_edit_refused(f, "[0,80]", "[-80,0]", "exp_avg.wte.weight must have data_offsets");
    expect_edit_refused(f, "[0,80]", "[0,84]", "exp_avg.wte.weight must have data_offsets");
    expect_edit_refused(f, "[0,80]", "[80,0]", "exp_avg.wte.weight must have data_offsets");
    expect_edit_refused(f, "[0,80]", "[0,80,80]", "exp_avg.wte.weight must have data_offsets");
    expect_edit_refused(f, "[0,80]", "[9223372036854775727,9223372036854775807]", "must have data_offsets");
    expect_edit_refused(f, "[0,80]", "[0,18446744073709551696]", "header of JSON");
    expect_edit_refused(f, "[0,80]", "[4,84]", "exp_avg.wte.weight begins at byte 4");
    expect_edit_refused(f, "[80,128]", "[0,48]", "begins at byte 0 of the data, expected");
    expect_edit_refused(f, "\"dtype\"", "\"more\":1,\"dtype\"", "must have data_offsets");
    expect_edit_refused(f, "exp_avg.wpe.weight", "exp_avg.wte.weight", "header of JSON");
    expect_edit_refused(f, "exp_avg.wpe.weight", "exp_avg.other", "exp_avg.wpe.weight is missing");
    expect_edit_refused(f, "{\"__", "{\"stranger\":{},\"__",
                        "a tensor stranger that the model does not have");
    expect_edit_refused(f, "\"pt\"", "7", "__metadata__");
    expect_edit_refused(f, "{\"format\":\"pt\"}", "1", "__metadata__");
    expect_edit_refused(f, "\"pt\"", "\"np\"", "XXH3-128");
}

/* A promise that is missing is no promise kept. */
static void missing_checksums_are_refused(void **state) {
    fixture *f = *state;
    static const char *const keys[] = {"bytes", "xxh3_128", "tensors"};
    for (size_t i = 0; i < 3; i++) {
        json_t *kept = json_incref(json_object_get(f->sums, keys[i]));
        json_object_del(f->sums, keys[i]);
        assert_int_equal(verify(f), DT_FAILED);
        json_object_set_new(f->sums, keys[i], kept);
        assert_int_equal(verify(f), DT_OK);
    }
    json_object_del(json_object_get(f->sums, "tensors"), "exp_avg.wpe.weight");
    assert_int_equal(verify(f), DT_FAILED);
    assert_non_null(strstr(dt_error(), "exp_avg.wpe.weight"));
    json_decref(f->sums);
    f->sums = NULL;
    assert_int_equal(verify(f), DT_FAILED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_are_the_format, set_up, tear_down),
        cmocka_unit_test_setup_teardown(round_trip_keeps_every_bit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_turned_bit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_truncation_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(absurd_headers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_entries_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_checksums_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
