/* What the three softmax kernels share. -log2 softmax of a logit is `lift - logit`, in Q16 octaves, where
 * lift = largest + log2(sum_j 2^(logit_j - largest)) of its row. */
#ifndef DGQC_SOFTMAX_H
#define DGQC_SOFTMAX_H

#include "dgqc_internal.h"
#include "dgqc_lanes.h"

/* One row of logits. The keys that are quantized: all, or all but the first. */
typedef struct {
    const int32_t *logits; /* of the quantized keys */
    size_t keys;
    int32_t largest; /* of these */
    int64_t best;    /* the smallest -log2 probability of these: lift - largest */
} dgqc_softmax_row;

/* shared: what dgqc_softmax_reduce_end left, or NULL where rows have scales of their own. index: of the row. */
dgqc_softmax_row dgqc_softmax_read(const dgqc_softmax_parameters *p, const int32_t *logits, const void *shared,
                                   size_t index);

/* The same in two steps, where the row's scale is its own: first without `best`; then with it, from the sum of
 * 2^(logit - row->largest) over the quantized keys, in Q30. */
dgqc_softmax_row dgqc_softmax_look(const dgqc_softmax_parameters *p, const int32_t *logits);
void dgqc_softmax_weigh(const dgqc_softmax_parameters *p, dgqc_softmax_row *row, int64_t total);

/* What a code counts in: `below` octaves (Q16) below the largest probability of the row, or of the sample. Returns how
 * far the row's best lies below the largest, in octaves >= 0. */
int64_t dgqc_softmax_scale(const dgqc_softmax_row *row, const void *shared, int64_t below, int32_t *mantissa,
                           int32_t *exponent);

/* The first key's probability in Q15, 0 where it isn't kept apart. */
int32_t dgqc_softmax_first(const dgqc_softmax_parameters *p, const dgqc_softmax_row *row);

static inline int32_t dgqc_capped(int64_t octaves, int32_t cap)
{
    return octaves < cap ? (int32_t)octaves : cap;
}

/* dgqc_exp2_negative of every lane. Its slopes are of 16 bits, so that their products are, too; the last slope,
 * 64239 - x, is 2^16 - 1297 - x. */
static inline lanes lanes_exp2_negative(lanes z)
{
    const lanes t = lanes_xor(lanes_and(z, lanes_splat(65535)), lanes_splat(32768)); /* an int16_t */
    lanes slope = lanes_subtract(lanes_splat(5186), lanes_upper16(t, lanes_splat(875)));
    slope = lanes_subtract(lanes_splat(22271), lanes_upper16(slope, t));
    slope = lanes_add(lanes_splat(1297), lanes_upper16(slope, t));
    const lanes highest = lanes_splat((int32_t)(1779007487U + (1U << 31))); /* t * 2^16 is z * 2^16 - 2^31 */
    const lanes fraction = lanes_dot16(lanes_subtract(highest, lanes_shift_left(z, 16)), slope, t);
    const lanes mantissa = lanes_add(lanes_shift_right_unsigned(fraction, 3), lanes_splat((1 << 29) + 1));
    return lanes_shift_right_unsigned_each(mantissa, lanes_shift_right_unsigned(z, 16));
}

#endif
