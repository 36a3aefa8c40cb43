/* Sums of two 16-bit values times factors, in vectors: both values stand side by side in a lane, and so do their factors'
 * halves. With factor = high * 2^16 + low, low from -2^15 to 2^15 - 1, and nothing below 2^16 in the rounding half,
 *     floor((a a' + b b' + half) / 2^16) = a a'.high + b b'.high + floor((a a'.low + b b'.low) / 2^16) + half / 2^16. */
#ifndef DGQC_SUMS_H
#define DGQC_SUMS_H

#include "dgqc_lanes.h"
#include "dgqc_scaling.h"

#if LANES > 1
#define DGQC_SUMS

/* The halves of two factors, as a lane holds them. */
typedef struct {
    int16_t high[2], low[2];
} dgqc_sum_factors;

/* Factors at most 2^30. */
static inline dgqc_sum_factors dgqc_sum_factors_of(int32_t a, int32_t b)
{
    const int32_t a_high = (a + 32768) >> 16, b_high = (b + 32768) >> 16;
    const dgqc_sum_factors factors = {{(int16_t)a_high, (int16_t)b_high},
                                      {(int16_t)(a - a_high * 65536), (int16_t)(b - b_high * 65536)}};
    return factors;
}

/* Whether a lane holds two products with the low halves: all but 2^31 of two times -2^15 by -2^15. */
static inline int dgqc_sum_fits(const dgqc_sum_factors *factors)
{
    return factors->low[0] != INT16_MIN || factors->low[1] != INT16_MIN;
}

static inline lanes dgqc_sum_of(lanes a, lanes b, lanes high, lanes low, lanes half, int rest)
{
    const lanes both = lanes_add(lanes_and(a, lanes_splat(65535)), lanes_shift_left(b, 16));
    const lanes lower = lanes_shift_right(lanes_dot16(lanes_splat(0), both, low), 16);
    return lanes_shift_right(lanes_dot16(lanes_add(lower, half), both, high), rest);
}

/* A line of sums. high, low: of each column, or, where `moves` is 0, of all. shift: a short one. */
DGQC_IN_PLACE void dgqc_sum_line(const int16_t *a, const int16_t *b, const int16_t *high, const int16_t *low, int moves,
                                 int32_t shift, size_t count, int16_t *y)
{
    const lanes half = lanes_splat(dgqc_short_half(shift));
    lanes highs = lanes_splat_word(high), lows = lanes_splat_word(low);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        if (moves) {
            highs = lanes_load_words(high + 2 * i), lows = lanes_load_words(low + 2 * i);
        }
        lanes_store16(y + i, dgqc_sum_of(lanes_load16(a + i), lanes_load16(b + i), highs, lows, half, shift - 16));
    }
    if (i < count) {
        const size_t some = count - i;
        if (moves) {
            int16_t last[2][2 * LANES] = {{0}};
            memcpy(last[0], high + 2 * i, 2 * some * sizeof *high);
            memcpy(last[1], low + 2 * i, 2 * some * sizeof *low);
            highs = lanes_load_words(last[0]), lows = lanes_load_words(last[1]);
        }
        lanes_store16_some(y + i,
                           dgqc_sum_of(lanes_load16_some(a + i, some), lanes_load16_some(b + i, some), highs, lows, half,
                                       shift - 16),
                           some);
    }
}
#endif

#endif
