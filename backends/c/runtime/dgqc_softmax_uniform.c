/* Probabilities as steps of a scale that the row, or the sample, has. */

#include "dgqc_softmax.h"

/* (power * (2^bits - 1) + 2^29) >> 30 of lanes in 0 .. 2^30, in 32 bits: a rounded division by 2^bits takes the place of
 * what the product has too much. */
static inline lanes code_of(lanes power, int bits)
{
    const lanes excess = lanes_shift_right_unsigned(lanes_add(power, lanes_splat((1 << bits) - 1)), bits);
    const lanes rounded = lanes_add(power, lanes_splat(1 << (29 - bits)));
    return lanes_shift_right_unsigned(lanes_subtract(rounded, excess), 30 - bits);
}

static inline void store(uint8_t *codes, lanes code, size_t left)
{
    if (left >= LANES) {
        lanes_store8(codes, code);
    } else {
        lanes_store8_some(codes, code, left);
    }
}

/* round(2^-octaves below the scale * (2^bits - 1)). lower: how far the row's largest lies below the scale. */
static void codes_below(const dgqc_softmax_row *row, int64_t lower, int bits, uint8_t *codes)
{
    const int32_t nothing = 32 << 16; /* octaves below which a power is 0 in Q30 */
    const lanes top = lanes_splat(row->largest), cap = lanes_splat(nothing);
    const lanes rest = lanes_splat(dgqc_capped(lower, nothing));
    for (size_t j = 0; j < row->keys; j += LANES) {
        const size_t left = row->keys - j;
        const lanes x = left >= LANES ? lanes_load(row->logits + j) : lanes_load_some(row->logits + j, left, 0);
        const lanes below = lanes_minimum_unsigned(lanes_subtract(top, x), cap);
        store(codes + j, code_of(lanes_exp2_negative(lanes_add(below, rest)), bits), left);
    }
}

/* 2^-octaves of the key and those after it. */
static inline lanes powers_at(const dgqc_softmax_row *row, size_t key)
{
    return lanes_exp2_negative(lanes_subtract(lanes_splat(row->largest), lanes_load(row->logits + key)));
}

/* The same for a row with a scale of its own. Returns the sum of its powers of 2, in Q30: two fit 32 bits. */
static int64_t codes_and_total(const dgqc_softmax_row *row, int bits, uint8_t *codes)
{
    const lanes top = lanes_splat(row->largest);
    long_lanes total = long_lanes_splat(0);
    size_t j = 0;
    for (; j + 4 * LANES <= row->keys; j += 4 * LANES) {
        const lanes a = powers_at(row, j), b = powers_at(row, j + LANES);
        const lanes c = powers_at(row, j + 2 * LANES), d = powers_at(row, j + 3 * LANES);
        lanes_store8_four(codes + j, code_of(a, bits), code_of(b, bits), code_of(c, bits), code_of(d, bits));
        total = long_lanes_add(total, lanes_widen_unsigned(lanes_add(a, b)));
        total = long_lanes_add(total, lanes_widen_unsigned(lanes_add(c, d)));
    }
    for (; j < row->keys; j += LANES) {
        const size_t left = row->keys - j;
        const lanes x = lanes_load_some(row->logits + j, left, row->largest);
        const lanes power = lanes_keep(lanes_exp2_negative(lanes_subtract(top, x)), left);
        store(codes + j, code_of(power, bits), left);
        total = long_lanes_add(total, lanes_widen_unsigned(power));
    }
    return long_lanes_total(total);
}

void dgqc_softmax_uniform_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows,
                               const int32_t *logits, uint8_t *codes, int32_t *mantissa, int32_t *exponent,
                               int32_t *first, const void *shared)
{
    const int64_t below = dgqc_log2((1 << p->bits) - 1); /* a code is a step of the scale */
    (void)step;
    for (size_t i = 0; i < rows.count; i++, logits += p->keys, codes += p->keys - (size_t)p->start) {
        dgqc_softmax_row row;
        if (shared == NULL) {
            row = dgqc_softmax_look(p, logits);
            dgqc_softmax_weigh(p, &row, codes_and_total(&row, p->bits, codes));
            dgqc_softmax_scale(&row, NULL, below, mantissa + i, exponent + i);
        } else {
            row = dgqc_softmax_read(p, logits, shared, rows.first + i);
            codes_below(&row, dgqc_softmax_scale(&row, shared, below, mantissa + i, exponent + i), p->bits, codes);
        }
        first[i] = dgqc_softmax_first(p, &row);
    }
}
