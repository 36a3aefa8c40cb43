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

void dgqc_permute(const dgqc_permute_parameters *p, const void *x, void *y)
{
    const size_t *const n = p->size, *const s = p->stride;
    const size_t runs = n[0] * n[1] * n[2] * n[3] * n[4];
    DGQC_PARALLEL
    for (size_t run = 0; run < runs; run++) {
        size_t rest = run, from = 0;
        for (size_t axis = 5; axis-- > 0; rest /= n[axis]) {
            from += rest % n[axis] * s[axis];
        }
        const void *source = dgqc_inside(x, from * p->item);
        void *result = dgqc_at(y, run * n[5] * p->item);
        if (s[5] == 1) {
            memcpy(result, source, n[5] * p->item);
        } else if (p->item == 1) {
            pick_1(source, s[5], n[5], result);
        } else if (p->item == 2) {
            pick_2(source, s[5], n[5], result);
        } else {
            pick_4(source, s[5], n[5], result);
        }
    }
}
