/* The largest value of each window. */

#include "dgqc_internal.h"

static void window(const dgqc_window *w, size_t position, const int16_t *x, int16_t *y)
{
    const dgqc_corner corner = dgqc_corner_of(w, position);
    for (size_t c = 0; c < w->channels; c++) {
        y[c] = INT16_MIN;
    }
    for (size_t i = 0; i < w->kernel_height; i++) {
        for (size_t j = 0; j < w->kernel_width; j++) {
            /* Left of and above the image these wrap and become too large. */
            const size_t line = corner.top + i - w->padding_height, column = corner.left + j - w->padding_width;
            if (line < w->height && column < w->width) {
                const int16_t *const from = x + ((corner.before + line) * w->width + column) * w->channels;
                for (size_t c = 0; c < w->channels; c++) {
                    y[c] = from[c] > y[c] ? from[c] : y[c];
                }
            }
        }
    }
}

void dgqc_max_pool2d_rows(const dgqc_max_pool2d_parameters *p, size_t step, dgqc_rows rows, const int16_t *x,
                          int16_t *y)
{
    (void)step;
    for (size_t r = 0; r < rows.count; r++) {
        window(&p->window, rows.first + r, x, y + r * p->window.channels);
    }
}
