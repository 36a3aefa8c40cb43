/* A value that is kept for later calls, and taken and corrected by them. */

#include "dgqc_internal.h"

enum { CORRECTION_BITS = 15 };

void dgqc_cached_rows(const dgqc_cached_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *held,
                      const dgqc_cache *cache, int16_t *y)
{
    const size_t columns = p->columns, bytes = rows.count * columns * sizeof(int16_t);
    const int32_t *const factor = p->factor + step * columns, *const offset = p->offset + step * columns;
    if (!cache->shallow) {
        memcpy(held, x, bytes);
        memcpy(y, x, bytes);
        return;
    }
    for (size_t r = 0; r < rows.count; r++) {
        for (size_t c = 0; c < columns; c++) {
            const int64_t sum = (int64_t)held[r * columns + c] * factor[c] + offset[c];
            y[r * columns + c] = dgqc_saturate16(dgqc_round_shift(sum, CORRECTION_BITS));
        }
    }
}
