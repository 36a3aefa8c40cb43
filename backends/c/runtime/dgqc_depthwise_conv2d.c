/* Convolutions of each channel by itself: 16-bit values times 16-bit weights, summed in 64 bits. */

#include "dgqc_internal.h"

enum { TOGETHER = 64 };

/* What `prepare` leaves: of every column m, then b with the rounding half. */
void dgqc_depthwise_conv2d_prepare(const dgqc_depthwise_conv2d_parameters *p, size_t step, void *shared)
{
    int64_t *const m = dgqc_take(&shared, p->columns * sizeof *m);
    int64_t *const b = dgqc_take(&shared, p->columns * sizeof *b);
    const int64_t half = (int64_t)1 << (p->shift[step] - 1);
    for (size_t n = 0; n < p->columns; n++) {
        m[n] = dgqc_round_shift((int64_t)p->column[n] * p->factor[step], 31);
        b[n] = dgqc_round_shift((int64_t)p->bias[n] * p->bias_factor[step], p->bias_shift[step]) + half;
    }
}

/* sums[n] += x * weight for some columns, from `first` on, of one tap. */
static void add_tap(const int16_t *x, const int16_t *weight, size_t first, size_t count, size_t each, int64_t *sums)
{
    if (each == 1) {
        for (size_t n = 0; n < count; n++) {
            sums[n] += (int32_t)x[first + n] * weight[first + n];
        }
    } else {
        for (size_t n = 0; n < count; n++) {
            sums[n] += (int32_t)x[(first + n) / each] * weight[first + n];
        }
    }
}

static void sum_window(const dgqc_depthwise_conv2d_parameters *p, size_t position, const int16_t *x, size_t first,
                       size_t count, int64_t *sums)
{
    const dgqc_window *const w = &p->window;
    const dgqc_corner corner = dgqc_corner_of(w, position);
    const size_t each = p->columns / w->channels;
    const int16_t *weight = p->taps;
    for (size_t i = 0; i < w->kernel_height; i++) {
        for (size_t j = 0; j < w->kernel_width; j++, weight += p->columns) {
            /* Left of and above the image these wrap and become too large. */
            const size_t line = corner.top + i * p->dilation_height - w->padding_height;
            const size_t column = corner.left + j * p->dilation_width - w->padding_width;
            if (line < w->height && column < w->width) {
                add_tap(x + ((corner.before + line) * w->width + column) * w->channels, weight, first, count, each, sums);
            }
        }
    }
}

void dgqc_depthwise_conv2d_rows(const dgqc_depthwise_conv2d_parameters *p, size_t step, dgqc_rows rows,
                                const int16_t *x, int16_t *y, const void *shared)
{
    const int64_t *const m = dgqc_taken(&shared, p->columns * sizeof *m);
    const int64_t *const b = dgqc_taken(&shared, p->columns * sizeof *b);
    const int32_t shift = p->shift[step];
    for (size_t r = 0; r < rows.count; r++, y += p->columns) {
        for (size_t first = 0; first < p->columns; first += TOGETHER) {
            const size_t left = p->columns - first, count = left < TOGETHER ? left : TOGETHER;
            int64_t sums[TOGETHER] = {0};
            sum_window(p, rows.first + r, x, first, count, sums);
            for (size_t n = 0; n < count; n++) {
                y[first + n] = dgqc_saturate16((sums[n] * m[first + n] + b[first + n]) >> shift);
            }
        }
    }
}
