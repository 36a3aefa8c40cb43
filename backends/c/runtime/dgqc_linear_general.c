/* Linears whose operands don't fit tiles. */

#include "dgqc_general.h"

void dgqc_linear_general_prepare(const dgqc_linear_general_parameters *p, size_t step, void *shared)
{
    dgqc_general_prepare(&p->weights, &p->operand, step, shared);
}

/* At most DGQC_ROWS rows. */
static void multiply(const dgqc_linear_general_parameters *p, size_t step, dgqc_rows rows, const void *x,
                     void *y, const dgqc_general *general, void *scratch)
{
    const dgqc_operand *const operand = &p->operand;
    const size_t depth = dgqc_depth(&p->weights.panels), value = dgqc_value_bytes(&p->arithmetic);
    unsigned char *const values = dgqc_take(&scratch, rows.count * depth * value);
    memset(values, 0, rows.count * depth * value); /* depth counts what pads */
    for (size_t r = 0; r < rows.count; r++) {
        const size_t place = operand->along_depth ? 0 : (rows.first + r) % p->rows_per_sample;
        dgqc_center(dgqc_inside(x, r * p->depth * (size_t)operand->code_bits / 8), 1, operand->code_bits,
                    general->zero + place, general->multiple + place, operand->along_depth ? 1 : 0, p->depth,
                    p->arithmetic.narrow, values + r * depth * value, 1);
    }
    dgqc_general_multiply(&p->weights, general, step, &p->arithmetic, values, depth, rows.count, y, scratch);
}

void dgqc_linear_general_rows(const dgqc_linear_general_parameters *p, size_t step, dgqc_rows rows, const void *x,
                              void *y, const void *shared, void *scratch)
{
    const size_t row_bytes = p->depth * (size_t)p->operand.code_bits / 8;
    if (p->arithmetic.plain && p->depth == dgqc_depth(&p->weights.panels)) {
        dgqc_general_multiply(&p->weights, shared, step, &p->arithmetic, x, p->depth, rows.count, y, scratch);
        return;
    }
    for (size_t done = 0; done < rows.count; done += DGQC_ROWS) {
        const size_t left = rows.count - done;
        const dgqc_rows some = {rows.first + done, left < DGQC_ROWS ? left : (size_t)DGQC_ROWS};
        multiply(p, step, some, dgqc_inside(x, done * row_bytes),
                 dgqc_place_of(y, p->arithmetic.wide, done * p->weights.panels.columns), shared, scratch);
    }
}
