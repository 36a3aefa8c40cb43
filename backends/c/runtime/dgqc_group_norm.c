#include "dgqc_norm.h"

void dgqc_group_norm(const dgqc_norm_parameters *p, size_t step, const int16_t *x, int16_t *y, void *scratch)
{
    const dgqc_gains gains = dgqc_derive_gains(p, step, &scratch);
    const size_t channels = p->channels / p->groups;
    for (size_t group = 0; group < p->groups; group++) {
        int32_t mean, half;
        int64_t energy;
        dgqc_moments(x + group * channels, p->elements, p->channels, channels, &mean, &energy);
        const int64_t root = dgqc_reciprocal_root(energy + p->epsilon[step], &half);
        for (size_t c = group * channels; c < (group + 1) * channels; c++) {
            const dgqc_slope slope = dgqc_slope_of(root, half, gains.gain[c], p->gamma_shift[step]);
            const int64_t offset = gains.offset[c];
            for (size_t i = c; i < p->elements * p->channels; i += p->channels) {
                y[i] = dgqc_affine(x[i], mean, slope, offset);
            }
        }
    }
}
