/* Convolutions whose operands don't fit tiles. */

#include "dgqc_general.h"

void dgqc_conv2d_general_prepare(const dgqc_conv2d_general_parameters *p, size_t step, void *shared)
{
    dgqc_general_prepare(&p->weights, &p->operand, step, shared);
}

/* The operand values of a position's patch. */
static void gather(const dgqc_conv2d_general_parameters *p, const void *x, size_t position,
                   const dgqc_general *general, unsigned char *y)
{
    const dgqc_window *const w = &p->window;
    const dgqc_corner corner = dgqc_corner_of(w, position);
    const size_t pixel = (w->channels + 3) / 4 * 4 * dgqc_value_bytes(&p->arithmetic);
    memset(y, 0, w->kernel_height * w->kernel_width * pixel);
    for (size_t i = 0; i < w->kernel_height; i++) {
        for (size_t j = 0; j < w->kernel_width; j++, y += pixel) {
            /* Left of and above the image these wrap and become too large. */
            const size_t line = corner.top + i - w->padding_height, column = corner.left + j - w->padding_width;
            if (line < w->height && column < w->width) {
                const size_t at = ((corner.before + line) * w->width + column) * w->channels;
                dgqc_center(dgqc_inside(x, at * (size_t)p->operand.code_bits / 8), 1, p->operand.code_bits,
                            general->zero, general->multiple, 1, w->channels, p->arithmetic.narrow, y, 1);
            }
        }
    }
}

/* The same of values as they lie, without gaps between pixels: lines of them. */
static void copy(const dgqc_window *w, const int16_t *x, size_t position, int16_t *y)
{
    const dgqc_corner corner = dgqc_corner_of(w, position);
    /* In columns of an image with its padding. */
    const size_t right = corner.left + w->kernel_width, end = w->padding_width + w->width;
    const size_t from = corner.left > w->padding_width ? corner.left : w->padding_width, to = right < end ? right : end;
    const int inside = corner.top >= w->padding_height && corner.top + w->kernel_height <= w->padding_height + w->height;
    if (!inside || from > corner.left || to < right) {
        memset(y, 0, w->kernel_height * w->kernel_width * w->channels * sizeof *y);
    }
    for (size_t i = 0; i < w->kernel_height && from < to; i++) {
        const size_t line = corner.top + i - w->padding_height;
        if (line < w->height) {
            const size_t pixel = (corner.before + line) * w->width + from - w->padding_width;
            memcpy(y + (i * w->kernel_width + from - corner.left) * w->channels, x + pixel * w->channels,
                   (to - from) * w->channels * sizeof *y);
        }
    }
}

void dgqc_conv2d_general_rows(const dgqc_conv2d_general_parameters *p, size_t step, dgqc_rows rows, const void *x,
                              void *y, const void *shared, void *scratch)
{
    const int plain = p->arithmetic.plain && p->window.channels % 4 == 0;
    const size_t depth = dgqc_depth(&p->weights.panels), patch = depth * dgqc_value_bytes(&p->arithmetic);
    const size_t most = rows.count < DGQC_ROWS ? rows.count : (size_t)DGQC_ROWS;
    unsigned char *const values = dgqc_take(&scratch, most * patch);
    for (size_t done = 0; done < rows.count; done += DGQC_ROWS) {
        const size_t count = rows.count - done < DGQC_ROWS ? rows.count - done : (size_t)DGQC_ROWS;
        for (size_t r = 0; r < count; r++) {
            if (plain) {
                copy(&p->window, x, rows.first + done + r, (int16_t *)(void *)(values + r * patch));
            } else {
                gather(p, x, rows.first + done + r, shared, values + r * patch);
            }
        }
        dgqc_general_multiply(&p->weights, shared, step, &p->arithmetic, values, depth, count,
                              dgqc_place_of(y, p->arithmetic.wide, done * p->weights.panels.columns), scratch);
    }
}
