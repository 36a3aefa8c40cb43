#include "dgqc_internal.h"

#define DGQC_DEFINE_PERMUTE(name, element)                                                                   \
    static void name(const dgqc_permute_parameters *p, const element *restrict x, element *restrict y)        \
    {                                                                                                         \
        const size_t *const n = p->size, *const s = p->stride;                                                \
        for (size_t a = 0; a < n[0]; a++) {                                                                   \
            for (size_t b = 0; b < n[1]; b++) {                                                               \
                for (size_t c = 0; c < n[2]; c++) {                                                           \
                    for (size_t d = 0; d < n[3]; d++) {                                                       \
                        for (size_t e = 0; e < n[4]; e++) {                                                   \
                            const element *from = x + a * s[0] + b * s[1] + c * s[2] + d * s[3] + e * s[4];   \
                            for (size_t f = 0; f < n[5]; f++) {                                               \
                                *y++ = from[f * s[5]];                                                        \
                            }                                                                                 \
                        }                                                                                     \
                    }                                                                                         \
                }                                                                                             \
            }                                                                                                 \
        }                                                                                                     \
    }

DGQC_DEFINE_PERMUTE(permute_1, uint8_t)
DGQC_DEFINE_PERMUTE(permute_2, int16_t)
DGQC_DEFINE_PERMUTE(permute_4, int32_t)

void dgqc_permute(const dgqc_permute_parameters *p, const void *x, void *y)
{
    if (p->item == 1) {
        permute_1(p, x, y);
    } else if (p->item == 2) {
        permute_2(p, x, y);
    } else {
        permute_4(p, x, y);
    }
}
