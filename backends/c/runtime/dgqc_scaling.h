/* 16-bit values times factors of up to 31 bits, shifted and rounded: in 32-bit arithmetic where the shift allows it, since
 * that is what vector units are good at. With factor = high * 2^16 + low, and nothing below 2^16 in the rounding half,
 *     floor((x * factor + half) / 2^16) = x * high + floor(x * low / 2^16) + half / 2^16. */
#ifndef DGQC_SCALING_H
#define DGQC_SCALING_H

#include "dgqc_internal.h"

/* Whether the rounding half is a multiple of 2^16 and 2^-16 of it leaves room in int32_t. */
static inline int dgqc_short_shift(int32_t shift)
{
    return shift >= 17 && shift <= 46;
}

typedef struct {
    int32_t high, low; /* |high| at most 2^15, low 0 .. 65535 */
} dgqc_halves;

static inline dgqc_halves dgqc_split(int32_t factor)
{
    const dgqc_halves halves = {factor >> 16, factor & 65535};
    return halves;
}

/* half / 2^16. shift: a short one. */
static inline int32_t dgqc_short_half(int32_t shift)
{
    return (int32_t)1 << (shift - 17);
}

static inline int16_t dgqc_saturate16_short(int32_t x)
{
    return (int16_t)(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
}

/* a * a_factor + b * b_factor, factors at most 2^30: below 2^30 + 2^17 once divided by 2^16. */
static inline int32_t dgqc_sum_short(int32_t a, dgqc_halves a_factor, int32_t b, dgqc_halves b_factor)
{
    const int32_t a_low = a * a_factor.low, b_low = b * b_factor.low;
    const int32_t carry = ((a_low & 65535) + (b_low & 65535)) >> 16;
    return a * a_factor.high + b * b_factor.high + (a_low >> 16) + (b_low >> 16) + carry;
}

#endif
