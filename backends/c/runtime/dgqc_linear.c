/* Rows of codes times a weight matrix. */

#include "dgqc_product.h"

void dgqc_linear_prepare(const dgqc_linear_parameters *p, size_t step, void *shared)
{
    const dgqc_taps one = {1, 1, 0};
    dgqc_product_prepare(&p->weights, &p->operand, &p->combination, p->depth, &one, p->rows_per_sample, step,
                         shared);
}

/* At most dgqc_product_block rows, of `left`. */
static void multiply(const dgqc_linear_parameters *p, size_t step, dgqc_rows rows, size_t left, const uint8_t *x,
                     int16_t *y, const dgqc_product *product, uint8_t *spread)
{
    const uint8_t *row[DGQC_MOST_ROWS];
    dgqc_row_group groups[DGQC_BLOCK_ROWS];
    const size_t bytes = product->row_bytes;
    const int direct = bytes == p->depth;
    const size_t next = left - rows.count < DGQC_BLOCK_ROWS ? left - rows.count : (size_t)DGQC_BLOCK_ROWS;
    if (!direct) {
        dgqc_product_codes(product, p->depth, rows.count, x, spread);
    }
    for (size_t r = 0; r < rows.count; r++) {
        row[r] = (direct ? x : spread) + r * bytes;
    }
    dgqc_product_rows(product, row, rows.count,
                      dgqc_find_row_groups(&p->operand, step, rows, p->rows_per_sample, groups),
                      x + rows.count * p->depth, next * p->depth, y);
}

void dgqc_linear_rows(const dgqc_linear_parameters *p, size_t step, dgqc_rows rows, const uint8_t *x, int16_t *y,
                      const void *shared, void *scratch)
{
    const dgqc_product *const product = shared;
    const int direct = product->row_bytes == p->depth;
    for (size_t done = 0, some; done < rows.count; done += some) {
        const size_t left = rows.count - done, few = left < DGQC_BLOCK_ROWS ? left : (size_t)DGQC_BLOCK_ROWS;
        some = direct && p->operand.along_depth ? dgqc_product_block(product, left) : few;
        const dgqc_rows block = {rows.first + done, some};
        multiply(p, step, block, left, x + done * p->depth, y + done * p->weights.panels.columns, product, scratch);
    }
}
