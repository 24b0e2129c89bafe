/*
 * What VDPBF16PS makes of inputs of every kind, computed with rational numbers and recorded on processors
 * that have it. Each other way of doing it that one could think of fails at several cases: the even element
 * first, one rounding for both, both products before the sum, truncation, denormals as they are on either
 * side, and tiny results judged before rounding.
 */
#include "math/replay_bf16.h"

#include <string.h>

/* Pairs of a and b, the odd element in the upper half; what the sum starts from; what it is after. */
static const uint32_t cases[][4] = {
    /* clang-format off */
    {0x00001780, 0x00009780, 0x00800000, 0x00800000}, /* 2^-126 less 2^-160 */
    {0x00001a00, 0x00009a80, 0x00800000, 0x00000000}, /* 2^-126 less 2^-149 */
    {0x00001a00, 0x00009980, 0x00800000, 0x00800000}, /* 2^-126 less 2^-151 */
    {0x1f802000, 0x1f802180, 0x00000000, 0x02000000}, /* a sum between is tiny */
    {0x00003f80, 0x00000080, 0x00400000, 0x00800000}, /* denormal sum */
    {0x80010040, 0x71807180, 0x3f800000, 0x3f800000}, /* denormal a */
    {0x71807180, 0x00010040, 0x2b800000, 0x2b800000}, /* denormal b */
    {0x00000000, 0x00000000, 0x80000001, 0x00000000}, /* negative denormal sum */
    {0x80008000, 0x3f803f80, 0x80000000, 0x80000000}, /* zeros */
    {0x00008000, 0x3f803f80, 0x80000000, 0x00000000}, /* zeros */
    {0x3f803f80, 0xbf803f80, 0x00000000, 0x00000000}, /* cancels */
    {0x7180f180, 0x71807180, 0x3f800000, 0x7f800000}, /* overflow of the first */
    {0x5f80df00, 0x5f005f80, 0x7f000000, 0x7f800000}, /* overflow undone */
    {0x7f803f80, 0xc0003f80, 0x3f800000, 0xff800000}, /* infinity */
    {0x00003980, 0x00003980, 0x3f800000, 0x3f800000}, /* tie to even */
    {0x00003980, 0x00003980, 0x3f800001, 0x3f800002}, /* tie to even */
    {0x39803980, 0x39803980, 0x3f800000, 0x3f800000}, /* two halves of a unit */
    {0x3f804b80, 0x3f803f80, 0xcb800000, 0x3f800000}, /* order */
    {0x00020001, 0x7b807b80, 0x00000000, 0x00000000}, /* denormal a alone */
    {0xfb807b80, 0x00028001, 0x00000000, 0x00000000}, /* denormal b alone */
    {0x00002040, 0x00001f80, 0x80800000, 0x80000000}, /* tiny result */
    {0x00001c80, 0x00001f80, 0x00000000, 0x00000000}, /* tiny product */
    {0x3c6bbe5e, 0x3d0e3dd3, 0x3def2938, 0x3dc26f6c},
    {0x3d813f45, 0x3d75bdb4, 0xc031d914, 0xc035ef7a},
    {0xbf903c91, 0xbc1a3c7c, 0xbbfae571, 0x3b510c9e},
    {0x3e28bd6f, 0xbd97bdc5, 0xbf993355, 0xbf9a07ca},
    {0x3eb5bf26, 0x3ea63d21, 0xbecb06ad, 0xbe9d646d},
    {0x3ee83e88, 0x3d3d3fd9, 0x3f968b1a, 0x3fd2dc3a},
    {0xbc793e7c, 0x3c46beec, 0xbd2edf22, 0xbe200fee},
    {0x3d4f3c39, 0xbdf6bd8f, 0xbdac14b4, 0xbdba20b0},
    {0xbe63bef2, 0xbeee3ccb, 0x3a376bc7, 0x3dbc7c18},
    {0x3ef5bc9a, 0xbca73ea3, 0xbca7309d, 0xbd14108e},
    {0x1e7f1cd0, 0x1cfe1d5c, 0x827638bf, 0x82762f72},
    {0xa0ac1c1e, 0x9f129e3a, 0x02843035, 0x028a50cf},
    {0x9d909faa, 0x2172a0f9, 0x818da612, 0x8106f624},
    {0x1c6c1f2f, 0x20ed1e12, 0x023a0d99, 0x023adea5},
    {0x9ebd9fd8, 0x1d0e1e3c, 0x037e837c, 0x037e30e5},
    {0x9fef9d50, 0x1e411d0b, 0x826f0687, 0x827070a9},
    {0xe663ae88, 0x84e1594b, 0x2f47979c, 0xc857b000},
    {0xbea1d623, 0xa67afe58, 0xac53291c, 0x7f800000},
    {0x3d464aed, 0xa3bba0a9, 0x69400b70, 0x69400b70},
    {0x2d23d6e6, 0xeab4acde, 0x76ebe37a, 0x76ebe37a},
    {0xba7c6fee, 0x92c37aaa, 0x95996d77, 0x7f800000},
    {0xbda4aef7, 0xddb58adc, 0x4f63e337, 0x5be7e800},
    /* clang-format on */
};

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* One element by a tile of one row and one column. */
static bool agrees(const struct dt_tile_bf16 *tile, const uint32_t *c) {
    const uint16_t a[2] = {(uint16_t)c[0], (uint16_t)(c[0] >> 16)},
                   b[2] = {(uint16_t)c[1], (uint16_t)(c[1] >> 16)};
    _Alignas(64) float row[2], panel[2 * DT_TILE_MAX_COLS];
    float sum = float_of(c[2]);
    tile->pack_a(row, 2, a, 2, 1, 2);
    tile->pack(panel, b, 1, 2, 1);
    tile->multiply(&(dt_tile_bf16_target){.at = &sum, .stride = 1, .cols = 1, .add = true}, 1, row, 2, panel,
                   1);
    return memcmp(&sum, &c[3], sizeof sum) == 0;
}

bool dt_replay_bf16(const struct dt_tile_bf16 *tile) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!agrees(tile, cases[i]))
            return false;
    return true;
}
