/* What group_norm and layer_norm share. */
#ifndef DGQC_NORM_H
#define DGQC_NORM_H

#include "dgqc_internal.h"

/* Gain (below 2^31) and offset (in 1/256 output steps) of every channel at this step. */
typedef struct {
    int32_t *gain;
    int64_t *offset;
} dgqc_gains;

dgqc_gains dgqc_derive_gains(const dgqc_norm_parameters *p, size_t step, void **scratch);

/* Mean in 1/16 steps, and the sum of the squares of 16 x - mean. x: `length` values in each of the rows. */
void dgqc_moments(const int16_t *x, size_t rows, size_t row_stride, size_t length, int32_t *mean, int64_t *energy);

/* The slope a and its shift for one channel: y = (16 x - mean) * a * 2^-shift. */
typedef struct {
    int64_t a;
    int32_t shift;
} dgqc_slope;

static inline dgqc_slope dgqc_slope_of(int64_t root, int32_t half, int32_t gain, int32_t gain_shift)
{
    const dgqc_slope slope = {(root * gain) >> 31, gain_shift + half + 6};
    return slope;
}

/* One value. |16 x - mean| < 2^21, |a| < 2^31, so that beyond a shift of 62 nothing but 0 is left. */
static inline int16_t dgqc_affine(int16_t x, int32_t mean, dgqc_slope slope, int64_t offset)
{
    const int64_t product = (16 * (int32_t)x - mean) * slope.a;
    const int64_t scaled = slope.shift < 1    ? dgqc_shift_left(product, -slope.shift)
                           : slope.shift > 62 ? 0
                                              : dgqc_round_shift(product, slope.shift);
    return dgqc_saturate16((scaled + offset + 128) >> 8);
}

#endif
