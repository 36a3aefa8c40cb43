/* Values at another scale, from or to wide ones. */

#include "dgqc_wide.h"

void dgqc_rescale_wide_rows(const dgqc_rescale_wide_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y)
{
    const int64_t factor = p->factor[step];
    for (size_t i = 0; i < rows.count * p->columns; i++) {
        dgqc_store_value(y, p->y_wide, i, dgqc_round_shift(dgqc_value_at(x, p->x_wide, i) * factor, p->shift[step]));
    }
}
