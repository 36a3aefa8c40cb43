/* Two tensors broadcast against each other, row by row: `expression` of a_value and b_value (int16_t) is stored.
 * One loop for each way to walk along a row, so that the compiler vectorizes. */
#ifndef DGQC_PAIR_H
#define DGQC_PAIR_H

#include "dgqc_internal.h"

/* Where a side's values for the i-th row of a block begin, in elements. */
static inline size_t dgqc_side_offset(const dgqc_side *side, dgqc_rows rows, size_t i)
{
    if (!side->whole) {
        return i * side->stride[2];
    }
    const size_t *const size = side->size, row = rows.first + i;
    return row % size[2] * side->stride[2] + row / size[2] % size[1] * side->stride[1] +
           row / size[2] / size[1] * side->stride[0];
}

static inline const int16_t *dgqc_side_row(const dgqc_side *side, const int16_t *x, dgqc_rows rows, size_t i)
{
    return x + dgqc_side_offset(side, rows, i);
}

#define DGQC_PAIR_LINE(a_index, b_index, expression)                                                         \
    for (size_t j = 0; j < columns; j++) {                                                                    \
        const int16_t a_value = a_line[a_index], b_value = b_line[b_index];                                   \
        y_line[j] = (expression);                                                                             \
    }

/* Rows that can be walked in one go: all where both sides lie as the result does. */
static inline size_t dgqc_pair_run(const dgqc_pair *pair, dgqc_rows rows)
{
    const int flat = !(pair->a.whole || pair->b.whole || pair->a.single || pair->b.single);
    return flat ? rows.count : 1;
}

#define DGQC_FOR_PAIR(p, rows, a, b, y, expression)                                                          \
    for (size_t i = 0, run = dgqc_pair_run(p, rows); i < (rows).count; i += run) {                            \
        const size_t columns = run * (p)->columns;                                                            \
        const int16_t *const a_line = dgqc_side_row(&(p)->a, a, rows, i);                                     \
        const int16_t *const b_line = dgqc_side_row(&(p)->b, b, rows, i);                                     \
        int16_t *restrict y_line = (y) + i * (p)->columns;                                                    \
        if (!(p)->a.single && !(p)->b.single) {                                                               \
            DGQC_PAIR_LINE(j, j, expression)                                                                  \
        } else if (!(p)->a.single) {                                                                          \
            DGQC_PAIR_LINE(j, 0, expression)                                                                  \
        } else if (!(p)->b.single) {                                                                          \
            DGQC_PAIR_LINE(0, j, expression)                                                                  \
        } else {                                                                                              \
            DGQC_PAIR_LINE(0, 0, expression)                                                                  \
        }                                                                                                     \
    }

#endif
