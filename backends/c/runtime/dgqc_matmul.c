#include "dgqc_internal.h"

/* Tables of this step for one operand, a value for each index of its grouped axis. */
typedef struct {
    int32_t *zero, *multiple;
} tables;

static tables expand(const dgqc_operand *operand, size_t step, void **scratch)
{
    tables t;
    t.zero = dgqc_take(scratch, operand->count * sizeof(int32_t));
    t.multiple = dgqc_take(scratch, operand->count * sizeof(int32_t));
    dgqc_expand(operand->zero + step * operand->groups, operand->group, operand->count, t.zero);
    dgqc_expand(operand->multiple + step * operand->groups, operand->group, operand->count, t.multiple);
    return t;
}

void dgqc_matmul(const dgqc_matmul_parameters *p, size_t step, const void *a, const void *b, void *y,
                 void *scratch)
{
    const dgqc_operand *left = &p->left, *right = &p->right;
    const size_t value = dgqc_value_bytes(&p->arithmetic), depth = p->depth;
    const size_t a_bytes = (size_t)left->code_bits / 8, b_bytes = (size_t)right->code_bits / 8;
    const tables a_tables = expand(left, step, &scratch), b_tables = expand(right, step, &scratch);
    unsigned char *rows = dgqc_take(&scratch, DGQC_ROWS * depth * value);
    unsigned char *columns = dgqc_take(&scratch, p->columns * depth * value);
    const int64_t factor = p->factor[step];
    const int32_t shift = p->shift[step];
    int64_t sums[DGQC_COLUMNS * DGQC_ROWS];

    for (size_t batch = 0; batch < p->batches; batch++) {
        if (batch < p->right_batches) {
            for (size_t n = 0; n < p->columns; n++) {
                const size_t place = right->along_depth ? 0 : n;
                dgqc_center(dgqc_inside(b, (batch * p->columns + n) * depth * b_bytes), 1, right->code_bits,
                            b_tables.zero + place, b_tables.multiple + place, right->along_depth ? 1 : 0, depth,
                            p->arithmetic.narrow, columns + n * depth * value, 1);
            }
        }
        for (size_t first = 0; first < p->rows; first += DGQC_ROWS) {
            const size_t count = p->rows - first < DGQC_ROWS ? p->rows - first : (size_t)DGQC_ROWS;
            for (size_t r = 0; r < count; r++) {
                const size_t place = left->along_depth ? 0 : first + r;
                dgqc_center(dgqc_inside(a, (batch * p->rows + first + r) * depth * a_bytes), 1, left->code_bits,
                            a_tables.zero + place, a_tables.multiple + place, left->along_depth ? 1 : 0, depth,
                            p->arithmetic.narrow, rows + r * depth * value, 1);
            }
            for (size_t n = 0; n < p->columns; n += DGQC_COLUMNS) {
                const size_t some = p->columns - n < DGQC_COLUMNS ? p->columns - n : (size_t)DGQC_COLUMNS;
                dgqc_dot(&p->arithmetic, rows, depth, count, columns + n * depth * value, depth, some, depth,
                         sums);
                for (size_t r = 0; r < count; r++) {
                    const size_t at = (batch * p->rows + first + r) * p->columns + n;
                    for (size_t c = 0; c < some; c++) {
                        const int64_t scaled = dgqc_round_shift(sums[c * DGQC_ROWS + r] * factor, shift);
                        if (p->width == 16) {
                            ((int16_t *)y)[at + c] = dgqc_saturate16(scaled);
                        } else {
                            ((int32_t *)y)[at + c] = dgqc_saturate32(scaled);
                        }
                    }
                }
            }
        }
    }
}
