/* Activation functions of values with one scale. */

#include "dgqc_gate.h"

void dgqc_activation_rows(const dgqc_activation_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y)
{
    /* |x| * index_factor stays below 2^31: nothing is left beyond a shift of 31. */
    const int shift = p->shift[step], index_shift = p->index_shift[step] < 31 ? p->index_shift[step] : 31;
    const lanes index_factor = lanes_splat(p->index_factor[step]), factor = lanes_splat(p->factor[step]);
    const size_t count = rows.count * p->columns;
    for (size_t i = 0; i < count; i += LANES) {
        const lanes value = lanes_load16_some(x + i, count - i);
        const lanes scaled = lanes_multiply(dgqc_magnitude(value), index_factor);
        const lanes far = lanes_shift_right_unsigned(scaled, index_shift);
        dgqc_store_gated(dgqc_gated(p->table, value, far), factor, shift, y + i, count - i);
    }
}
