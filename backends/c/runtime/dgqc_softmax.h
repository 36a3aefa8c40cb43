/* What the three softmax kernels share: -log2 softmax of a row is `lift - logit`, in Q16 octaves. */
#ifndef DGQC_SOFTMAX_H
#define DGQC_SOFTMAX_H

#include "dgqc_internal.h"

/* largest + log2(sum_j 2^(logit_j - largest)) of one row. */
int64_t dgqc_softmax_lift(const int32_t *logits, size_t keys);

/* Writes lifts[row] and returns the smallest -log2 probability of the quantized keys of all rows. */
int64_t dgqc_softmax_lifts(const dgqc_softmax_parameters *p, const int32_t *logits, int64_t *lifts);

/* Smallest -log2 probability of one row's quantized keys. */
int64_t dgqc_softmax_best(const dgqc_softmax_parameters *p, const int32_t *logits, int64_t lift);

/* 2^-octaves = mantissa * 2^-15 * 2^-exponent. */
void dgqc_softmax_scale(int64_t octaves, int32_t *mantissa, int32_t *exponent);

/* The first key's probability in Q15, 0 where it isn't kept apart. */
int32_t dgqc_softmax_first(const dgqc_softmax_parameters *p, const int32_t *logits, int64_t lift);

#endif
