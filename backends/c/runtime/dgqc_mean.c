/* The mean of each row, in a scale of its own. */

#include "dgqc_internal.h"

void dgqc_mean_rows(const dgqc_mean_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y)
{
    for (size_t r = 0; r < rows.count; r++, x += p->columns) {
        int64_t sum = 0;
        for (size_t c = 0; c < p->columns; c++) {
            sum += x[c];
        }
        y[r] = dgqc_saturate16(dgqc_round_shift(sum * p->factor[step], p->shift[step]));
    }
}
