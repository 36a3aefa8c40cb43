/* SiLU and GELU: x * g(x), with g as 64 parabolas of |x|. */
#ifndef DGQC_GATE_H
#define DGQC_GATE_H

#include "dgqc_internal.h"
#include "dgqc_lanes.h"

enum { DGQC_PIECES = 64 };

static inline lanes dgqc_magnitude(lanes x)
{
    return lanes_maximum(x, lanes_subtract(lanes_splat(0), x));
}

/* x * g(x) in Q16, at most 2^31 - 2^16: -|x| * g(-|x|), and x more where x > 0. far: the place in the table in Q13. */
static inline lanes dgqc_gated(const int32_t *table, lanes x, lanes far)
{
    const lanes zero = lanes_splat(0), half = lanes_splat(1 << 14), last = lanes_splat(DGQC_PIECES * 8192 - 1);
    const lanes place = lanes_minimum_unsigned(far, last), piece = lanes_shift_right_unsigned(place, 13);
    const lanes t = lanes_subtract(lanes_and(place, lanes_splat(8191)), lanes_splat(4096));
    const lanes bend = lanes_multiply(lanes_entry(table + 2 * DGQC_PIECES, piece), t);
    const lanes slope =
        lanes_subtract(lanes_entry(table + DGQC_PIECES, piece), lanes_shift_right(lanes_add(bend, half), 15));
    const lanes rise = lanes_shift_right(lanes_add(lanes_multiply(slope, t), half), 15);
    const lanes below = lanes_subtract(lanes_entry(table, piece), rise);
    return lanes_subtract(lanes_shift_left(lanes_maximum(x, zero), 16), lanes_multiply(dgqc_magnitude(x), below));
}

/* saturate16((product * factor + half) >> shift) of the first `left` lanes. */
static inline void dgqc_store_gated(lanes product, lanes factor, int shift, int16_t *y, size_t left)
{
    if (shift >= 32) {
        const long_lanes half = long_lanes_splat((int64_t)1 << (shift - 1));
        const lanes scaled = long_lanes_upper(long_lanes_add(lanes_multiply_long(product, factor), half));
        lanes_store16_some(y, lanes_shift_right(scaled, shift - 32), left);
    } else {
        int32_t each[LANES], by[LANES];
        lanes_store(each, product);
        lanes_store(by, factor);
        for (size_t j = 0; j < LANES && j < left; j++) {
            y[j] = dgqc_saturate16(dgqc_round_shift((int64_t)each[j] * by[j], shift));
        }
    }
}

#endif
