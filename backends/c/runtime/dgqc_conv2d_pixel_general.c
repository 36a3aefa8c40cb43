/* Convolutions by groups of positions whose sums don't fit tiles. */

#include "dgqc_general.h"

void dgqc_conv2d_pixel_general_prepare(const dgqc_conv2d_pixel_general_parameters *p, size_t step,
                                     void *shared)
{
    dgqc_general_prepare(&p->weights, &p->patches.operand, step, shared);
}

void dgqc_conv2d_pixel_general_rows(const dgqc_conv2d_pixel_general_parameters *p, size_t step, dgqc_rows rows,
                                    const int16_t *x, int16_t *y, const void *shared, void *scratch)
{
    const dgqc_general *const general = shared;
    const size_t positions = p->patches.window.out_height * p->patches.window.out_width;
    const size_t depth = dgqc_depth(&p->weights.panels), patch = depth * dgqc_value_bytes(&p->arithmetic);
    const size_t most = rows.count < DGQC_ROWS ? rows.count : (size_t)DGQC_ROWS;
    unsigned char *const values = dgqc_take(&scratch, most * patch);
    uint8_t *const codes = dgqc_take(&scratch, depth);
    for (size_t done = 0; done < rows.count; done += DGQC_ROWS) {
        const size_t count = rows.count - done < DGQC_ROWS ? rows.count - done : (size_t)DGQC_ROWS;
        for (size_t r = 0; r < count; r++) {
            const size_t position = rows.first + done + r, place = position % positions;
            dgqc_gather_patch(&p->patches, step, x, position, codes);
            /* What pads a pixel meets weights of 0. */
            dgqc_center(codes, 1, 8, general->zero + place, general->multiple + place, 0, depth,
                        p->arithmetic.narrow, values + r * patch, 1);
        }
        dgqc_general_multiply(&p->weights, general, step, &p->arithmetic, values, depth, count,
                              y + done * p->weights.panels.columns, scratch);
    }
}
