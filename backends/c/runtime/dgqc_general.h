/* Products of any operands and weights: what their kernels share. */
#ifndef DGQC_GENERAL_H
#define DGQC_GENERAL_H

#include "dgqc_wide.h"

/* What the general products' `prepare` leaves at the beginning of shared memory. */
#define DGQC_GENERAL_BYTES 64

typedef struct {
    int32_t *m;               /* [columns, up to whole panels] */
    int64_t *b;               /* the same; carries the rounding half */
    int32_t *zero, *multiple; /* of every index along the grouped axis */
    dgqc_panels panels;       /* of 4 or 8 bits */
} dgqc_general;

typedef char dgqc_a_general_fits[sizeof(dgqc_general) <= DGQC_GENERAL_BYTES ? 1 : -1];

void dgqc_general_prepare(const dgqc_weights *weights, const dgqc_operand *operand, size_t step, void *shared);

/* Indices of the summed axis, each tap padded to whole quads. */
static inline size_t dgqc_depth(const dgqc_panels *panels)
{
    return panels->quads * 4;
}

/* y[r * columns + n], int32_t where the arithmetic is wide, for `count` rows of operand values, `stride` values apart.
 * scratch: DGQC_COLUMNS * depth values. */
void dgqc_general_multiply(const dgqc_weights *weights, const dgqc_general *general, size_t step,
                           const dgqc_arithmetic *arithmetic, const void *rows, size_t stride, size_t count, void *y,
                           void *scratch);

/* How sums of int16_t values become results. block: of dgqc_arithmetic. */
typedef struct {
    const dgqc_panels *panels;
    const dgqc_general *general;
    int32_t shift;
    int wide;
    size_t block;
} dgqc_general_product;

/* The same in vectors. Returns 0, and does nothing, on machines without. */
int dgqc_general_pairs(const dgqc_general_product *p, const int16_t *rows, size_t stride, size_t count, void *y);

#endif
