/* Sums of two values of which one or the result is wide. */

#include "dgqc_pair.h"
#include "dgqc_wide.h"

/* Prepared: the factors of each column, of a and of b. */
void dgqc_add_wide_prepare(const dgqc_add_wide_parameters *p, size_t step, void *shared)
{
    const size_t columns = p->pair.columns;
    const int32_t *const tables[2] = {p->a_column, p->b_column}, factors[2] = {p->a_factor[step], p->b_factor[step]};
    for (size_t side = 0; side < 2; side++) {
        int32_t *const to = dgqc_take(&shared, columns * sizeof(int32_t));
        for (size_t c = 0; c < columns; c++) {
            const int64_t by = factors[side];
            to[c] = (int32_t)(tables[side] ? dgqc_round_shift(tables[side][c] * by, 31) : by);
        }
    }
}

void dgqc_add_wide_rows(const dgqc_add_wide_parameters *p, size_t step, dgqc_rows rows, const void *a, const void *b,
                        void *y, const void *shared)
{
    const dgqc_pair *const pair = &p->pair;
    const size_t columns = pair->columns;
    const int32_t *const a_factor = dgqc_taken(&shared, columns * sizeof(int32_t));
    const int32_t *const b_factor = dgqc_taken(&shared, columns * sizeof(int32_t));
    for (size_t i = 0; i < rows.count; i++) {
        const size_t a_row = dgqc_side_offset(&pair->a, rows, i), b_row = dgqc_side_offset(&pair->b, rows, i);
        for (size_t c = 0; c < columns; c++) {
            const int64_t left = dgqc_value_at(a, p->a_wide, a_row + (pair->a.single ? 0 : c));
            const int64_t right = dgqc_value_at(b, p->b_wide, b_row + (pair->b.single ? 0 : c));
            const int64_t total = left * a_factor[c] + right * b_factor[c];
            dgqc_store_value(y, p->y_wide, i * columns + c, dgqc_round_shift(total, p->shift[step]));
        }
    }
}
