/* Rows over the roots of their mean squares. */

#include "dgqc_internal.h"

void dgqc_rms_norm_rows(const dgqc_rms_norm_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y)
{
    for (size_t r = 0; r < rows.count; r++, x += p->channels, y += p->channels) {
        int64_t sum = 0;
        for (size_t c = 0; c < p->channels; c++) {
            sum += (int32_t)x[c] * x[c];
        }
        int32_t half;
        const int64_t root = dgqc_reciprocal_root(256 * sum + p->epsilon[step], &half);
        const int32_t shift = half + p->gamma_shift[step] + 10;
        for (size_t c = 0; c < p->channels; c++) {
            const int64_t gain = dgqc_round_shift((int64_t)p->gamma[c] * p->gamma_factor[step], 31);
            const int64_t product = x[c] * ((root * gain) >> 31);
            y[c] = dgqc_saturate16(shift < 1 ? dgqc_shift_left(product, -shift)
                                             : dgqc_round_shift(product, shift > 62 ? 62 : shift));
        }
    }
}
