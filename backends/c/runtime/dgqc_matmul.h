/* What the parts of a matmul share. */
#ifndef DGQC_MATMUL_H
#define DGQC_MATMUL_H

#include "dgqc_internal.h"

/* Columns of a panel, and int16_t of one column in a panel of `depth` values. */
#define DGQC_PANEL 16

static inline size_t dgqc_pairs(size_t depth)
{
    return (depth + 1) / 2;
}

/* How far sums are shifted to the left, so that the upper half of a product with a factor holds the result. */
static inline int dgqc_matmul_left_shift(const dgqc_matmul_parameters *p, size_t step)
{
    return p->shift[step] < 32 ? 32 - p->shift[step] : 0;
}

size_t dgqc_matmul_codes_bytes(const dgqc_matmul_parameters *p);

/* Bytes of one batch of the right side: panels [pairs][16 columns][2] of int16_t, or rows of int32_t; or codes. */
static inline size_t dgqc_matmul_right_bytes(const dgqc_matmul_parameters *p)
{
    const size_t panels = (p->columns + DGQC_PANEL - 1) / DGQC_PANEL;
    if (p->by_codes) {
        return dgqc_matmul_codes_bytes(p);
    }
    return p->arithmetic.narrow ? panels * dgqc_pairs(p->depth) * DGQC_PANEL * 2 * sizeof(int16_t)
                                : p->columns * p->depth * sizeof(int32_t);
}

/* y[r * p->columns + n] for `count` <= DGQC_ROWS rows of values, 2 * dgqc_pairs(depth) int16_t apart. y is int16_t
 * or int32_t, as p->width says. */
void dgqc_matmul_pairs(const dgqc_matmul_parameters *p, size_t step, const int16_t *rows, size_t count,
                       const int16_t *panels, void *y);

/* The same for rows of codes, where p->by_codes. zero, multiple: of each row, table_stride (0 or 1) apart. right: what
 * dgqc_matmul_pack_codes made of the batch's columns, dgqc_matmul_codes_bytes of them. */
void dgqc_matmul_codes(const dgqc_matmul_parameters *p, size_t step, const uint8_t *codes, const int32_t *zero,
                       const int32_t *multiple, size_t table_stride, size_t count, const void *right, void *y);
void dgqc_matmul_pack_codes(const dgqc_matmul_parameters *p, int32_t zero, int32_t multiple, const uint8_t *codes,
                            size_t column, void *right);

/* The same for values of any size, rows and columns p->depth int32_t apart. */
void dgqc_matmul_wide(const dgqc_matmul_parameters *p, size_t step, const int32_t *rows, size_t count,
                      const int32_t *columns, void *y);

#endif
