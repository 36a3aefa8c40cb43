/* Dot products of any operands, for what doesn't fit tiles: 16-bit codes, and sums beyond 32 bits. */

#include "dgqc_internal.h"

/* Four rows times four columns in sixteen sums: written out, so that the compiler keeps them in registers and
 * vectorizes over k. */
#define DGQC_ROW_SUMS(sum, r) sum r##0 = 0, r##1 = 0, r##2 = 0, r##3 = 0
#define DGQC_ROW_STEP(sum, r, value)                                                                         \
    r##0 += (sum)(value) * column0[k];                                                                       \
    r##1 += (sum)(value) * column1[k];                                                                       \
    r##2 += (sum)(value) * column2[k];                                                                       \
    r##3 += (sum)(value) * column3[k]
#define DGQC_ROW_STORE(r, row)                                                                               \
    tile[row] += r##0;                                                                                       \
    tile[4 + (row)] += r##1;                                                                                 \
    tile[8 + (row)] += r##2;                                                                                 \
    tile[12 + (row)] += r##3

#define DGQC_DEFINE_TILE(name, value, sum)                                                                   \
    static void name(const value *const rows[4], const value *const columns[4], size_t begin, size_t end,     \
                     int64_t tile[16])                                                                        \
    {                                                                                                         \
        const value *restrict row0 = rows[0], *restrict row1 = rows[1];                                       \
        const value *restrict row2 = rows[2], *restrict row3 = rows[3];                                       \
        const value *restrict column0 = columns[0], *restrict column1 = columns[1];                           \
        const value *restrict column2 = columns[2], *restrict column3 = columns[3];                           \
        DGQC_ROW_SUMS(sum, a);                                                                                \
        DGQC_ROW_SUMS(sum, b);                                                                                \
        DGQC_ROW_SUMS(sum, c);                                                                                \
        DGQC_ROW_SUMS(sum, d);                                                                                \
        for (size_t k = begin; k < end; k++) {                                                                \
            DGQC_ROW_STEP(sum, a, row0[k]);                                                                   \
            DGQC_ROW_STEP(sum, b, row1[k]);                                                                   \
            DGQC_ROW_STEP(sum, c, row2[k]);                                                                   \
            DGQC_ROW_STEP(sum, d, row3[k]);                                                                   \
        }                                                                                                     \
        DGQC_ROW_STORE(a, 0);                                                                                 \
        DGQC_ROW_STORE(b, 1);                                                                                 \
        DGQC_ROW_STORE(c, 2);                                                                                 \
        DGQC_ROW_STORE(d, 3);                                                                                 \
    }

#if defined(__ARM_FEATURE_MVE) && !defined(DGQC_PORTABLE)
#include "dgqc_dot_mve.h"
#elif defined(__arm__) && !defined(DGQC_PORTABLE)
#include "dgqc_dot_squares.h"
#else
DGQC_DEFINE_TILE(tile_narrow, int16_t, int32_t)
#endif
DGQC_DEFINE_TILE(tile_wide, int32_t, int64_t)

/* Past the last row or column a tile reads the last one again; what it yields there is not stored. */
static size_t within(size_t index, size_t count)
{
    return index < count ? index : count - 1;
}

void dgqc_dot(const dgqc_arithmetic *arithmetic, const void *rows, size_t row_stride, size_t row_count,
              const void *columns, size_t column_stride, size_t column_count, size_t depth, int64_t *sums)
{
    for (size_t first = 0; first < row_count; first += 4) {
        int64_t tile[16] = {0};
        if (arithmetic->narrow) {
            const int16_t *row[4], *column[4];
            for (size_t i = 0; i < 4; i++) {
                row[i] = (const int16_t *)rows + within(first + i, row_count) * row_stride;
                column[i] = (const int16_t *)columns + within(i, column_count) * column_stride;
            }
            for (size_t begin = 0; begin < depth; begin += arithmetic->block) {
                const size_t left = depth - begin;
                tile_narrow(row, column, begin, begin + (left < arithmetic->block ? left : arithmetic->block),
                            tile);
            }
        } else {
            const int32_t *row[4], *column[4];
            for (size_t i = 0; i < 4; i++) {
                row[i] = (const int32_t *)rows + within(first + i, row_count) * row_stride;
                column[i] = (const int32_t *)columns + within(i, column_count) * column_stride;
            }
            tile_wide(row, column, 0, depth, tile);
        }
        for (size_t c = 0; c < column_count; c++) {
            for (size_t r = 0; r < 4 && first + r < row_count; r++) {
                sums[c * DGQC_ROWS + first + r] = tile[4 * c + r];
            }
        }
    }
}
