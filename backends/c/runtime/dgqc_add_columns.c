/* Sums of two values of which each column has a scale of its own. */

#include "dgqc_pair.h"
#include "dgqc_sums.h"

#ifdef DGQC_SUMS
/* Prepared as well: halves of each column's factors as lanes hold them, all high ones first. Returns whether they fit. */
static int32_t halve(const int32_t *a_factor, const int32_t *b_factor, size_t columns, int16_t *high, int16_t *low)
{
    int32_t fit = 1;
    for (size_t c = 0; c < columns; c++) {
        const dgqc_sum_factors factors = dgqc_sum_factors_of(a_factor[c], b_factor[c]);
        memcpy(high + 2 * c, factors.high, sizeof factors.high);
        memcpy(low + 2 * c, factors.low, sizeof factors.low);
        fit = fit && dgqc_sum_fits(&factors);
    }
    return fit;
}
#endif

/* Prepared: the factors of each column, of a and of b. */
void dgqc_add_columns_prepare(const dgqc_add_columns_parameters *p, size_t step, void *shared)
{
    const size_t columns = p->pair.columns;
    const int32_t *const tables[2] = {p->a_column, p->b_column}, factors[2] = {p->a_factor[step], p->b_factor[step]};
    int32_t *to[2];
    for (size_t side = 0; side < 2; side++) {
        to[side] = dgqc_take(&shared, columns * sizeof(int32_t));
        for (size_t c = 0; c < columns; c++) {
            to[side][c] = (int32_t)dgqc_round_shift((int64_t)tables[side][c] * factors[side], 31);
        }
    }
#ifdef DGQC_SUMS
    int16_t *const high = dgqc_take(&shared, columns * 2 * sizeof(int16_t));
    int16_t *const low = dgqc_take(&shared, columns * 2 * sizeof(int16_t));
    *(int32_t *)dgqc_take(&shared, sizeof(int32_t)) = halve(to[0], to[1], columns, high, low);
#endif
}

static inline int16_t sum(int16_t a, int32_t a_factor, int16_t b, int32_t b_factor, int32_t shift)
{
    return dgqc_saturate16(dgqc_round_shift((int64_t)a * a_factor + (int64_t)b * b_factor, shift));
}

/* The same of a short shift, in 32 bits. */
static inline int16_t sum_short(int16_t a, int32_t a_factor, int16_t b, int32_t b_factor, int32_t shift)
{
    const int32_t total = dgqc_sum_short(a, dgqc_split(a_factor), b, dgqc_split(b_factor));
    return dgqc_saturate16_short((total + dgqc_short_half(shift)) >> (shift - 16));
}

/* A row of sums by `one_sum`; a side with one value for all columns doesn't move along it. */
#define DGQC_DEFINE_ROW(name, one_sum)                                                                       \
    static void name(const int16_t *a, const int32_t *restrict a_factor, const int16_t *b,                    \
                     const int32_t *restrict b_factor, int a_single, int b_single, int32_t shift,             \
                     size_t columns, int16_t *restrict y)                                                     \
    {                                                                                                         \
        if (!a_single && !b_single) {                                                                         \
            for (size_t c = 0; c < columns; c++) {                                                            \
                y[c] = one_sum(a[c], a_factor[c], b[c], b_factor[c], shift);                                  \
            }                                                                                                 \
            return;                                                                                           \
        }                                                                                                     \
        for (size_t c = 0; c < columns; c++) {                                                                \
            y[c] = one_sum(a[a_single ? 0 : c], a_factor[c], b[b_single ? 0 : c], b_factor[c], shift);        \
        }                                                                                                     \
    }

DGQC_DEFINE_ROW(add_row, sum)
DGQC_DEFINE_ROW(add_row_short, sum_short)

void dgqc_add_columns_rows(const dgqc_add_columns_parameters *p, size_t step, dgqc_rows rows, const int16_t *a,
                           const int16_t *b, int16_t *y, const void *shared)
{
    const dgqc_pair *const pair = &p->pair;
    const int32_t *const a_factor = dgqc_taken(&shared, pair->columns * sizeof(int32_t));
    const int32_t *const b_factor = dgqc_taken(&shared, pair->columns * sizeof(int32_t));
#ifdef DGQC_SUMS
    const int16_t *const high = dgqc_taken(&shared, pair->columns * 2 * sizeof(int16_t));
    const int16_t *const low = dgqc_taken(&shared, pair->columns * 2 * sizeof(int16_t));
    const int32_t *const fit = dgqc_taken(&shared, sizeof(int32_t));
    if (*fit && dgqc_short_shift(p->shift[step]) && !pair->a.single && !pair->b.single) {
        for (size_t i = 0; i < rows.count; i++) {
            dgqc_sum_line(dgqc_side_row(&pair->a, a, rows, i), dgqc_side_row(&pair->b, b, rows, i), high, low, 1,
                          p->shift[step], pair->columns, y + i * pair->columns);
        }
        return;
    }
#endif
    for (size_t i = 0; i < rows.count; i++) {
        (dgqc_short_shift(p->shift[step]) ? add_row_short : add_row)(
            dgqc_side_row(&pair->a, a, rows, i), a_factor, dgqc_side_row(&pair->b, b, rows, i), b_factor,
            pair->a.single, pair->b.single, p->shift[step], pair->columns, y + i * pair->columns);
    }
}
