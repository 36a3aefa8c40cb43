/* What the two ways of a matmul share: results tile by tile, a few rows and two vectors of columns, and how sums become
 * results. */
#ifndef DGQC_MATMUL_TILES_H
#define DGQC_MATMUL_TILES_H

#include "dgqc_lanes.h"
#include "dgqc_matmul.h"

/* Sums of a tile stay in registers; everything is written out by macros, since a compiler that doesn't unroll would keep
 * them in memory. */
#define DGQC_FOUR_ROWS(DO) DO(0) DO(1) DO(2) DO(3)
#if LANES == 16
enum { DGQC_MATMUL_ROWS = 8 };
#define DGQC_MATMUL_EVERY(DO) DGQC_FOUR_ROWS(DO) DO(4) DO(5) DO(6) DO(7)
#else
enum { DGQC_MATMUL_ROWS = 4 };
#define DGQC_MATMUL_EVERY(DO) DGQC_FOUR_ROWS(DO)
#endif
enum { DGQC_MATMUL_COLUMNS = 2 * LANES };

/* round_shift(sum * factor, 32 + right - left): the upper half of sum * 2^left * factor + half, shifted. */
typedef struct {
    lanes factor;
    long_lanes half;
    int left, right;
} dgqc_matmul_scale;

static inline dgqc_matmul_scale dgqc_matmul_scale_of(const dgqc_matmul_parameters *p, size_t step)
{
    const int shift = p->shift[step], left = dgqc_matmul_left_shift(p, step), right = shift + left - 32;
    const dgqc_matmul_scale by = {lanes_splat(p->factor[step]), long_lanes_splat((int64_t)1 << (shift + left - 1)), left,
                                  right};
    return by;
}

static inline lanes dgqc_matmul_scaled(lanes sum, const dgqc_matmul_scale *by)
{
    if (by->left > 0) {
        sum = lanes_shift_left(sum, by->left);
    }
    const long_lanes product = lanes_multiply_long(sum, by->factor);
    return lanes_shift_right(long_lanes_upper(long_lanes_add(product, by->half)), by->right);
}

/* The same of sums beyond 32 bits, high * 2^16 + low, with a shift of at least 32. */
static inline lanes dgqc_matmul_scaled_total(lanes high, lanes low, const dgqc_matmul_scale *by)
{
    const long_lanes upper = long_lanes_shift_left(lanes_multiply_long(high, by->factor), 16);
    const long_lanes lower = long_lanes_add(lanes_multiply_long(low, by->factor), by->half);
    return lanes_shift_right(long_lanes_upper(long_lanes_add(upper, lower)), by->right);
}

/* Whether sums, and what a left shift makes of them, fit int32. */
static inline int dgqc_matmul_is_short(const dgqc_matmul_parameters *p)
{
    return p->arithmetic.narrow && p->arithmetic.block >= p->depth;
}

/* Copies a tile's results that belong to the matrix. */
static inline void dgqc_matmul_copy(const int32_t *from, size_t count, int width, void *y)
{
    if (width == 32) {
        memcpy(y, from, count * sizeof(int32_t));
    } else {
        for (size_t i = 0; i < count; i++) {
            ((int16_t *)y)[i] = dgqc_saturate16(from[i]);
        }
    }
}

/* Where a tile lies: its first row, and the first column of each of its vectors. */
typedef struct {
    size_t row, left, right;
} dgqc_matmul_place;

/* A row that is there for each of a tile, which may reach beyond the last. */
static inline size_t dgqc_matmul_row(size_t row, size_t count)
{
    return row < count ? row : count - 1;
}

/* `multiply` fills a tile: the vectors of its row r go to to + r * stride, one after the other. */
typedef void dgqc_matmul_multiply(const void *operands, const dgqc_matmul_place *at, int32_t *to, size_t stride);

/* Has it fill y[count][p->columns] tile by tile. Tiles have rows and columns beyond the matrix, whose results are left
 * alone. operands: what it is given. */
DGQC_IN_PLACE void dgqc_matmul_in_tiles(const dgqc_matmul_parameters *p, size_t count, dgqc_matmul_multiply *multiply,
                                        const void *operands, void *y)
{
    const size_t item = (size_t)p->width / 8;
    const size_t last = (p->columns - 1) / LANES * LANES; /* where the last vector of columns begins */
    dgqc_matmul_place at;
    for (size_t n = 0; n < p->columns; n += DGQC_MATMUL_COLUMNS) {
        const size_t some = p->columns - n;
        at.left = n;
        at.right = n + LANES < last ? n + LANES : last;
        for (at.row = 0; at.row < count; at.row += DGQC_MATMUL_ROWS) {
            int32_t results[DGQC_MATMUL_ROWS * DGQC_MATMUL_COLUMNS];
            unsigned char *const to = dgqc_at(y, (at.row * p->columns + n) * item);
            if (p->width == 32 && some >= DGQC_MATMUL_COLUMNS && count - at.row >= DGQC_MATMUL_ROWS) {
                multiply(operands, &at, (int32_t *)(void *)to, p->columns);
                continue;
            }
            multiply(operands, &at, results, DGQC_MATMUL_COLUMNS);
            for (size_t r = 0; r < DGQC_MATMUL_ROWS && at.row + r < count; r++) {
                dgqc_matmul_copy(results + r * DGQC_MATMUL_COLUMNS,
                                 some < DGQC_MATMUL_COLUMNS ? some : (size_t)DGQC_MATMUL_COLUMNS, p->width,
                                 to + r * p->columns * item);
            }
        }
    }
}

#endif
