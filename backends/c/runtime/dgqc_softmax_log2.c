/* Probabilities as octaves below the scale. */

#include "dgqc_softmax.h"

/* min((octaves below the scale + 1/2) >> 16, limit). lower: how far the row's largest lies below the scale. */
static void codes_of(const dgqc_softmax_row *row, int64_t lower, int limit, uint8_t *codes)
{
    const int32_t last = limit << 16;
    const lanes top = lanes_splat(row->largest), cap = lanes_splat(last);
    const lanes rest = lanes_splat(dgqc_capped(lower, last) + 32768), most = lanes_splat(limit);
    for (size_t j = 0; j < row->keys; j += LANES) {
        const size_t left = row->keys - j;
        const int whole = left >= LANES;
        const lanes x = whole ? lanes_load(row->logits + j) : lanes_load_some(row->logits + j, left, 0);
        const lanes below = lanes_minimum_unsigned(lanes_subtract(top, x), cap);
        const lanes code = lanes_shift_right_unsigned(lanes_add(below, rest), 16);
        if (whole) {
            lanes_store8(codes + j, lanes_minimum_unsigned(code, most));
        } else {
            lanes_store8_some(codes + j, lanes_minimum_unsigned(code, most), left);
        }
    }
}

void dgqc_softmax_log2_rows(const dgqc_softmax_parameters *p, size_t step, dgqc_rows rows, const int32_t *logits,
                            uint8_t *codes, int32_t *mantissa, int32_t *exponent, int32_t *first,
                            const void *shared)
{
    (void)step;
    for (size_t i = 0; i < rows.count; i++) {
        const dgqc_softmax_row row = dgqc_softmax_read(p, logits + i * p->keys, shared, rows.first + i);
        const int64_t lower = dgqc_softmax_scale(&row, shared, 0, mantissa + i, exponent + i);
        codes_of(&row, lower, p->limit, codes + i * row.keys);
        first[i] = dgqc_softmax_first(p, &row);
    }
}
