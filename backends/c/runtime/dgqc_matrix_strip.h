/* On matrix units: up to 16 rows, as far from each other as any two, times up to four panels, with a unit of sums for each. */
#ifndef DGQC_MATRIX_STRIP_H
#define DGQC_MATRIX_STRIP_H

#include "dgqc_matrix.h"

#ifdef DGQC_MATRIX
enum { DGQC_STRIP_PANELS = 4, DGQC_STRIP_COLUMNS = DGQC_STRIP_PANELS * DGQC_MATRIX_ROWS };

/* What is multiplied. stride: bytes from a row of codes to the next. panel: bytes from a panel to the next. depth: codes of a
 * row, whole quads. have_signs: whether weights are s8, else u8. */
typedef struct {
    const uint8_t *codes;
    size_t stride;
    const uint8_t *weights;
    size_t panel, panels, depth;
    int have_signs;
} dgqc_strip;

/* Quads at the end of the summed axis that don't fill a unit. */
static inline size_t dgqc_strip_last(size_t depth)
{
    return depth % DGQC_MATRIX_ROW / 4;
}

#define DGQC_STRIP_PANEL(i, codes, weights)                                                                   \
    if (of->panels > (i)) {                                                                                   \
        DGQC_MATRIX_LOAD(*units, weights, right + (i) * of->panel, DGQC_MATRIX_ROW);                          \
        if (of->have_signs) {                                                                                 \
            DGQC_MATRIX_DOT(*units, i, codes, weights);                                                       \
        } else {                                                                                              \
            DGQC_MATRIX_DOT_UNSIGNED(*units, i, codes, weights);                                              \
        }                                                                                                     \
    }
#define DGQC_STRIP_STEP(codes, weights)                                                                       \
    DGQC_MATRIX_LOAD(*units, codes, left, of->stride);                                                        \
    DGQC_STRIP_PANEL(0, codes, weights)                                                                       \
    DGQC_STRIP_PANEL(1, codes, weights)                                                                       \
    DGQC_STRIP_PANEL(2, codes, weights)                                                                       \
    DGQC_STRIP_PANEL(3, codes, weights)
#define DGQC_STRIP_STORE(i)                                                                                   \
    if (of->panels > (i)) {                                                                                   \
        DGQC_MATRIX_STORE(*units, i, sums + (i) * DGQC_MATRIX_ROWS, DGQC_STRIP_COLUMNS * sizeof(int32_t));    \
    }

/* sums[r * DGQC_STRIP_COLUMNS + c]. Units have the shape of as many rows and of dgqc_strip_last quads. */
static inline void dgqc_strip_multiply(dgqc_matrix_units *units, const dgqc_strip *of, int32_t *sums)
{
    const uint8_t *left = of->codes, *right = of->weights, *const last = left + of->depth / DGQC_MATRIX_ROW * DGQC_MATRIX_ROW;
    (void)units;
    DGQC_MATRIX_ZERO(*units, 0);
    DGQC_MATRIX_ZERO(*units, 1);
    DGQC_MATRIX_ZERO(*units, 2);
    DGQC_MATRIX_ZERO(*units, 3);
    for (; left < last; left += DGQC_MATRIX_ROW, right += DGQC_MATRIX_BYTES) {
        DGQC_STRIP_STEP(4, 6)
    }
    if (dgqc_strip_last(of->depth) > 0) {
        DGQC_STRIP_STEP(5, 7)
    }
    DGQC_STRIP_STORE(0)
    DGQC_STRIP_STORE(1)
    DGQC_STRIP_STORE(2)
    DGQC_STRIP_STORE(3)
}
#endif

#endif
