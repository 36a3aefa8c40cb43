#include "dgqc_internal.h"

static void read_row(const dgqc_window *w, const int16_t *x, size_t row, int16_t *y)
{
    memset(y, 0, (w->width + 2 * w->padding_width) * w->channels * sizeof(int16_t));
    if (row < w->padding_height || row >= w->padding_height + w->height) {
        return;
    }
    const size_t length = w->width * w->channels;
    memcpy(y + w->padding_width * w->channels, x + (row - w->padding_height) * length, length * sizeof(int16_t));
}

/* A position's group at this step: how its patch is quantized and what its codes stand for. */
typedef struct {
    int32_t multiplier, offset, shift, last, zero, multiple;
} position_group;

static inline int32_t operand_value(int32_t x, const position_group g)
{
    const int32_t q = (x * g.multiplier + g.offset) >> g.shift;
    return g.multiple * ((q < 0 ? 0 : q > g.last ? g.last : q) - g.zero);
}

static void quantize_narrow(const int16_t *restrict x, size_t count, const position_group g, int16_t *restrict y)
{
    for (size_t k = 0; k < count; k++) {
        y[k] = (int16_t)operand_value(x[k], g);
    }
}

static void quantize_wide(const int16_t *restrict x, size_t count, const position_group g, int32_t *restrict y)
{
    for (size_t k = 0; k < count; k++) {
        y[k] = operand_value(x[k], g);
    }
}

static position_group group_of(const dgqc_conv2d_pixel_parameters *p, size_t step, size_t position)
{
    const dgqc_operand *operand = &p->operand;
    const size_t at = step * operand->groups + (operand->group ? operand->group[position] : 0U);
    const position_group g = {p->multiplier[at], p->offset[at],     p->shift[at],
                              (1 << p->bits) - 1, operand->zero[at], operand->multiple[at]};
    return g;
}

void dgqc_conv2d_pixel(const dgqc_conv2d_pixel_parameters *p, size_t step, const int16_t *x, int16_t *y,
                       void *scratch)
{
    const dgqc_window *w = &p->window;
    const size_t depth = p->weights.depth, value = dgqc_value_bytes(&p->arithmetic);
    const size_t positions = w->out_height * w->out_width;
    const dgqc_columns columns = dgqc_derive_columns(&p->weights, step, &scratch);
    dgqc_ring ring = {NULL, (w->width + 2 * w->padding_width) * w->channels * sizeof(int16_t), 0};
    ring.rows = dgqc_take(&scratch, w->kernel_height * ring.row_bytes);
    int16_t *patch = dgqc_take(&scratch, depth * sizeof(int16_t));
    unsigned char *rows = dgqc_take(&scratch, DGQC_ROWS * depth * value);

    for (size_t first = 0; first < positions; first += DGQC_ROWS) {
        const size_t count = positions - first < DGQC_ROWS ? positions - first : (size_t)DGQC_ROWS;
        for (size_t r = 0; r < count; r++) {
            const size_t row = (first + r) / w->out_width, column = (first + r) % w->out_width;
            for (; ring.next < row * w->stride_height + w->kernel_height; ring.next++) {
                read_row(w, x, ring.next, (int16_t *)(void *)dgqc_ring_row(&ring, w, ring.next));
            }
            dgqc_patch(&ring, w, row, column, sizeof(int16_t), patch);
            const position_group g = group_of(p, step, first + r);
            if (p->arithmetic.narrow) {
                quantize_narrow(patch, depth, g, (int16_t *)(void *)(rows + r * depth * value));
            } else {
                quantize_wide(patch, depth, g, (int32_t *)(void *)(rows + r * depth * value));
            }
        }
        dgqc_multiply(&p->weights, &columns, &p->arithmetic, rows, count, y + first * p->weights.columns,
                      p->weights.columns, 1, scratch);
    }
}
