/* One number or bit of the summed gradient that one rank has otherwise is noticed on all ranks before they
 * act on it, and blamed on rank and tensor; which ranks that can be is not more than can be known. */
#include "support/cmocka_mpi.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "optim/clip.h"
#include "step/consent.h"

static dt_layout layout;
static dt_state state;
static dt_replica_check check;
static float *gradient;
static double *partial;

static int set_up(void **unused) {
    const dt_shape shape = {.n_layers = 1, .C = 12, .H = 2, .F = 24, .T = 8, .V = 99};
    (void)unused;
    assert_ok(dt_layout_create(&layout, shape));
    assert_ok(dt_state_create(&state, &layout));
    dt_state_arrive(&state, 0);
    assert_ok(dt_replica_check_create(&check, &world, &state, DT_NULL_INT));
    gradient = dt_memory_alloc(layout.elements, sizeof *gradient, "test");
    partial = dt_memory_alloc(dt_clip_chunks(layout.elements), sizeof *partial, "test");
    for (int64_t i = 0; i < layout.elements; i++)
        gradient[i] = 1e-3f * (float)(i % 89 - 44);
    for (int64_t i = 0; i < layout.elements; i++)
        state.parameters[i] = 1e-2f * (float)(i % 97 - 48);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    dt_memory_free(partial);
    dt_memory_free(gradient);
    dt_replica_check_free(&check);
    dt_state_free(&state);
    dt_layout_free(&layout);
    return 0;
}

static dt_consent ask(double loss, dt_findings *found, char blame[DT_CONSENT_BYTES]) {
    dt_consent consent;
    *found = (dt_findings){.loss = loss, .learning_rate = 1e-3};
    found->grad_norm = dt_clip_norm(gradient, layout.elements, partial, &found->gradient_bits);
    assert_ok(dt_consent_ask(&world, &check, &state, gradient, true, found, &consent, blame));
    return consent;
}

static float turned(float number, int bit) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits ^= UINT32_C(1) << bit;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static float *last_of(float *vector, const char *name) {
    const dt_tensor *tensor = dt_layout_find(&layout, name);
    assert_non_null(tensor);
    return vector + tensor->offset + tensor->count - 1;
}

static void expect_text(const char *found, const char *expected) {
    if (strcmp(found, expected) != 0)
        fail_msg("expected \"%s\", found \"%s\"", expected, found);
}

static void what_is_alike_is_taken(void **unused) {
    (void)unused;
    dt_findings found;
    char blame[DT_CONSENT_BYTES];
    assert_int_equal(ask(4.5, &found, blame), DT_CONSENT_GIVEN);
    expect_text(blame, "");
}

/* On all ranks at once it is the model that has blown up, whatever bits each rank's NaN has. */
static void what_blows_up_everywhere_is_nobodys_fault(void **unused) {
    (void)unused;
    dt_findings found;
    char blame[DT_CONSENT_BYTES];
    assert_int_equal(ask(world.rank % 2 ? (double)NAN : -(double)NAN, &found, blame), DT_CONSENT_NOT_FINITE);
    expect_text(blame, "loss");
    float *element = last_of(gradient, "h.0.mlp.c_fc.bias"), kept = *element;
    *element = world.rank % 2 ? NAN : -NAN;
    assert_int_equal(ask(4.5, &found, blame), DT_CONSENT_NOT_FINITE);
    expect_text(blame, "gradient of h.0.mlp.c_fc.bias");
    *element = kept;
    element = last_of(state.parameters, "ln_f.weight");
    kept = *element;
    *element = INFINITY;
    assert_int_equal(ask((double)NAN, &found, blame), DT_CONSENT_NOT_FINITE);
    expect_text(blame, "weights of ln_f.weight");
    *element = kept;
}

/* Each kind on each rank in turn. All ranks leave with that rank's numbers. */
static void a_number_on_one_rank_is_blamed_on_it(void **unused) {
    (void)unused;
    const float kinds[] = {NAN, INFINITY, -INFINITY};
    for (int differing = 0; differing < world.size && world.size > 1; differing++)
        for (int k = 0; k < 3; k++) {
            dt_findings found;
            char blame[DT_CONSENT_BYTES], expected[DT_CONSENT_BYTES];
            float *element = last_of(gradient, "h.0.attn.c_attn.weight"), kept = *element;
            if (world.rank == differing)
                *element = kinds[k];
            assert_int_equal(ask(4.5, &found, blame), DT_CONSENT_NOT_FINITE);
            snprintf(expected, sizeof expected, "gradient of h.0.attn.c_attn.weight on rank %d on %s alone",
                     differing, world.host);
            expect_text(blame, expected);
            assert_true(found.loss == 4.5 && (k == 0 ? isnan(found.grad_norm) : isinf(found.grad_norm)));
            *element = kept;
        }
}

