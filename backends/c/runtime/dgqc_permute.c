/* Axes in another order, row by row. */

#include "dgqc_internal.h"

/* One row of elements that lie `stride` apart in x. */
#define DGQC_DEFINE_PICK(name, element)                                                                      \
    static void name(const element *restrict x, size_t stride, size_t count, element *restrict y)             \
    {                                                                                                         \
        for (size_t i = 0; i < count; i++) {                                                                  \
            y[i] = x[i * stride];                                                                             \
        }                                                                                                     \
    }

DGQC_DEFINE_PICK(pick_1, uint8_t)
DGQC_DEFINE_PICK(pick_2, int16_t)
DGQC_DEFINE_PICK(pick_4, int32_t)

static void copy_row(const dgqc_permute_parameters *p, const void *x, void *y)
{
    const size_t count = p->size[5], stride = p->stride[5];
    if (stride == 1 || count == 1) {
        dgqc_copy_short(x, count * p->item, y);
    } else if (p->item == 1) {
        pick_1(x, stride, count, y);
    } else if (p->item == 2) {
        pick_2(x, stride, count, y);
    } else {
        pick_4(x, stride, count, y);
    }
}

void dgqc_permute_rows(const dgqc_permute_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y)
{
    size_t at[5], from = 0, rest = rows.first;
    (void)step;
    for (size_t axis = 5; axis-- > 0; rest /= p->size[axis]) {
        at[axis] = rest % p->size[axis];
        from += at[axis] * p->stride[axis];
    }
    for (size_t i = 0; i < rows.count; i++) {
        copy_row(p, dgqc_inside(x, from * p->item), dgqc_at(y, i * p->size[5] * p->item));
        for (size_t axis = 5; axis-- > 0;) { /* on to the next row, as an odometer does */
            from += p->stride[axis];
            if (++at[axis] < p->size[axis]) {
                break;
            }
            from -= at[axis] * p->stride[axis];
            at[axis] = 0;
        }
    }
}
