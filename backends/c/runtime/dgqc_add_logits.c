/* Attention's scores and what is added to them. */

#include "dgqc_pair.h"

void dgqc_add_logits_rows(const dgqc_add_logits_parameters *p, size_t step, dgqc_rows rows, const int32_t *logits,
                          const void *bias, int32_t *y)
{
    const int64_t factor = p->factor[step];
    const int32_t shift = p->shift[step];
    const size_t apart = p->bias.single ? 0 : 1;
    for (size_t r = 0; r < rows.count; r++, logits += p->columns, y += p->columns) {
        const size_t first = dgqc_side_offset(&p->bias, rows, r);
        for (size_t c = 0; c < p->columns; c++) {
            const size_t at = first + c * apart;
            const int64_t value = p->wide == 4 ? ((const int32_t *)bias)[at] : ((const int16_t *)bias)[at];
            y[c] = dgqc_saturate32(logits[c] + dgqc_round_shift(value * factor, shift));
        }
    }
}
