/* Sums of two values of different scales. */

#include "dgqc_pair.h"
#include "dgqc_scaling.h"

void dgqc_add_rows(const dgqc_add_parameters *p, size_t step, dgqc_rows rows, const int16_t *a, const int16_t *b,
                   int16_t *y)
{
    const int32_t shift = p->shift[step];
    if (dgqc_short_shift(shift)) {
        const dgqc_halves a_factor = dgqc_split(p->a_factor[step]), b_factor = dgqc_split(p->b_factor[step]);
        const int32_t half = dgqc_short_half(shift), rest = shift - 16;
        DGQC_FOR_PAIR(&p->pair, rows, a, b, y,
                      dgqc_saturate16_short((dgqc_sum_short(a_value, a_factor, b_value, b_factor) + half) >> rest))
    } else {
        const int64_t a_factor = p->a_factor[step], b_factor = p->b_factor[step];
        DGQC_FOR_PAIR(&p->pair, rows, a, b, y,
                      dgqc_saturate16(dgqc_round_shift(a_value * a_factor + b_value * b_factor, shift)))
    }
}
