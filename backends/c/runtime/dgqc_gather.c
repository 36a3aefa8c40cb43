#include "dgqc_internal.h"

#define DGQC_DEFINE_GATHER(name, element)                                                                    \
    static void name(const dgqc_gather_parameters *p, const element *restrict x, element *restrict y)         \
    {                                                                                                         \
        for (size_t o = 0; o < p->outer; o++, x += p->count * p->inner) {                                     \
            for (size_t i = 0; i < p->count; i++, y += p->inner) {                                            \
                const element *from = x + (size_t)p->order[i] * p->inner;                                     \
                for (size_t j = 0; j < p->inner; j++) {                                                       \
                    y[j] = from[j];                                                                           \
                }                                                                                             \
            }                                                                                                 \
        }                                                                                                     \
    }

DGQC_DEFINE_GATHER(gather_1, uint8_t)
DGQC_DEFINE_GATHER(gather_2, int16_t)
DGQC_DEFINE_GATHER(gather_4, int32_t)

void dgqc_gather(const dgqc_gather_parameters *p, const void *x, void *y)
{
    if (p->item == 1) {
        gather_1(p, x, y);
    } else if (p->item == 2) {
        gather_2(p, x, y);
    } else {
        gather_4(p, x, y);
    }
}
