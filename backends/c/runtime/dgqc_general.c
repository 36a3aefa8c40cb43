/* Products of any operands and weights: unpacks a few columns at a time, and multiplies centered values. */

#include "dgqc_general.h"
#include "dgqc_nibbles.h"

void dgqc_general_prepare(const dgqc_weights *weights, const dgqc_operand *operand, size_t step, void *shared)
{
    const size_t columns = weights->panels.columns;
    const size_t padded = (columns + DGQC_PANEL_COLUMNS - 1) / DGQC_PANEL_COLUMNS * DGQC_PANEL_COLUMNS;
    const int64_t factor = weights->factor[step], bias_factor = weights->bias_factor[step];
    const int64_t half = (int64_t)1 << (weights->shift[step] - 1);
    dgqc_general *const general = dgqc_take(&shared, DGQC_GENERAL_BYTES);
    general->m = dgqc_take(&shared, padded * sizeof(int32_t));
    general->b = dgqc_take(&shared, padded * sizeof(int64_t));
    general->zero = dgqc_take(&shared, operand->count * sizeof(int32_t));
    general->multiple = dgqc_take(&shared, operand->count * sizeof(int32_t));
    for (size_t n = 0; n < padded; n++) {
        const int there = n < columns;
        general->m[n] = there ? (int32_t)dgqc_round_shift(weights->column[n] * factor, 31) : 0;
        general->b[n] =
            there ? dgqc_round_shift(weights->bias[n] * bias_factor, weights->bias_shift[step]) + half : 0;
    }
    general->panels = dgqc_nibbles(&weights->panels, &shared);
    dgqc_expand(operand->zero + step * operand->groups, operand->group, operand->count, general->zero);
    dgqc_expand(operand->multiple + step * operand->groups, operand->group, operand->count, general->multiple);
}

static inline int32_t weight_at(const dgqc_panels *panels, const int8_t *column, size_t k)
{
    const size_t quad = k / 4;
    if (panels->bits == 8) {
        return column[quad * 64 + k % 4];
    }
    const int8_t two = column[quad / 2 * 64 + k % 4];
    return quad % 2 ? two >> 4 : ((two & 15) ^ 8) - 8;
}

/* One column of weights as operand values. */
static void unpack(const dgqc_panels *panels, size_t n, int narrow, void *y)
{
    const size_t depth = dgqc_depth(panels), blocks = panels->bits == 4 ? (panels->quads + 1) / 2 : panels->quads;
    const int8_t *const column = (const int8_t *)panels->data + n / 16 * blocks * 64 + n % 16 * 4;
    for (size_t k = 0; k < depth; k++) {
        if (narrow) {
            ((int16_t *)y)[k] = (int16_t)weight_at(panels, column, k);
        } else {
            ((int32_t *)y)[k] = weight_at(panels, column, k);
        }
    }
}

/* At most DGQC_ROWS rows, without vectors. */
static void multiply(const dgqc_weights *weights, const dgqc_general *general, size_t step,
                     const dgqc_arithmetic *arithmetic, const void *rows, size_t stride, size_t count, void *y, void *scratch)
{
    const size_t columns = weights->panels.columns, depth = dgqc_depth(&weights->panels);
    const size_t column_bytes = depth * dgqc_value_bytes(arithmetic);
    int64_t sums[DGQC_COLUMNS * DGQC_ROWS];
    for (size_t n = 0; n < columns; n += DGQC_COLUMNS) {
        const size_t some = columns - n < DGQC_COLUMNS ? columns - n : (size_t)DGQC_COLUMNS;
        for (size_t c = 0; c < some; c++) {
            unpack(&general->panels, n + c, arithmetic->narrow, (unsigned char *)scratch + c * column_bytes);
        }
        dgqc_dot(arithmetic, rows, stride, count, scratch, depth, some, depth, sums);
        for (size_t c = 0; c < some; c++) {
            const int64_t m = general->m[n + c], b = general->b[n + c];
            for (size_t r = 0; r < count; r++) {
                const int64_t scaled = sums[c * DGQC_ROWS + r] * m + b;
                dgqc_store_value(y, arithmetic->wide, r * columns + n + c, scaled >> weights->shift[step]);
            }
        }
    }
}

void dgqc_general_multiply(const dgqc_weights *weights, const dgqc_general *general, size_t step,
                           const dgqc_arithmetic *arithmetic, const void *rows, size_t stride, size_t count, void *y,
                           void *scratch)
{
    const dgqc_general_product product = {&general->panels, general, weights->shift[step], arithmetic->wide,
                                          arithmetic->block};
    if (arithmetic->narrow && dgqc_general_pairs(&product, rows, stride, count, y)) {
        return;
    }
    for (size_t done = 0; done < count; done += DGQC_ROWS) {
        const size_t left = count - done, some = left < DGQC_ROWS ? left : (size_t)DGQC_ROWS;
        multiply(weights, general, step, arithmetic, dgqc_inside(rows, done * stride * dgqc_value_bytes(arithmetic)), stride,
                 some, dgqc_place_of(y, arithmetic->wide, done * weights->panels.columns), scratch);
    }
}
