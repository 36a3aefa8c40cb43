/* Positions repeated. */

#include "dgqc_internal.h"

void dgqc_upsample_nearest_rows(const dgqc_upsample_parameters *p, size_t step, dgqc_rows rows, const void *x, void *y)
{
    (void)step;
    for (size_t i = 0; i < rows.count; i++) {
        const size_t row = (rows.first + i) / p->out_width * p->height / p->out_height;
        const size_t column = (rows.first + i) % p->out_width * p->width / p->out_width;
        const void *from = dgqc_inside(x, (row * p->width + column) * p->bytes);
        memcpy((unsigned char *)y + i * p->bytes, from, p->bytes);
    }
}
