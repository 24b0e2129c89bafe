/*
 * Which kernels this processor runs. On x86-64 levels are those of the psABI: avx512 is v4, avx2 is v3. The
 * instruction of avx512_bf16 is not only there but also makes the bits that are recorded; whether it is
 * quicker than what gives the same bits without it is measured once.
 */
#include "math/kernels.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/units.h"
#include "math/linear_blas.h"
#include "math/pace_bf16.h"
#include "math/replay_bf16.h"

#define NAMES_BYTES 64

#define COMPUTE_fp32 .compute = DT_DTYPE_FP32, .operand_bytes = sizeof(float)
#define COMPUTE_bf16 .compute = DT_DTYPE_BF16, .operand_bytes = sizeof(uint16_t)

#define MEMBERS(isa, dtype, products)                                                                        \
    {COMPUTE_##dtype,                                                                                        \
     .name = #isa,                                                                                           \
     .embedding = &dt_embedding_##isa,                                                                       \
     .layernorm = &dt_layernorm_##dtype##_##isa,                                                             \
     .attention = &dt_attention_##dtype##_##isa,                                                             \
     .gelu = &dt_gelu_##dtype##_##isa,                                                                       \
     .residual = &dt_residual_##dtype##_##isa,                                                               \
     .linear = &(products),                                                                                  \
     .loss = &dt_loss_##dtype##_##isa},

#define SET(isa, dtype)         MEMBERS(isa, dtype, dt_linear_##dtype##_##isa)
#define WITH_BLAS(isa, nothing) MEMBERS(isa, fp32, dt_linear_blas)

static const dt_kernels sets[][DT_KERNELS_SETS] = {
    [DT_DTYPE_FP32] = {DT_ISA_EACH(SET, fp32)},
    [DT_DTYPE_BF16] = {DT_ISA_EACH(SET, bf16)},
};

/* In fp32, as the sets are. */
static const dt_kernels with_blas[DT_KERNELS_SETS] = {DT_ISA_EACH(WITH_BLAS, )};

#if defined __x86_64__
static bool has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_avx512_bf16(void) {
    return has_avx512() && __builtin_cpu_supports("avx512bf16") && dt_replay_bf16(&dt_tile_bf16_avx512_bf16);
}

static bool has_baseline(void) {
    return true;
}

/* The instruction is there and is not as recorded. */
static bool has_other_bits(void) {
    return has_avx512() && __builtin_cpu_supports("avx512bf16") && !has_avx512_bf16();
}
#else
/* NEON belongs to the architecture. */
static bool has_neon(void) {
    return true;
}

static bool has_other_bits(void) {
    return false;
}
#endif

static bool runs(int index) {
#define HAS(isa, with) has_##isa,
    static bool (*const has[DT_KERNELS_SETS])(void) = {DT_ISA_EACH(HAS, )};
#undef HAS
    return has[index]();
}

const dt_kernels *dt_kernels_get(int index, dt_dtype compute) {
    DT_ASSERT(index >= 0 && index < DT_KERNELS_SETS);
    return runs(index) ? &sets[compute][index] : NULL;
}

/* What DTRAIN_ISA says; NULL where it is unset or empty. */
static const char *find_wanted(void) {
    const char *wanted = getenv("DTRAIN_ISA");
    return wanted && *wanted ? wanted : NULL;
}

/* What a processor with the instruction makes by it and without it; zeros for all others. Measured once, so
 * that all that ask in a process are told the same. */
static dt_pace_bf16 measured;

static void measure(void) {
#if defined __x86_64__
    if (has_avx512_bf16())
        measured = dt_pace_bf16_measure(&dt_tile_bf16_avx512_bf16, &dt_tile_bf16_avx512);
#endif
}

static const dt_pace_bf16 *pace(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, measure);
    return &measured;
}

/* The first set that runs, or the next one where that multiplies bfloat16 by a slow instruction. */
static int find_fastest(dt_dtype compute) {
    int index = 0;
    while (!runs(index))
        index++;
    return index + (compute == DT_DTYPE_BF16 && dt_pace_bf16_prefers_multiply_adds(pace()));
}

const dt_kernels *dt_kernels_best(dt_dtype compute) {
    const char *wanted = find_wanted();
    for (int index = 0; wanted && index < DT_KERNELS_SETS; index++)
        if (strcmp(wanted, sets[compute][index].name) == 0 && runs(index))
            return &sets[compute][index];
    return &sets[compute][find_fastest(compute)];
}

