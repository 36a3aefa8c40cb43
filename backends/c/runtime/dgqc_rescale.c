#include "dgqc_internal.h"

void dgqc_rescale_rows(const dgqc_rescale_parameters *p, size_t step, dgqc_rows rows, const int16_t *restrict x,
                       int16_t *restrict y)
{
    const int32_t factor = p->factor[step], shift = p->shift[step];
    const int64_t half = (int64_t)1 << (shift - 1);
    for (size_t i = 0; i < rows.count * p->columns; i++) {
        y[i] = dgqc_saturate16(((int64_t)x[i] * factor + half) >> shift);
    }
}
