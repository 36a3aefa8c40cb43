/* Values at another scale. */

#include "dgqc_scaling.h"

static void rescale_short(const int16_t *restrict x, dgqc_halves factor, int32_t half, int32_t rest, size_t count,
                          int16_t *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        const int32_t scaled = x[i] * factor.high + ((x[i] * factor.low) >> 16);
        y[i] = dgqc_saturate16_short((scaled + half) >> rest);
    }
}

static void rescale_long(const int16_t *restrict x, int64_t factor, int32_t shift, size_t count, int16_t *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = dgqc_saturate16(dgqc_round_shift(x[i] * factor, shift));
    }
}

void dgqc_rescale_rows(const dgqc_rescale_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y)
{
    const int32_t factor = p->factor[step], shift = p->shift[step];
    const size_t count = rows.count * p->columns;
    if (dgqc_short_shift(shift)) {
        rescale_short(x, dgqc_split(factor), dgqc_short_half(shift), shift - 16, count, y);
    } else {
        rescale_long(x, factor, shift, count, y);
    }
}
