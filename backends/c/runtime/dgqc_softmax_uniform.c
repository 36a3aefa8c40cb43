#include "dgqc_softmax.h"

void dgqc_softmax_uniform(const dgqc_softmax_parameters *p, const int32_t *logits, uint8_t *codes,
                          int32_t *mantissa, int32_t *exponent, int32_t *first, void *scratch)
{
    int64_t *lifts = scratch;
    const int64_t of_sample = dgqc_softmax_lifts(p, logits, lifts);
    const int64_t last = (1 << p->bits) - 1;
    for (size_t row = 0; row < p->rows; row++) {
        const int32_t *from = logits + row * p->keys;
        const int64_t best = p->per_row ? dgqc_softmax_best(p, from, lifts[row]) : of_sample;
        const int64_t base = lifts[row] - best;
        for (size_t j = (size_t)p->start; j < p->keys; j++) {
            const int64_t z = base - from[j];
            const int64_t share = dgqc_exp2_negative((uint32_t)(z < UINT32_MAX ? z : UINT32_MAX));
            *codes++ = (uint8_t)dgqc_round_shift(share * last, 30);
        }
        dgqc_softmax_scale(best, mantissa + row, exponent + row);
        first[row] = dgqc_softmax_first(p, from, lifts[row]);
    }
}