/* The lowest bit and the highest. A majority tells the rank; with two there is none. */
static void a_bit_on_one_rank_is_noticed(void **unused) {
    (void)unused;
    for (int differing = 0; differing < world.size && world.size > 1; differing++)
        for (int bit = 0; bit < 32; bit += 31) {
            dt_findings found;
            char blame[DT_CONSENT_BYTES], expected[DT_CONSENT_BYTES];
            float *element = last_of(gradient, "ln_f.bias"), kept = *element;
            if (world.rank == differing)
                *element = turned(kept, bit);
            assert_int_equal(ask(4.5, &found, blame), DT_CONSENT_UNEQUAL);
            if (world.size == 2)
                snprintf(
                    expected, sizeof expected,
                    "rank 0 on %s, rank 1 on %s differ from one another, and no majority says which is right; "
                    "first in the gradient of ln_f.bias",
                    world.host, world.host);
            else
                snprintf(expected, sizeof expected,
                         "rank %d on %s differs from the other %d ranks; first in the gradient of ln_f.bias",
                         differing, world.host, world.size - 1);
            expect_text(blame, expected);
            *element = kept;
        }
}

/* A rank that has lost count of the steps, or would stop alone. */
static void a_step_of_its_own_is_noticed(void **unused) {
    (void)unused;
    for (int what = 0; what < 2; what++) {
        dt_findings found = {.loss = 4.5, .grad_norm = 1.0, .learning_rate = 1e-3, .step = 7};
        char blame[DT_CONSENT_BYTES];
        dt_consent consent;
        if (world.rank == world.size - 1)
            *(what ? &found.step : &found.stop) += 1;
        assert_ok(dt_consent_ask(&world, &check, &state, gradient, true, &found, &consent, blame));
        assert_int_equal(consent, world.size > 1 ? DT_CONSENT_UNEQUAL : DT_CONSENT_GIVEN);
    }
}

/* A rank that computes otherwise from the same gradient. */
static void a_loss_on_one_rank_is_noticed(void **unused) {
    (void)unused;
    dt_findings found;
    char blame[DT_CONSENT_BYTES];
    const int differing = world.size - 1;
    const dt_consent consent = ask(world.rank == differing ? 4.5 + 1e-15 : 4.5, &found, blame);
    assert_int_equal(consent, world.size > 1 ? DT_CONSENT_UNEQUAL : DT_CONSENT_GIVEN);
    if (world.size > 1)
        assert_non_null(strstr(blame, " in a number computed from equal gradients"));
}

/* Weights of one rank that are not finite spoil the sum of all: the replica is at fault, and is named by it,
 * also where replicas are never compared otherwise. So is one whose weights are finite, but not the others'.
 */
static void a_replica_that_spoils_the_sum_is_named(void **unused) {
    (void)unused;
    for (int differing = 0; differing < world.size && world.size > 1; differing++)
        for (int finite = 0; finite < 2; finite++) {
            dt_findings found;
            char blame[DT_CONSENT_BYTES], expected[DT_CONSENT_BYTES];
            float *element = last_of(state.parameters, "h.0.ln_1.weight"), kept = *element;
            if (world.rank == differing)
                *element = finite ? 3e38f : NAN;
            assert_int_equal(ask((double)NAN, &found, blame), DT_CONSENT_REPLICAS_DIFFER);
            assert_int_equal(dt_replica_check_name(&check), DT_FAILED);
            snprintf(expected, sizeof expected,
                     "rank %d on %s alone has NaN or infinity; first in tensor h.0.ln_1.weight;", differing,
                     world.host);
            if (finite)
                snprintf(expected, sizeof expected, "; first in tensor h.0.ln_1.weight;");
            if (world.rank == 0 && strstr(dt_error(), expected) == NULL)
                fail_msg("expected \"%s\" in \"%s\"", expected, dt_error());
            *element = kept;
        }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(what_is_alike_is_taken, set_up, tear_down),
    cmocka_unit_test_setup_teardown(what_blows_up_everywhere_is_nobodys_fault, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_number_on_one_rank_is_blamed_on_it, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_bit_on_one_rank_is_noticed, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_step_of_its_own_is_noticed, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_loss_on_one_rank_is_noticed, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_replica_that_spoils_the_sum_is_named, set_up, tear_down)};

CMOCKA_MPI_MAIN(tests)
