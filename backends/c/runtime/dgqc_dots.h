/* A tile of int16 values that are multiplied two at a time: a few rows times two vectors of columns, whose sums stay in
 * registers. Everything is written out by macros, since a compiler that doesn't unroll would keep them in memory. */
#ifndef DGQC_DOTS_H
#define DGQC_DOTS_H

#include "dgqc_lanes.h"
#include "dgqc_matmul_tiles.h"

/* What a tile reads: rows of values, and columns as panels [pairs][16 columns][2] from where its vectors begin. */
typedef struct {
    const int16_t *row[DGQC_MATMUL_ROWS], *left, *right;
} dgqc_dots;

/* Where the vector of a column and those after it begins. panel: int16_t from a panel to the next. */
static inline const int16_t *dgqc_dots_column(const int16_t *panels, size_t panel, size_t column)
{
    return panels + column / DGQC_PANEL * panel + column % DGQC_PANEL * 2;
}

/* What becomes of left##r and right##r, the sums of row r. `both`, a constant of the function around this, is whether there is
 * a right vector. */
#define DGQC_DOTS_ROW(r) const int16_t *const row##r = t.row[r];
#define DGQC_DOTS_SUMS(r) lanes left##r = lanes_splat(0), right##r = lanes_splat(0);
#define DGQC_DOTS_PRODUCTS(r)                                                                                 \
    two = lanes_splat_word(row##r + 2 * pair);                                                                \
    left##r = lanes_dot16(left##r, two, left);                                                                \
    right##r = both ? lanes_dot16(right##r, two, right) : right##r;
#define DGQC_DOTS_LOOP(ROWS, begin, end)                                                                      \
    for (size_t pair = (begin); pair < (end); pair++) {                                                       \
        lanes two, left = lanes_load_words(t.left + pair * 2 * DGQC_PANEL);                                   \
        lanes right = both ? lanes_load_words(t.right + pair * 2 * DGQC_PANEL) : left;                        \
        LANES_LOADED(left);                                                                                   \
        LANES_LOADED(right);                                                                                  \
        ROWS(DGQC_DOTS_PRODUCTS)                                                                              \
    }

#endif
