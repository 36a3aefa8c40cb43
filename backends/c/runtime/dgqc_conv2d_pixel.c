/* Convolutions whose groups are output positions: a patch is quantized while it is gathered. */

#include "dgqc_product.h"

void dgqc_conv2d_pixel_prepare(const dgqc_conv2d_pixel_parameters *p, size_t step, void *shared)
{
    const dgqc_window *const w = &p->patches.window;
    /* A patch lies in one piece, and all of it is one run. */
    const dgqc_taps taps = {1, w->kernel_height * w->kernel_width, 0};
    dgqc_product_prepare(&p->weights, &p->patches.operand, &p->combination, w->channels, &taps, 0, step,
                         shared);
}

void dgqc_conv2d_pixel_rows(const dgqc_conv2d_pixel_parameters *p, size_t step, dgqc_rows rows, const int16_t *x,
                            int16_t *y, const void *shared, void *scratch)
{
    const size_t patch = p->weights.panels.quads * DGQC_QUAD;
    const size_t positions = p->patches.window.out_height * p->patches.window.out_width;
    const uint8_t *row[DGQC_BLOCK_ROWS];
    dgqc_row_group groups[DGQC_BLOCK_ROWS];
    for (size_t done = 0; done < rows.count; done += DGQC_BLOCK_ROWS) {
        const size_t left = rows.count - done;
        const dgqc_rows block = {rows.first + done, left < DGQC_BLOCK_ROWS ? left : (size_t)DGQC_BLOCK_ROWS};
        for (size_t r = 0; r < block.count; r++) {
            uint8_t *const codes = (uint8_t *)scratch + r * patch;
            dgqc_gather_patch(&p->patches, step, x, block.first + r, codes);
            row[r] = codes;
        }
        const dgqc_row_group *const found =
            dgqc_find_row_groups(&p->patches.operand, step, block, positions, groups);
        dgqc_product_rows(shared, row, block.count, found, NULL, 0, y + done * p->weights.panels.columns);
    }
}
