#include "dgqc_internal.h"

void dgqc_rescale(const dgqc_rescale_parameters *p, size_t step, const int16_t *x, int16_t *y)
{
    const int64_t factor = p->factor[step];
    const int32_t shift = p->shift[step];
    for (size_t i = 0; i < p->count; i++) {
        y[i] = dgqc_saturate16(dgqc_round_shift(x[i] * factor, shift));
    }
}
