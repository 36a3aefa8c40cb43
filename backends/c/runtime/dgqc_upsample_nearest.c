#include "dgqc_internal.h"

#define DGQC_DEFINE_UPSAMPLE(name, element)                                                                  \
    static void name(const dgqc_upsample_parameters *p, const element *restrict x, element *restrict y)       \
    {                                                                                                         \
        for (size_t i = 0; i < p->out_height; i++) {                                                          \
            const element *row = x + i * p->height / p->out_height * p->width * p->channels;                  \
            for (size_t j = 0; j < p->out_width; j++, y += p->channels) {                                     \
                memcpy(y, row + j * p->width / p->out_width * p->channels, p->channels * sizeof(element));     \
            }                                                                                                 \
        }                                                                                                     \
    }

DGQC_DEFINE_UPSAMPLE(upsample_1, uint8_t)
DGQC_DEFINE_UPSAMPLE(upsample_2, int16_t)
DGQC_DEFINE_UPSAMPLE(upsample_4, int32_t)

void dgqc_upsample_nearest(const dgqc_upsample_parameters *p, const void *x, void *y)
{
    if (p->item == 1) {
        upsample_1(p, x, y);
    } else if (p->item == 2) {
        upsample_2(p, x, y);
    } else {
        upsample_4(p, x, y);
    }
}
