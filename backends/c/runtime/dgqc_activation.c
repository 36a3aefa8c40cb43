/* SiLU and GELU: x * g(x), with g as 64 parabolas of |x|. */

#include "dgqc_internal.h"
#include "dgqc_lanes.h"

enum { PIECES = 64 };

/* x * g(x) in Q16, at most 2^31 - 2^16: -|x| * g(-|x|), and x more where x > 0. */
static inline lanes gated(const int32_t *table, lanes x, lanes index_factor, int index_shift)
{
    const lanes zero = lanes_splat(0), half = lanes_splat(1 << 14), last = lanes_splat(PIECES * 8192 - 1);
    const lanes size = lanes_maximum(x, lanes_subtract(zero, x));
    const lanes far = lanes_shift_right_unsigned(lanes_multiply(size, index_factor), index_shift);
    const lanes place = lanes_minimum_unsigned(far, last), piece = lanes_shift_right_unsigned(place, 13);
    const lanes t = lanes_subtract(lanes_and(place, lanes_splat(8191)), lanes_splat(4096));
    const lanes bend = lanes_multiply(lanes_entry(table + 2 * PIECES, piece), t);
    const lanes slope = lanes_subtract(lanes_entry(table + PIECES, piece), lanes_shift_right(lanes_add(bend, half), 15));
    const lanes rise = lanes_shift_right(lanes_add(lanes_multiply(slope, t), half), 15);
    const lanes below = lanes_subtract(lanes_entry(table, piece), rise);
    return lanes_subtract(lanes_shift_left(lanes_maximum(x, zero), 16), lanes_multiply(size, below));
}

void dgqc_activation_rows(const dgqc_activation_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y)
{
    /* |x| * index_factor stays below 2^31: nothing is left beyond a shift of 31. */
    const int shift = p->shift[step], index_shift = p->index_shift[step] < 31 ? p->index_shift[step] : 31;
    const lanes index_factor = lanes_splat(p->index_factor[step]), factor = lanes_splat(p->factor[step]);
    const long_lanes half = long_lanes_splat((int64_t)1 << (shift - 1));
    const size_t count = rows.count * p->columns;
    for (size_t i = 0; i < count; i += LANES) {
        const size_t left = count - i;
        const lanes product = gated(p->table, lanes_load16_some(x + i, left), index_factor, index_shift);
        if (shift >= 32) {
            const lanes scaled = long_lanes_upper(long_lanes_add(lanes_multiply_long(product, factor), half));
            lanes_store16_some(y + i, lanes_shift_right(scaled, shift - 32), left);
        } else {
            int32_t each[LANES];
            lanes_store(each, product);
            for (size_t j = 0; j < LANES && j < left; j++) {
                y[i + j] = dgqc_saturate16(dgqc_round_shift((int64_t)each[j] * p->factor[step], shift));
            }
        }
    }
}