const dt_kernels *dt_kernels_blas(void) {
    return &with_blas[dt_kernels_best(DT_DTYPE_FP32) - sets[DT_DTYPE_FP32]];
}

void dt_kernels_bf16_how(const dt_kernels *kernels, char how[DT_KERNELS_HOW_BYTES]) {
    const bool own = strcmp(kernels->name, "avx512_bf16") == 0, asked = find_wanted() != NULL;
    if (own || (!asked && dt_pace_bf16_prefers_multiply_adds(pace())))
        snprintf(how, DT_KERNELS_HOW_BYTES,
                 "%s%s: on a core VDPBF16PS runs at %sFLOP/s, fused multiply-adds at %sFLOP/s",
                 own ? "by the processor's own instruction" : "emulated by fp32 arithmetic, the same bits",
                 own && asked ? ", as DTRAIN_ISA asks" : "", dt_units_rate(pace()->dots).text,
                 dt_units_rate(pace()->multiply_adds).text);
    else
        snprintf(how, DT_KERNELS_HOW_BYTES, "emulated%s the same bits, no faster than fp32",
                 has_other_bits()
                     ? ", since this processor's VDPBF16PS does not give the bits that are recorded:"
                     : " by fp32 arithmetic:");
}

/* The names of the sets, or only of those that this processor runs: "avx512, avx2, baseline". */
static const char *list_sets(bool only_here, char names[NAMES_BYTES]) {
    size_t length = 0;
    for (int index = 0; index < DT_KERNELS_SETS; index++)
        if (!only_here || runs(index))
            length += (size_t)snprintf(names + length, NAMES_BYTES - length, "%s%s", length ? ", " : "",
                                       sets[DT_DTYPE_FP32][index].name);
    return names;
}

dt_status dt_kernels_check(void) {
    char names[NAMES_BYTES];
    const char *wanted = find_wanted();
    if (wanted == NULL || strcmp(wanted, dt_kernels_best(DT_DTYPE_FP32)->name) == 0)
        return DT_OK;
    for (int index = 0; index < DT_KERNELS_SETS; index++)
        if (strcmp(wanted, sets[DT_DTYPE_FP32][index].name) == 0)
            return dt_usage(
                "DTRAIN_ISA: this processor does not run %s; it runs %s; unset DTRAIN_ISA for the "
                "fastest of them",
                wanted, list_sets(true, names));
    return dt_usage("DTRAIN_ISA: expected one of %s, found \"%.60s\"; unset it for the fastest that the "
                    "processor runs",
                    list_sets(false, names), wanted);
}

/* As attention.c shares it out, with the most rows and columns that a tile has anywhere. */
int64_t dt_attention_scratch_floats(int64_t T, int64_t D) {
    DT_ASSERT(T > 0 && D > 0);
    const int64_t group = DT_ATTENTION_GROUP;
    const int64_t wide = (T + DT_TILE_MAX_COLS - 1) / DT_TILE_MAX_COLS * DT_TILE_MAX_COLS,
                  deep = (D + DT_TILE_MAX_COLS - 1) / DT_TILE_MAX_COLS * DT_TILE_MAX_COLS;
    const int64_t panels = 2 * D * wide + T * deep, groups = group * 2 * (D + deep + wide + 32);
    return panels + groups + DT_DROPOUT_FLOATS(T) + 9 * 16; /* each of nine arrays is rounded up to 16 */
}

dt_dropout dt_dropout_at(uint64_t seed, double p, int64_t layer, dt_dropout_site site, int64_t slot,
                         int64_t step) {
    DT_ASSERT(p > 0.0 && p <= 1.0 && layer >= 0);
    DT_ASSERT(slot >= 0 && slot <= UINT32_MAX && step >= 0 && step <= UINT32_MAX);
    const double words = 4294967296.0;
    return (dt_dropout){
        .key = dt_philox_derive(seed, DT_PURPOSE_DROPOUT, (uint32_t)(layer * 4 + (int64_t)site)),
        .slot = (uint32_t)slot,
        .step = (uint32_t)step,
        .threshold = p * words >= words - 1.0 ? UINT32_MAX : (uint32_t)(p * words),
        .scale = p < 1.0 ? (float)(1.0 / (1.0 - p)) : 0.0f,
    };
}
