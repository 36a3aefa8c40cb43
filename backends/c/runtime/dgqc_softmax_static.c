/* Probabilities as steps of a scale that calibration found. */

#include "dgqc_softmax.h"

/* round(2^-octaves * inverse) up to `last`; best: of the row. */
static int32_t code_of(int64_t octaves, int64_t inverse, int32_t shift, int32_t last)
{
    const int64_t power = dgqc_exp2_negative((uint32_t)(octaves < UINT32_MAX ? octaves : UINT32_MAX));
    const int64_t code = dgqc_round_shift(power * inverse, shift);
    return code < last ? (int32_t)code : last;
}

/* The same for lanes and a shift of 32 or more, where the upper half of the product holds the code. */
static void codes_of(const dgqc_softmax_row *row, int32_t inverse, int32_t shift, int32_t last, uint8_t *codes)
{
    const int32_t nothing = 32 << 16; /* octaves below which a power is 0 in Q30 */
    const lanes top = lanes_splat(row->largest), cap = lanes_splat(nothing), most = lanes_splat(last);
    const lanes rest = lanes_splat(dgqc_capped(row->best, nothing)), factor = lanes_splat(inverse);
    const long_lanes half = long_lanes_splat((int64_t)1 << (shift - 1));
    for (size_t j = 0; j < row->keys; j += LANES) {
        const size_t left = row->keys - j;
        const int whole = left >= LANES;
        const lanes x = whole ? lanes_load(row->logits + j) : lanes_load_some(row->logits + j, left, 0);
        const lanes below = lanes_minimum_unsigned(lanes_subtract(top, x), cap);
        const lanes power = lanes_exp2_negative(lanes_add(below, rest));
        const long_lanes product = long_lanes_add(lanes_multiply_long(power, factor), half);
        const lanes code = lanes_minimum_unsigned(lanes_shift_right(long_lanes_upper(product), shift - 32), most);
        if (whole) {
            lanes_store8(codes + j, code);
        } else {
            lanes_store8_some(codes + j, code, left);
        }
    }
}

void dgqc_softmax_static_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows,
                              const int32_t *logits, uint8_t *codes, int32_t *mantissa, int32_t *exponent,
                              int32_t *first, const void *shared)
{
    const int32_t inverse = p->inverse[step], shift = p->shift[step], last = (1 << p->bits) - 1;
    for (size_t i = 0; i < rows.count; i++, codes += p->keys - (size_t)p->start) {
        const dgqc_softmax_row row = dgqc_softmax_read(p, logits + i * p->keys, shared, rows.first + i);
        if (shift >= 32) {
            codes_of(&row, inverse, shift, last, codes);
        } else {
            for (size_t j = 0; j < row.keys; j++) {
                codes[j] = (uint8_t)code_of(row.best + row.largest - row.logits[j], inverse, shift, last);
            }
        }
        mantissa[i] = p->mantissa[step];
        exponent[i] = p->exponent[step];
        first[i] = dgqc_softmax_first(p, &row);
    }
}
