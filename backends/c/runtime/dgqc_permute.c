#include "dgqc_internal.h"

/* Runs of the innermost axis whose elements lie apart in x. */
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

/* One run of the result. */
static void copy_run(const dgqc_permute_parameters *p, size_t run, const void *x, void *y)
{
    const size_t *const n = p->size, *const s = p->stride;
    size_t from = 0;
    for (size_t axis = 5; axis-- > 0; run /= n[axis]) {
        from += run % n[axis] * s[axis];
    }
    const void *source = dgqc_inside(x, from * p->item);
    if (s[5] == 1 || n[5] == 1) {
        memcpy(y, source, n[5] * p->item);
    } else if (p->item == 1) {
        pick_1(source, s[5], n[5], y);
    } else if (p->item == 2) {
        pick_2(source, s[5], n[5], y);
    } else {
        pick_4(source, s[5], n[5], y);
    }
}

void dgqc_permute_rows(const dgqc_permute_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y)
{
    (void)step;
    for (size_t i = 0; i < rows.count; i++) {
        copy_run(p, rows.first + i, x, dgqc_at(y, i * p->size[5] * p->item));
    }
}
