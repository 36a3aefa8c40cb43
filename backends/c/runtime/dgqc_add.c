#include "dgqc_pair.h"

void dgqc_add_rows(const dgqc_add_parameters *p, size_t step, dgqc_rows rows, const int16_t *a, const int16_t *b,
                   int16_t *y)
{
    const int32_t a_factor = p->a_factor[step], b_factor = p->b_factor[step], shift = p->shift[step];
    const int64_t half = (int64_t)1 << (shift - 1);
    DGQC_FOR_PAIR(&p->pair, rows, a, b, y,
                  dgqc_saturate16(((int64_t)a_value * a_factor + (int64_t)b_value * b_factor + half) >> shift))
}
