/* What group_norm and layer_norm share. */
#ifndef DGQC_NORM_H
#define DGQC_NORM_H

#include "dgqc_internal.h"
#include "dgqc_lanes.h"

/* Tables of channels come in strips, which are whole vectors on any machine. */
#define DGQC_STRIP 16
/* What a strip takes in shared memory. */
#define DGQC_GROUP_NORM_STRIP_BYTES 840
#define DGQC_LAYER_NORM_STRIP_BYTES 320
/* What a channel takes there where values are wide. */
#define DGQC_GROUP_NORM_WIDE_CHANNEL_BYTES 24

static inline size_t dgqc_strips(const dgqc_norm_parameters *p)
{
    return (p->channels + DGQC_STRIP - 1) / DGQC_STRIP;
}

/* Where 64 bits of a strip's channel lie, in the lanes' order. */
static inline size_t dgqc_strip_place(size_t channel)
{
    return channel / LANES * LANES + lanes_place(channel % LANES);
}

/* Gain (below 2^31) and offset (in 1/256 output steps) of one channel at this step, zeros after the last one. */
typedef struct {
    int32_t gain;
    int64_t offset;
} dgqc_gain;

dgqc_gain dgqc_gain_of(const dgqc_norm_parameters *p, size_t step, size_t channel);

/* Sums over one set of values. */
typedef struct {
    int64_t sum, squares, count;
} dgqc_moments;

/* Adds up values that lie one after another. */
dgqc_moments dgqc_moments_of(const int16_t *x, size_t count);

/* Mean in 1/16 steps, and how to get from 16 x - mean to the normalized value: root * 2^-45 * 2^-half. */
typedef struct {
    int32_t mean, half;
    int64_t root;
} dgqc_spread;

dgqc_spread dgqc_spread_of(const dgqc_moments *moments, int64_t epsilon);

/* The same, of sums of values in 16ths of a step. */
dgqc_spread dgqc_spread_of_sixteenths(const dgqc_moments *moments, int64_t epsilon);

/* The slope a and its shift for one channel: y = (16 x - mean) * a * 2^-shift. */
typedef struct {
    int64_t a;
    int32_t shift;
} dgqc_slope;

static inline dgqc_slope dgqc_slope_of(const dgqc_spread *spread, int32_t gain, int32_t gain_shift)
{
    const dgqc_slope slope = {(spread->root * gain) >> 31, gain_shift + spread->half + 6};
    return slope;
}

/* centered * a * 2^-shift. |centered| < 2^21, |a| < 2^31, so that beyond a shift of 62 nothing but 0 is left. */
static inline int64_t dgqc_sloped(int64_t centered, dgqc_slope slope)
{
    const int64_t product = centered * slope.a;
    return slope.shift < 1    ? dgqc_shift_left(product, -slope.shift)
           : slope.shift > 62 ? 0
                              : dgqc_round_shift(product, slope.shift);
}

/* One value. */
static inline int16_t dgqc_affine(int16_t x, int32_t mean, dgqc_slope slope, int64_t offset)
{
    return dgqc_saturate16((dgqc_sloped(16 * (int32_t)x - mean, slope) + offset + 128) >> 8);
}

/* The same in lanes: dgqc_affine is (product + bias) >> (shift + 8) with bias = 2^(shift - 1) + (offset + 128) * 2^shift.
 * Everything is shifted left first, so that the upper half of the sum holds the result, then shifted right. Shifts may
 * be anything and offsets large; then this isn't possible. */
static inline int dgqc_norm_left(int32_t shift)
{
    return shift < 24 ? 24 - shift : 0;
}

/* Whether it is possible. largest: of |offset + 128|. The sum stays below 2^62 + 2^61. */
static inline int dgqc_norm_fits(int32_t shift, int64_t largest)
{
    return shift >= 15 && shift <= 55 && largest < (int64_t)1 << (61 - shift - dgqc_norm_left(shift));
}

#endif
