/* Softmax of 16-bit rows to 16-bit shares. */

#include "dgqc_internal.h"

static uint32_t octaves(const dgqc_softmax_shares_parameters *p, size_t step, int32_t below)
{
    const int64_t z = dgqc_round_shift((int64_t)below * p->octave_factor[step], p->octave_shift[step]);
    return z < 1 << 22 ? (uint32_t)z : (uint32_t)1 << 22;
}

void dgqc_softmax_shares_rows(const dgqc_softmax_shares_parameters *p, size_t step, dgqc_rows rows, const int16_t *x,
                              int16_t *y)
{
    for (size_t r = 0; r < rows.count; r++, x += p->columns, y += p->columns) {
        int32_t largest = INT16_MIN;
        for (size_t c = 0; c < p->columns; c++) {
            largest = x[c] > largest ? x[c] : largest;
        }
        int64_t sum = 0;
        for (size_t c = 0; c < p->columns; c++) {
            sum += dgqc_exp2_negative(octaves(p, step, largest - x[c]));
        }
        for (size_t c = 0; c < p->columns; c++) {
            const int64_t power = dgqc_exp2_negative(octaves(p, step, largest - x[c]));
            const int64_t share = (power * ((int64_t)1 << 30)) / sum;
            y[c] = dgqc_saturate16(dgqc_round_shift(share * p->factor[step], p->shift[step]));
        }
    }
}
