#include "dgqc_norm.h"

dgqc_gains dgqc_derive_gains(const dgqc_norm_parameters *p, size_t step, void **scratch)
{
    dgqc_gains gains;
    gains.gain = dgqc_take(scratch, p->channels * sizeof(int32_t));
    gains.offset = dgqc_take(scratch, p->channels * sizeof(int64_t));
    const int64_t gamma_factor = p->gamma_factor[step], beta_factor = p->beta_factor[step];
    for (size_t c = 0; c < p->channels; c++) {
        gains.gain[c] = (int32_t)dgqc_round_shift(p->gamma[c] * gamma_factor, 31);
        gains.offset[c] = dgqc_round_shift(p->beta[c] * beta_factor, p->beta_shift[step]);
    }
    return gains;
}

void dgqc_moments(const int16_t *x, size_t rows, size_t row_stride, size_t length, int32_t *mean, int64_t *energy)
{
    int64_t sum = 0, squares = 0;
    const size_t count = rows * length;
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < length; i++) {
            sum += x[r * row_stride + i];
        }
    }
    /* floor((32 sum + count) / (2 count)): C divides towards zero, so the rest of a negative one is mended. */
    const int64_t over = 32 * sum + (int64_t)count, under = 2 * (int64_t)count;
    *mean = (int32_t)(over / under - (over % under < 0 ? 1 : 0));
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < length; i++) {
            const int64_t centered = 16 * (int32_t)x[r * row_stride + i] - *mean;
            squares += centered * centered;
        }
    }
    *energy = squares;
}
