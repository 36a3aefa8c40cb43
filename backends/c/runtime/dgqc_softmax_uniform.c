/* Probabilities as steps of a scale that the row, or the sample, has. */

#include "dgqc_softmax.h"

/* (share * last + 2^29) >> 30 of lanes in 0 .. 2^30, last below 2^8, in 32 bits. */
static inline lanes scaled(lanes share, lanes last)
{
    const lanes upper = lanes_multiply(lanes_shift_right_unsigned(share, 15), last);
    const lanes lower = lanes_multiply(lanes_and(share, lanes_splat(32767)), last);
    const lanes carried = lanes_shift_right_unsigned(lanes_add(lower, lanes_splat(1 << 29)), 15);
    return lanes_shift_right_unsigned(lanes_add(upper, carried), 15);
}

/* round(2^-octaves below the scale * last). lower: how far the row's largest lies below the scale. */
static void codes_of(const dgqc_softmax_row *row, int64_t lower, int last, uint8_t *codes)
{
    const int32_t nothing = 32 << 16; /* octaves below which a share is 0 in Q30 */
    const lanes top = lanes_splat(row->largest), cap = lanes_splat(nothing);
    const lanes rest = lanes_splat(dgqc_capped(lower, nothing)), factor = lanes_splat(last);
    for (size_t j = 0; j < row->keys; j += LANES) {
        const size_t left = row->keys - j;
        const int whole = left >= LANES;
        const lanes x = whole ? lanes_load(row->logits + j) : lanes_load_some(row->logits + j, left, 0);
        const lanes below = lanes_minimum_unsigned(lanes_subtract(top, x), cap);
        const lanes code = scaled(lanes_exp2_negative(lanes_add(below, rest)), factor);
        if (whole) {
            lanes_store8(codes + j, code);
        } else {
            lanes_store8_some(codes + j, code, left);
        }
    }
}

void dgqc_softmax_uniform_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows,
                               const int32_t *logits, uint8_t *codes, int32_t *mantissa, int32_t *exponent,
                               int32_t *first, const void *shared)
{
    (void)step;
    for (size_t i = 0; i < rows.count; i++) {
        const dgqc_softmax_row row = dgqc_softmax_read(p, logits + i * p->keys, shared, rows.first + i);
        const int64_t lower = dgqc_softmax_scale(&row, shared, mantissa + i, exponent + i);
        codes_of(&row, lower, (1 << p->bits) - 1, codes + i * row.keys);
        first[i] = dgqc_softmax_first(p, &row);
    }
}
