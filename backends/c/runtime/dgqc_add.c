/* Sums of two values of different scales. */

#include "dgqc_pair.h"
#include "dgqc_sums.h"

#ifdef DGQC_SUMS
/* In vectors, where factors allow it and both sides move along a row. */
static int add_lines(const dgqc_add_parameters *p, size_t step, dgqc_rows rows, const int16_t *a, const int16_t *b,
                     int16_t *y)
{
    const dgqc_pair *const pair = &p->pair;
    const dgqc_sum_factors factors = dgqc_sum_factors_of(p->a_factor[step], p->b_factor[step]);
    const size_t run = dgqc_pair_run(pair, rows);
    if (pair->a.single || pair->b.single || !dgqc_sum_fits(&factors)) {
        return 0;
    }
    for (size_t i = 0; i < rows.count; i += run) {
        dgqc_sum_line(dgqc_side_row(&pair->a, a, rows, i), dgqc_side_row(&pair->b, b, rows, i), factors.high, factors.low, 0,
                      p->shift[step], run * pair->columns, y + i * pair->columns);
    }
    return 1;
}
#endif

void dgqc_add_rows(const dgqc_add_parameters *p, size_t step, dgqc_rows rows, const int16_t *a, const int16_t *b,
                   int16_t *y)
{
    const int32_t shift = p->shift[step];
#ifdef DGQC_SUMS
    if (dgqc_short_shift(shift) && add_lines(p, step, rows, a, b, y)) {
        return;
    }
#endif
    if (dgqc_short_shift(shift)) {
        const dgqc_halves a_factor = dgqc_split(p->a_factor[step]), b_factor = dgqc_split(p->b_factor[step]);
        const int32_t half = dgqc_short_half(shift), rest = shift - 16;
        DGQC_FOR_PAIR(&p->pair, rows, a, b, y,
                      dgqc_saturate16_short((dgqc_sum_short(a_value, a_factor, b_value, b_factor) + half) >> rest))
    } else {
        const int64_t a_factor = p->a_factor[step], b_factor = p->b_factor[step];
        DGQC_FOR_PAIR(&p->pair, rows, a, b, y,
                      dgqc_saturate16(dgqc_round_shift(a_value * a_factor + b_value * b_factor, shift)))
    }
}
