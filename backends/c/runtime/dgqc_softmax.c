#include "dgqc_softmax.h"

int64_t dgqc_softmax_lift(const int32_t *logits, size_t keys)
{
    int32_t largest = logits[0];
    for (size_t j = 1; j < keys; j++) {
        largest = logits[j] > largest ? logits[j] : largest;
    }
    int64_t total = 0;
    for (size_t j = 0; j < keys; j++) {
        total += dgqc_exp2_negative((uint32_t)largest - (uint32_t)logits[j]);
    }
    return largest + dgqc_log2(total) - ((int64_t)30 << 16);
}

int64_t dgqc_softmax_best(const dgqc_softmax_parameters *p, const int32_t *logits, int64_t lift)
{
    int32_t largest = logits[p->start];
    for (size_t j = (size_t)p->start + 1; j < p->keys; j++) {
        largest = logits[j] > largest ? logits[j] : largest;
    }
    return lift - largest;
}

int64_t dgqc_softmax_lifts(const dgqc_softmax_parameters *p, const int32_t *logits, int64_t *lifts)
{
    int64_t smallest = INT64_MAX;
    for (size_t row = 0; row < p->rows; row++) {
        lifts[row] = dgqc_softmax_lift(logits + row * p->keys, p->keys);
        const int64_t best = dgqc_softmax_best(p, logits + row * p->keys, lifts[row]);
        smallest = best < smallest ? best : smallest;
    }
    return smallest;
}

/* 2^-z, z: int64_t >= 0 in Q16. */
static int32_t exp2_of(int64_t z)
{
    return dgqc_exp2_negative((uint32_t)(z < UINT32_MAX ? z : UINT32_MAX));
}

void dgqc_softmax_scale(int64_t octaves, int32_t *mantissa, int32_t *exponent)
{
    const int64_t whole = octaves >> 16;
    *mantissa = (int32_t)dgqc_round_shift(exp2_of(octaves & 65535), 15);
    *exponent = (int32_t)(whole < 40 ? whole : 40); /* ir/ops/attention.py: MAX_EXPONENT */
}

int32_t dgqc_softmax_first(const dgqc_softmax_parameters *p, const int32_t *logits, int64_t lift)
{
    return p->start ? (int32_t)dgqc_round_shift(exp2_of(lift - logits[0]), 15) : 0;
}
