/* A value that is kept for later calls, and taken and corrected by them. */

#include "dgqc_internal.h"

enum { CORRECTION_BITS = 15 };

void dgqc_cached_rows(const dgqc_cached_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *held,
                      int16_t *older, const dgqc_cache *cache, int16_t *y)
{
    const size_t columns = p->columns, bytes = rows.count * columns * sizeof(int16_t);
    const int32_t *const factor = p->factor + step * columns, *const offset = p->offset + step * columns;
    if (!cache->shallow) {
        if (older != NULL && cache->moves) {
            memcpy(older, held, bytes);
        }
        memcpy(held, x, bytes);
        memcpy(y, x, bytes);
        return;
    }
    const int32_t *const other = older != NULL && cache->older != 0 ? p->older + step * columns : NULL;
    for (size_t r = 0; r < rows.count; r++) {
        for (size_t c = 0; c < columns; c++) {
            const size_t place = r * columns + c;
            const int64_t sum = (int64_t)held[place] * factor[c] + offset[c];
            const int64_t both = other == NULL ? sum : sum + (int64_t)older[place] * other[c];
            y[place] = dgqc_saturate16(dgqc_round_shift(both, CORRECTION_BITS));
        }
    }
}

void dgqc_amend(size_t count, int32_t amends, const int16_t *shallow, int16_t *y)
{
    for (size_t i = 0; i < count; i++) {
        const int64_t beyond = (int64_t)(y[i] - shallow[i]) * amends;
        y[i] = dgqc_saturate16(y[i] + dgqc_round_shift(beyond, CORRECTION_BITS));
    }
}
