#include "dgqc_internal.h"

void dgqc_avg_pool2d(const dgqc_pool_parameters *p, const int16_t *x, int16_t *y)
{
    const int64_t count = (int64_t)(p->kernel * p->kernel), under = 2 * count;
    for (size_t i = 0; i < p->out_height; i++) {
        for (size_t j = 0; j < p->out_width; j++) {
            for (size_t c = 0; c < p->channels; c++) {
                int64_t over = count;
                for (size_t window = 0; window < p->kernel * p->kernel; window++) {
                    const size_t row = i * p->stride + window / p->kernel;
                    const size_t column = j * p->stride + window % p->kernel;
                    over += 2 * (int64_t)x[(row * p->width + column) * p->channels + c];
                }
                *y++ = (int16_t)(over / under - (over % under < 0 ? 1 : 0));
            }
        }
    }
}
