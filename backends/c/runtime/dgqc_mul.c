/* Products of two values. */

#include "dgqc_pair.h"
#include "dgqc_scaling.h"

/* The upper 32 bits of a 64-bit product, which is all that a shift of 32 and more leaves. */
static inline int32_t upper(int32_t a, int32_t b, int64_t half)
{
    return (int32_t)(uint32_t)((uint64_t)((int64_t)a * b + half) >> 32);
}

void dgqc_mul_rows(const dgqc_mul_parameters *p, size_t step, dgqc_rows rows, const int16_t *a, const int16_t *b,
                   int16_t *y)
{
    const int32_t factor = p->factor[step], shift = p->shift[step];
    if (shift >= 32) {
        const int64_t half = (int64_t)1 << (shift - 1);
        const int32_t rest = shift - 32;
        DGQC_FOR_PAIR(&p->pair, rows, a, b, y, dgqc_saturate16_short(upper(a_value * b_value, factor, half) >> rest))
    } else {
        DGQC_FOR_PAIR(&p->pair, rows, a, b, y,
                      dgqc_saturate16(dgqc_round_shift((int64_t)(a_value * b_value) * factor, shift)))
    }
}
