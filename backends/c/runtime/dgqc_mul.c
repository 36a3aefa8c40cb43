#include "dgqc_pair.h"

void dgqc_mul_rows(const dgqc_mul_parameters *p, size_t step, dgqc_rows rows, const int16_t *a, const int16_t *b,
                   int16_t *y)
{
    const int32_t factor = p->factor[step], shift = p->shift[step];
    const int64_t half = (int64_t)1 << (shift - 1);
    DGQC_FOR_PAIR(&p->pair, rows, a, b, y,
                  dgqc_saturate16(((int64_t)((int32_t)a_value * b_value) * factor + half) >> shift))
}
