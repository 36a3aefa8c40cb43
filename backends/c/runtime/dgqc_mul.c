#include "dgqc_pair.h"

void dgqc_mul(const dgqc_mul_parameters *p, size_t step, const int16_t *a, const int16_t *b, int16_t *y)
{
    const int64_t factor = p->factor[step];
    const int32_t shift = p->shift[step];
    DGQC_FOR_PAIR(&p->pair, a, b, y,
                  dgqc_saturate16(dgqc_round_shift((int32_t)a_value * b_value * factor, shift)));
}
