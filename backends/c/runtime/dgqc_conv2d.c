/* Convolutions without unfolding: codes lie in an image with a halo, and a tap is an offset into it. */

#include "dgqc_product.h"

/* Of the images with their halos, every pixel as runs read it, which lie after the product in shared memory. */
static inline size_t line_pixels(const dgqc_window *w)
{
    return w->width + 2 * w->padding_width;
}

static inline size_t image_lines(const dgqc_window *w)
{
    return w->height + 2 * w->padding_height;
}

static void fill_pixels(const dgqc_product *product, size_t bytes, size_t count, uint8_t *y)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(y + i * bytes, product->pixel, bytes);
    }
}

/* A line of the images with their halos. */
static void fill_line(const dgqc_window *w, const dgqc_product *product, const uint8_t *x, size_t line, uint8_t *y)
{
    const size_t bytes = product->row_bytes, image = line / image_lines(w);
    line -= image * image_lines(w);
    if (line < w->padding_height || line >= w->padding_height + w->height) {
        fill_pixels(product, bytes, w->width + 2 * w->padding_width, y);
        return;
    }
    const uint8_t *const from = x + (image * w->height + line - w->padding_height) * w->width * w->channels;
    fill_pixels(product, bytes, w->padding_width, y);
    y += w->padding_width * bytes;
    if (bytes == w->channels) {
        memcpy(y, from, w->width * bytes);
    } else {
        dgqc_product_codes(product, w->channels, w->width, from, y);
    }
    fill_pixels(product, bytes, w->padding_width, y + w->width * bytes);
}

void dgqc_conv2d_image(const dgqc_window *w, const dgqc_product *product, const uint8_t *x, uint8_t *image)
{
    const size_t lines = w->images * image_lines(w), bytes = line_pixels(w) * product->row_bytes;
    DGQC_PARALLEL_FROM(lines * bytes)
    for (size_t line = 0; line < lines; line++) {
        fill_line(w, product, x, line, image + line * bytes);
    }
}

void dgqc_conv2d_prepare(const dgqc_conv2d_parameters *p, size_t step, const uint8_t *x, void *shared)
{
    const dgqc_window *const w = &p->window;
    const dgqc_taps taps = {w->kernel_height, w->kernel_width, line_pixels(w)};
    const dgqc_product *const product = dgqc_product_prepare(&p->weights, &p->operand, &p->combination, w->channels, &taps,
                                                             w->out_height * w->out_width, step, shared);
    dgqc_conv2d_image(w, product, x, product->rest);
}

/* At most dgqc_product_block output positions. */
static void multiply(const dgqc_conv2d_parameters *p, dgqc_rows rows, const dgqc_product *product, int16_t *y)
{
    const dgqc_window *const w = &p->window;
    const uint8_t *const image = product->rest, *row[DGQC_MOST_ROWS];
    for (size_t r = 0; r < rows.count; r++) {
        const size_t line = (rows.first + r) / w->out_width, column = (rows.first + r) % w->out_width;
        const size_t before = line / w->out_height, inside = line - before * w->out_height;
        const size_t top = before * image_lines(w) + inside * w->stride_height;
        row[r] = image + (top * line_pixels(w) + column * w->stride_width) * product->row_bytes;
    }
    dgqc_product_rows(product, row, rows.count, NULL, NULL, 0, y);
}

void dgqc_conv2d_rows(const dgqc_conv2d_parameters *p, size_t step, dgqc_rows rows, int16_t *y, const void *shared)
{
    (void)step;
    for (size_t done = 0, some; done < rows.count; done += some) {
        some = dgqc_product_block(shared, rows.count - done);
        const dgqc_rows block = {rows.first + done, some};
        multiply(p, block, shared, y + done * p->weights.panels.columns);
    }
}
