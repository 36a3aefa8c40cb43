/* Averages of windows, rounded halves up. */

#include "dgqc_internal.h"

void dgqc_avg_pool2d_rows(const dgqc_pool_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y)
{
    const int64_t count = (int64_t)(p->kernel * p->kernel), under = 2 * count;
    (void)step;
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        const size_t line = i / p->out_width, image = line / p->out_height;
        const size_t row = image * p->height + (line - image * p->out_height) * p->stride;
        const size_t column = i % p->out_width * p->stride;
        for (size_t c = 0; c < p->channels; c++) {
            int64_t over = count;
            for (size_t tap = 0; tap < p->kernel * p->kernel; tap++) {
                const size_t place = (row + tap / p->kernel) * p->width + column + tap % p->kernel;
                over += 2 * (int64_t)x[place * p->channels + c];
            }
            *y++ = (int16_t)(over / under - (over % under < 0 ? 1 : 0));
        }
    }
}
