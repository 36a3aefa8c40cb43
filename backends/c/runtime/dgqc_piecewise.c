/* Any function of one variable: a parabola in each of 384 pieces. */

#include "dgqc_internal.h"

enum { PER_SIGN = 192, EXACT_BITS = 4, PLACE_BITS = 10, FRACTION = 8 };

void dgqc_piecewise_rows(const dgqc_piecewise_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y)
{
    const int32_t *const table = p->table + step * 2 * PER_SIGN * 3;
    const int64_t low = p->low[step], high = p->high[step];
    for (size_t i = 0; i < rows.count * p->columns; i++) {
        const int32_t size = x[i] < 0 ? -1 - x[i] : x[i];
        /* 0 for the first 32 numbers, which are pieces by themselves; then one more for each octave. */
        const int32_t octave = size < 32 ? 0 : dgqc_floor_log2(size) - EXACT_BITS;
        const int32_t piece = (size >> octave) + octave * (1 << EXACT_BITS) + (x[i] < 0 ? PER_SIGN : 0);
        const int32_t rest = size & ((1 << octave) - 1), place = 2 * rest + 1 - (1 << octave);
        const int64_t t = octave == 0 ? 0 : place * (1 << (PLACE_BITS - octave));
        const int32_t *const curve = table + piece * 3;
        const int64_t bent = curve[1] + dgqc_round_shift(curve[2] * t, PLACE_BITS);
        const int64_t value = dgqc_round_shift(curve[0] + dgqc_round_shift(bent * t, PLACE_BITS), FRACTION);
        y[i] = dgqc_saturate16(value < low ? low : value > high ? high : value);
    }
}
