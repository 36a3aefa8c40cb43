/* Activation functions of values whose columns have scales of their own. */

#include "dgqc_gate.h"

/* 2^(i / 4) in Q30. */
static const int32_t quarters[4] = {1073741824, 1276901417, 1518500250, 1805811301};

/* Prepared: index_factor, index_shift and factor of each column. */
void dgqc_activation_columns_prepare(const dgqc_activation_columns_parameters *p, size_t step, void *shared)
{
    int32_t *const factor = dgqc_take(&shared, p->columns * sizeof(int32_t));
    int32_t *const shift = dgqc_take(&shared, p->columns * sizeof(int32_t));
    int32_t *const result = dgqc_take(&shared, p->columns * sizeof(int32_t));
    for (size_t c = 0; c < p->columns; c++) {
        const int32_t exponent = p->exponent ? p->exponent[c] : 0, left = p->index_shift[step] - exponent / 4;
        const int64_t by = p->factor[step];
        factor[c] = (int32_t)dgqc_round_shift((int64_t)p->index_factor[step] * quarters[exponent % 4], 30);
        shift[c] = left > 0 ? left : 0;
        result[c] = (int32_t)(p->column ? dgqc_round_shift(p->column[c] * by, 31) : by);
    }
}

void dgqc_activation_columns_rows(const dgqc_activation_columns_parameters *p, size_t step, dgqc_rows rows,
                                  const int16_t *x, int16_t *y, const void *shared)
{
    const int32_t *const factor = dgqc_taken(&shared, p->columns * sizeof(int32_t));
    const int32_t *const index_shift = dgqc_taken(&shared, p->columns * sizeof(int32_t));
    const int32_t *const result = dgqc_taken(&shared, p->columns * sizeof(int32_t));
    for (size_t r = 0; r < rows.count; r++, x += p->columns, y += p->columns) {
        for (size_t c = 0; c < p->columns; c += LANES) {
            const size_t left = p->columns - c;
            const lanes value = lanes_load16_some(x + c, left), by = lanes_load_some(factor + c, left, 0);
            const lanes scaled = lanes_multiply(dgqc_magnitude(value), by);
            const lanes far = lanes_shift_right_unsigned_each(scaled, lanes_load_some(index_shift + c, left, 0));
            dgqc_store_gated(dgqc_gated(p->table, value, far), lanes_load_some(result + c, left, 0), p->shift[step], y + c,
                             left);
        }
    }
}
