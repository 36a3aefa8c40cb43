#include "dgqc_internal.h"

void dgqc_linear(const dgqc_linear_parameters *p, size_t step, const void *x, int16_t *y, void *scratch)
{
    const dgqc_operand *operand = &p->operand;
    const size_t depth = p->weights.depth, value = dgqc_value_bytes(&p->arithmetic);
    const dgqc_columns columns = dgqc_derive_columns(&p->weights, step, &scratch);
    int32_t *zero = dgqc_take(&scratch, operand->count * sizeof(int32_t));
    int32_t *multiple = dgqc_take(&scratch, operand->count * sizeof(int32_t));
    unsigned char *rows = dgqc_take(&scratch, DGQC_ROWS * depth * value);
    dgqc_expand(operand->zero + step * operand->groups, operand->group, operand->count, zero);
    dgqc_expand(operand->multiple + step * operand->groups, operand->group, operand->count, multiple);

    for (size_t first = 0; first < p->rows; first += DGQC_ROWS) {
        const size_t count = p->rows - first < DGQC_ROWS ? p->rows - first : (size_t)DGQC_ROWS;
        for (size_t r = 0; r < count; r++) {
            const size_t row = first + r, place = operand->along_depth ? 0 : row % p->rows_per_sample;
            dgqc_center(dgqc_inside(x, row * depth * (size_t)operand->code_bits / 8), 1, operand->code_bits,
                        zero + place, multiple + place, operand->along_depth ? 1 : 0, depth,
                        p->arithmetic.narrow, rows + r * depth * value, 1);
        }
        dgqc_multiply(&p->weights, &columns, &p->arithmetic, rows, count, y + first * p->weights.columns,
                      p->weights.columns, 1, scratch);
    }
}
