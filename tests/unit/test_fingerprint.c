/*
 * The hash of a state is the hash of the hashes of its slices of 1 MiB, and nothing else: not of how many
 * threads or which of them hash, and of every bit. Tensors and slices are two ways to cut the same three
 * vectors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "optim/fingerprint.h"

#define MIB ((int64_t)1 << 20)

/* More than four slices per vector, with tensors that cross their borders and tensors that share one. */
static const dt_shape shape = {.n_layers = 1, .C = 320, .H = 4, .F = 1280, .T = 16, .V = 99};

typedef struct made {
    dt_layout layout;
    dt_state state;
} made;

static int set_up(void **state) {
    made *m = calloc(1, sizeof *m);
    *state = m;
    if (dt_layout_create(&m->layout, shape) != DT_OK || dt_state_create(&m->state, &m->layout) != DT_OK)
        return -1;
    for (int64_t tensor = 0; tensor < dt_state_tensors(&m->layout); tensor++) {
        int64_t count;
        float *elements = dt_state_tensor(&m->state, tensor, &count);
        for (int64_t e = 0; e < count; e++)
            elements[e] = (float)(tensor + 1) + (float)e / 1024.0f;
    }
    dt_state_arrive(&m->state, 7);
    return 0;
}

static int tear_down(void **state) {
    made *m = *state;
    dt_state_free(&m->state);
    dt_layout_free(&m->layout);
    free(m);
    return 0;
}

/* Identity: by the definition, from the three vectors as bytes. */
static void the_hash_is_as_defined(void **state) {
    made *m = *state;
    const float *vectors[] = {m->state.parameters, m->state.exp_avg, m->state.exp_avg_sq};
    const int64_t bytes = m->layout.elements * (int64_t)sizeof(float);
    uint64_t row[64], hash;
    int64_t count = 0;
    for (int v = 0; v < 3; v++)
        for (int64_t at = 0; at < bytes; at += MIB)
            row[count++] =
                dt_checksum_64((const char *)vectors[v] + at, (size_t)(bytes - at < MIB ? bytes - at : MIB));
    assert_true(count > 12 && count <= 64);
    assert_int_equal(dt_state_slices(&m->layout), count);
    for (int64_t slice = count - 1; slice >= 0; slice--)
        assert_true(dt_fingerprint_slice(&m->state, slice) == row[slice]);
    assert_int_equal(dt_fingerprint_state(&m->state, &hash), DT_OK);
    assert_true(hash == dt_checksum_64(row, (size_t)count * sizeof *row));
    assert_true(hash == dt_fingerprint_whole(row, count));
}

/* Identity: a bit of any vector is in one slice's hash, and in that of the state. */
static void each_bit_counts_once(void **state) {
    made *m = *state;
    const int64_t slices = dt_state_slices(&m->layout);
    uint64_t before[64], whole, changed;
    for (int64_t slice = 0; slice < slices; slice++)
        before[slice] = dt_fingerprint_slice(&m->state, slice);
    assert_int_equal(dt_fingerprint_state(&m->state, &whole), DT_OK);
    for (int64_t turned = 0; turned < slices; turned++) {
        int64_t count;
        uint32_t *last = (uint32_t *)(void *)dt_state_slice(&m->state, turned, &count) + (count - 1);
        *last ^= 1;
        for (int64_t slice = 0; slice < slices; slice++)
            assert_int_equal(dt_fingerprint_slice(&m->state, slice) != before[slice], slice == turned);
        assert_int_equal(dt_fingerprint_state(&m->state, &changed), DT_OK);
        assert_true(changed != whole);
        *last ^= 1;
    }
}

/* Identity: where a tensor lies and which tensor lies there are each other's inverse. */
static void tensors_and_slices_agree(void **state) {
    const made *m = *state;
    for (int64_t tensor = 0; tensor < dt_state_tensors(&m->layout); tensor++) {
        int64_t count, first, end, in_slice;
        const float *elements = dt_state_tensor(&m->state, tensor, &count);
        dt_state_slices_of_tensor(&m->layout, tensor, &first, &end);
        assert_true(first < end);
        const float *slice = dt_state_slice(&m->state, first, &in_slice);
        assert_true(elements >= slice && elements < slice + in_slice);
        assert_int_equal(dt_state_tensor_at(&m->layout, first, elements - slice), tensor);
        slice = dt_state_slice(&m->state, end - 1, &in_slice);
        const float *last = elements + count - 1;
        assert_true(last >= slice && last < slice + in_slice);
        assert_int_equal(dt_state_tensor_at(&m->layout, end - 1, last - slice), tensor);
    }
}

static void slices_are_named_by_their_tensors(void **state) {
    const made *m = *state;
    char name[DT_STATE_SLICE_BYTES];
    int64_t first, end;
    dt_state_slice_name(&m->layout, 0, name);
    assert_string_equal(name, "tensors wte.weight to h.0.attn.c_attn.weight");
    dt_state_slices_of_tensor(
        &m->layout, m->layout.tensors + dt_layout_find(&m->layout, "h.0.mlp.c_fc.weight") - m->layout.tensor,
        &first, &end);
    assert_true(end - first >= 2);
    dt_state_slice_name(&m->layout, end - 1, name);
    assert_non_null(strstr(name, "tensors exp_avg.h.0.mlp.c_fc.weight to exp_avg."));
}

/* The phases that a state goes through; what is saved asks for a complete one. */
static void a_state_knows_its_phase(void **state) {
    made *m = *state;
    dt_state fresh;
    assert_int_equal(dt_state_create(&fresh, &m->layout), DT_OK);
    assert_int_equal(fresh.phase, DT_STATE_ARRIVING);
    dt_state_free(&fresh);
    assert_int_equal(m->state.phase, DT_STATE_COMPLETE);
    assert_int_equal(m->state.step, 7);
    dt_state_begin_update(&m->state);
    assert_int_equal(m->state.phase, DT_STATE_UPDATING);
    dt_state_end_update(&m->state, 8);
    assert_int_equal(m->state.phase, DT_STATE_COMPLETE);
    assert_int_equal(m->state.step, 8);
    dt_state_release(&m->state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_hash_is_as_defined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_bit_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tensors_and_slices_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slices_are_named_by_their_tensors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_state_knows_its_phase, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
