/* Some indices of an axis, in any order. */

#include "dgqc_internal.h"

static void take_columns(const dgqc_take_parameters *p, const unsigned char *x, unsigned char *y)
{
    for (size_t j = 0; j < p->count; j++) {
        dgqc_copy_short(x + (size_t)p->index[j] * p->item, p->item, y + j * p->item);
    }
}

void dgqc_take_rows(const dgqc_take_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y)
{
    const size_t row = p->columns * p->item;
    (void)step;
    for (size_t r = 0; r < rows.count; r++) {
        unsigned char *const to = (unsigned char *)y + r * row;
        if (p->inner == 0) {
            take_columns(p, dgqc_inside(x, r * p->from * p->item), to);
        } else {
            const size_t at = rows.first + r, outer = at / (p->count * p->inner);
            const size_t taken = (size_t)p->index[at / p->inner % p->count];
            memcpy(to, dgqc_inside(x, ((outer * p->from + taken) * p->inner + at % p->inner) * row), row);
        }
    }
}
