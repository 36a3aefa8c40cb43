/* The elements of an axis in another order. */

#include "dgqc_internal.h"

#if defined(__AVX512VBMI__) && !defined(DGQC_PORTABLE)
#include "dgqc_gather_avx512.h"
#else
static void gather_1(const dgqc_gather_parameters *p, size_t rows, const uint8_t *restrict x, uint8_t *restrict y)
{
    for (size_t i = 0; i < rows; i++, x += p->count, y += p->count) {
        for (size_t j = 0; j < p->count; j++) {
            y[j] = x[p->order[j]];
        }
    }
}
#endif

#define DGQC_DEFINE_GATHER(name, element)                                                                    \
    static void name(const dgqc_gather_parameters *p, size_t rows, const element *restrict x,                 \
                     element *restrict y)                                                                     \
    {                                                                                                         \
        for (size_t i = 0; i < rows; i++, x += p->count, y += p->count) {                                     \
            for (size_t j = 0; j < p->count; j++) {                                                           \
                y[j] = x[p->order[j]];                                                                        \
            }                                                                                                 \
        }                                                                                                     \
    }

DGQC_DEFINE_GATHER(gather_2, int16_t)
DGQC_DEFINE_GATHER(gather_4, int32_t)

void dgqc_gather_rows(const dgqc_gather_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y)
{
    (void)step;
    if (p->item == 1) {
        gather_1(p, rows.count, x, y);
    } else if (p->item == 2) {
        gather_2(p, rows.count, x, y);
    } else {
        gather_4(p, rows.count, x, y);
    }
}

void dgqc_gather(const dgqc_gather_parameters *p, const void *x, void *y)
{
    const size_t run = p->inner * p->item, block = p->count * run;
    DGQC_PARALLEL_FROM(p->outer * block)
    for (size_t i = 0; i < p->outer * p->count; i++) {
        const size_t from = i / p->count * block + (size_t)p->order[i % p->count] * run;
        memcpy((unsigned char *)y + i * run, dgqc_inside(x, from), run);
    }
}
