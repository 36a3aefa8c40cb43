#include "dgqc_softmax.h"

void dgqc_softmax_static(const dgqc_softmax_parameters *p, size_t step, const int32_t *logits, uint8_t *codes,
                         int32_t *mantissa, int32_t *exponent, int32_t *first, void *scratch)
{
    const int64_t inverse = p->inverse[step], last = (1 << p->bits) - 1;
    (void)scratch;
    for (size_t row = 0; row < p->rows; row++) {
        const int32_t *from = logits + row * p->keys;
        const int64_t lift = dgqc_softmax_lift(from, p->keys);
        for (size_t j = (size_t)p->start; j < p->keys; j++) {
            const int64_t z = lift - from[j];
            const int64_t share = dgqc_exp2_negative((uint32_t)(z < UINT32_MAX ? z : UINT32_MAX));
            const int64_t code = dgqc_round_shift(share * inverse, p->shift[step]);
            *codes++ = (uint8_t)(code < last ? code : last);
        }
        mantissa[row] = p->mantissa[step];
        exponent[row] = p->exponent[step];
        first[row] = dgqc_softmax_first(p, from, lift);
    }
}
