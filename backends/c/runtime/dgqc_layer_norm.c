#include "dgqc_norm.h"

void dgqc_layer_norm(const dgqc_norm_parameters *p, size_t step, const int16_t *x, int16_t *y, void *scratch)
{
    const dgqc_gains gains = dgqc_derive_gains(p, step, &scratch);
    for (size_t row = 0; row < p->groups; row++) {
        const int16_t *from = x + row * p->channels;
        int16_t *to = y + row * p->channels;
        int32_t mean, half;
        int64_t energy;
        dgqc_moments(from, 1, 0, p->channels, &mean, &energy);
        const int64_t root = dgqc_reciprocal_root(energy + p->epsilon[step], &half);
        for (size_t c = 0; c < p->channels; c++) {
            const dgqc_slope slope = dgqc_slope_of(root, half, gains.gain[c], p->gamma_shift[step]);
            to[c] = dgqc_affine(from[c], mean, slope, gains.offset[c]);
        }
    }
}
