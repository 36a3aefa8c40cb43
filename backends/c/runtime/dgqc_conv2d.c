#include "dgqc_internal.h"

/* Reads one row of the padded image into the ring, centered; outside the image it is 0. */
static void read_row(const dgqc_conv2d_parameters *p, const void *x, const int32_t *zero,
                     const int32_t *multiple, size_t row, void *y)
{
    const dgqc_window *w = &p->window;
    const size_t code_bytes = (size_t)p->operand.code_bits / 8, value = dgqc_value_bytes(&p->arithmetic);
    memset(y, 0, (w->width + 2 * w->padding_width) * w->channels * value);
    if (row < w->padding_height || row >= w->padding_height + w->height) {
        return;
    }
    for (size_t column = 0; column < w->width; column++) {
        const size_t at = ((row - w->padding_height) * w->width + column) * w->channels;
        unsigned char *to = (unsigned char *)y + (w->padding_width + column) * w->channels * value;
        dgqc_center(dgqc_inside(x, at * code_bytes), 1, p->operand.code_bits, zero, multiple, 1, w->channels,
                    p->arithmetic.narrow, to, 1);
    }
}

void dgqc_conv2d(const dgqc_conv2d_parameters *p, size_t step, const void *x, int16_t *y, void *scratch)
{
    const dgqc_window *w = &p->window;
    const dgqc_operand *operand = &p->operand;
    const size_t depth = p->weights.depth, value = dgqc_value_bytes(&p->arithmetic);
    const size_t positions = w->out_height * w->out_width;
    const dgqc_columns columns = dgqc_derive_columns(&p->weights, step, &scratch);
    int32_t *zero = dgqc_take(&scratch, w->channels * sizeof(int32_t));
    int32_t *multiple = dgqc_take(&scratch, w->channels * sizeof(int32_t));
    dgqc_ring ring = {NULL, (w->width + 2 * w->padding_width) * w->channels * value, 0};
    ring.rows = dgqc_take(&scratch, w->kernel_height * ring.row_bytes);
    unsigned char *rows = dgqc_take(&scratch, DGQC_ROWS * depth * value);
    dgqc_expand(operand->zero + step * operand->groups, operand->group, w->channels, zero);
    dgqc_expand(operand->multiple + step * operand->groups, operand->group, w->channels, multiple);

    for (size_t first = 0; first < positions; first += DGQC_ROWS) {
        const size_t count = positions - first < DGQC_ROWS ? positions - first : (size_t)DGQC_ROWS;
        for (size_t r = 0; r < count; r++) {
            const size_t row = (first + r) / w->out_width, column = (first + r) % w->out_width;
            for (; ring.next < row * w->stride_height + w->kernel_height; ring.next++) {
                read_row(p, x, zero, multiple, ring.next, dgqc_ring_row(&ring, w, ring.next));
            }
            dgqc_patch(&ring, w, row, column, value, rows + r * depth * value);
        }
        dgqc_multiply(&p->weights, &columns, &p->arithmetic, rows, count, y + first * p->weights.columns,
                      p->weights.columns, 1, scratch);
    }
}
