#include "dgqc_pair.h"

void dgqc_add(const dgqc_add_parameters *p, size_t step, const int16_t *a, const int16_t *b, int16_t *y)
{
    const int64_t a_factor = p->a_factor[step], b_factor = p->b_factor[step];
    const int32_t shift = p->shift[step];
    DGQC_FOR_PAIR(&p->pair, a, b, y,
                  dgqc_saturate16(dgqc_round_shift(a_value * a_factor + b_value * b_factor, shift)));
}
