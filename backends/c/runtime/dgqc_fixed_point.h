/* Fixed-point arithmetic: the one rounding rule, exp2, and the functions that look up tables.
 *
 * Right shifts of negative numbers are arithmetic: C leaves that to the compiler, every compiler in use does
 * it, and the type below refuses to compile where it is not so. Left shifts of negative numbers are undefined,
 * so they are written on unsigned numbers here.
 */
#ifndef DGQC_FIXED_POINT_H
#define DGQC_FIXED_POINT_H

#include <stddef.h>
#include <stdint.h>

#include "dgqc_symbols.h"

typedef char dgqc_shifts_are_arithmetic[((-3) >> 1) == -2 ? 1 : -1];

/* Defined in dgqc_lookup.c, which the compiler writes: every backend looks up the same integers. */
extern const int32_t dgqc_log2_table[257];
extern const int32_t dgqc_root_table[48];
extern const int16_t dgqc_normal_table[257];

/* x / 2^shift rounded to nearest, ties up. |x| < 2^62, shift 1 .. 62. */
static inline int64_t dgqc_round_shift(int64_t x, int32_t shift)
{
    return (x + ((int64_t)1 << (shift - 1))) >> shift;
}

/* x * 2^by. by 0 .. 63. */
static inline int64_t dgqc_shift_left(int64_t x, int32_t by)
{
    return (int64_t)((uint64_t)x << by);
}

static inline int16_t dgqc_saturate16(int64_t x)
{
    return (int16_t)(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
}

static inline int32_t dgqc_saturate32(int64_t x)
{
    return (int32_t)(x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : x);
}

/* Position of the highest set bit. x > 0. */
static inline int32_t dgqc_floor_log2(int64_t x)
{
    int32_t position = 0;
    for (int32_t by = 32; by > 0; by /= 2) {
        if ((x >> by) != 0) {
            x >>= by;
            position += by;
        }
    }
    return position;
}

/* 2^-z in Q30, 0 .. 2^30. z: Q16, 0 .. 2^32 - 1. ir/arithmetic/lookup.py: EXP2 has the coefficients. */
static inline int32_t dgqc_exp2_negative(uint32_t z)
{
    const uint32_t whole = z >> 16;
    const int32_t t = (int32_t)(z & 65535U) - 32768;
    int32_t slope = 5186 - ((875 * t) >> 16);
    slope = 22271 - ((slope * t) >> 16);
    slope = 64239 - ((slope * t) >> 16);
    /* 6073974783 - slope * t lies in 2^32 .. 2^33 - 1: without its highest bit it fits. */
    const uint32_t fraction = 1779007487U - (uint32_t)slope * (uint32_t)t;
    const uint32_t mantissa = (fraction >> 3) + (1U << 29) + 1U;
    return (int32_t)(mantissa >> (whole < 31 ? whole : 31)); /* 2^-31 is 0 in Q30 */
}

/* log2 v in Q16. v > 0. */
static inline int64_t dgqc_log2(int64_t v)
{
    const int32_t whole = dgqc_floor_log2(v);
    const int64_t fraction = (whole > 30 ? v >> (whole - 30) : v << (30 - whole)) - ((int64_t)1 << 30);
    const int64_t index = fraction >> 22, rest = (fraction >> 6) & 65535;
    const int64_t here = dgqc_log2_table[index];
    const int64_t between = here + (((dgqc_log2_table[index + 1] - here) * rest + 32768) >> 16);
    return ((int64_t)whole << 16) + ((between + 128) >> 8);
}

/* 1/sqrt(v) = root * 2^-45 * 2^-half. v: 1 .. 2^62 - 1. Returns root, in (2^30, 2^31]. */
static inline int64_t dgqc_reciprocal_root(int64_t v, int32_t *half)
{
    *half = (dgqc_floor_log2(v) - 28) >> 1;
    v = *half >= 0 ? v >> (2 * *half) : v << (-2 * *half);
    int64_t root = dgqc_root_table[(v >> 24) - 16];
    for (int turn = 0; turn < 3; turn++) {
        const int64_t error = (((root * root) >> 30) * v) >> 30;
        root = (root * (((int64_t)3 << 30) - error)) >> 31;
    }
    return root;
}

#endif
