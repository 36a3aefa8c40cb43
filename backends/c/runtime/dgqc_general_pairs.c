/* Rows of int16 values times weights, in vectors: two values at a time, which 32 bits add up. Weights are widened for a block
 * of rows, some of the summed axis at a time; where that is all of it, sums become results without leaving registers. */

#include "dgqc_dots.h"
#include "dgqc_general.h"
#include "dgqc_requantize.h"

#if LANES > 1

#if LANES == 16 && defined(DGQC_REQUANTIZES_VECTORS)
#include "dgqc_requantize_avx512.h"
#define REQUANTIZES_AT_ONCE
#endif

/* Of the summed axis so many quads at a time, and so many columns: in pairs they and their rows fit a core's first cache. */
enum { PART_QUADS = 64, COLUMNS = 32, PANEL = PART_QUADS * DGQC_QUAD * DGQC_PANEL, BLOCK = 64 };

/* The rows of a block, and a part of the summed axis. */
typedef struct {
    const int16_t *rows;
    size_t stride, count, quad, quads;
} part;

/* Bytes of each lane, which stand highest in `first` and `second`, or their upper halves, as two values of 16 bits. */
static inline lanes two_values(lanes first, lanes second, int shift)
{
    return lanes_add(lanes_and(lanes_shift_right(first, shift), lanes_splat(65535)),
                     lanes_shift_left(lanes_shift_right(second, shift), 16));
}

/* A panel's weights of a part as pairs: [pairs][16 columns][2]. */
static void widen(const dgqc_panels *panels, size_t column, const part *of, int16_t *y)
{
    const int8_t *const panel = dgqc_panel(panels, column);
    const int half = panels->bits == 4, shift = half ? 28 : 24;
    for (size_t q = of->quad; q < of->quad + of->quads; q++, y += DGQC_QUAD * DGQC_PANEL) {
        const int8_t *const block = panel + (half ? q / 2 : q) * DGQC_BLOCK_BYTES;
        const int up = half && q % 2 == 0 ? 4 : 0;
        for (size_t c = 0; c < DGQC_PANEL; c += LANES) {
            const lanes four = lanes_shift_left(lanes_load_words(block + c * DGQC_QUAD), up);
            lanes_store_words(y + 2 * c, two_values(lanes_shift_left(four, 24), lanes_shift_left(four, 16), shift));
            lanes_store_words(y + 2 * (DGQC_PANEL + c), two_values(lanes_shift_left(four, 8), four, shift));
        }
    }
}

static dgqc_dots dots_of(const part *of, const int16_t *panels, size_t row, size_t column)
{
    dgqc_dots t;
    for (size_t r = 0; r < DGQC_MATMUL_ROWS; r++) {
        t.row[r] = of->rows + dgqc_matmul_row(row + r, of->count) * of->stride + of->quad * DGQC_QUAD;
    }
    t.left = dgqc_dots_column(panels, PANEL, column);
    t.right = dgqc_dots_column(panels, PANEL, column + LANES);
    return t;
}

#define STORE(r)                                                                                              \
    lanes_store(sums + (r) * DGQC_TILE_COLUMNS, left##r);                                                     \
    lanes_store(sums + (DGQC_MATMUL_ROWS + (r)) * DGQC_TILE_COLUMNS, right##r);

/* The sums of the left vector, row by row, then those of the right. */
#define DEFINE_SUMS(name, BOTH)                                                                               \
    static void name(const dgqc_dots *of, size_t pairs, int32_t *sums)                                        \
    {                                                                                                         \
        const int both = BOTH;                                                                                \
        const dgqc_dots t = *of;                                                                              \
        DGQC_MATMUL_EVERY(DGQC_DOTS_ROW)                                                                      \
        DGQC_MATMUL_EVERY(DGQC_DOTS_SUMS)                                                                     \
        DGQC_DOTS_LOOP(DGQC_MATMUL_EVERY, 0, pairs)                                                           \
        DGQC_MATMUL_EVERY(STORE)                                                                              \
    }

DEFINE_SUMS(sums_of_both, 1)
DEFINE_SUMS(sums_of_left, 0)

#ifdef REQUANTIZES_AT_ONCE
#define REQUANTIZE(r)                                                                                         \
    if ((r) < count) {                                                                                        \
        const __m512i low = dgqc_scaled16((__m512i)left##r, &left_columns, &shifts);                           \
        const __m512i high = dgqc_scaled16((__m512i)right##r, &right_columns, &shifts);                        \
        _mm512_storeu_si512(y + (r) * stride, dgqc_packed32(low, high));                                      \
    }

/* Whole sums to results, for the columns from by->m and by->b on. */
static void requantized_at_once(const dgqc_dots *of, size_t pairs, size_t count, const dgqc_requantizer *by, int16_t *y,
                                size_t stride)
{
    const int both = 1;
    const dgqc_dots t = *of;
    DGQC_MATMUL_EVERY(DGQC_DOTS_ROW)
    DGQC_MATMUL_EVERY(DGQC_DOTS_SUMS)
    DGQC_DOTS_LOOP(DGQC_MATMUL_EVERY, 0, pairs)
    const dgqc_columns16 left_columns = dgqc_columns_of(by->m, by->b);
    const dgqc_columns16 right_columns = dgqc_columns_of(by->m + LANES, by->b + LANES);
    const dgqc_shifts16 shifts = dgqc_shifts_of(by);
    DGQC_MATMUL_EVERY(REQUANTIZE)
}
#endif

/* Results of up to 64 bits before the shift, proved. */
static inline void store(const dgqc_general_product *p, int64_t total, size_t row, size_t n, void *y)
{
    const int64_t scaled = (total * p->general->m[n] + p->general->b[n]) >> p->shift;
    dgqc_store_value(y, p->wide, row * p->panels->columns + n, scaled);
}

/* One vector of sums to results. */
static void finish(const dgqc_general_product *p, const int32_t *sums, size_t row, size_t count, size_t column, void *y)
{
    const size_t columns = p->panels->columns, left = columns - column, some = left < LANES ? left : (size_t)LANES;
    if (!p->wide) {
        const dgqc_requantizer by = {p->general->m, p->general->b, p->shift, 0};
        dgqc_requantize(sums, count, column, some, &by, (int16_t *)y + row * columns + column, columns);
        return;
    }
    for (size_t r = 0; r < count; r++) {
        for (size_t c = 0; c < some; c++) {
            store(p, sums[r * DGQC_TILE_COLUMNS + c], row + r, column + c, y);
        }
    }
}

/* All of the summed axis, for COLUMNS columns. */
static void multiply_whole(const dgqc_general_product *p, const part *of, const int16_t *panels, size_t column, void *y)
{
    const size_t columns = p->panels->columns, pairs = of->quads * 2;
    int32_t sums[2 * DGQC_MATMUL_ROWS * DGQC_TILE_COLUMNS];
    for (size_t c = 0; c < COLUMNS && column + c < columns; c += DGQC_MATMUL_COLUMNS) {
        const size_t left = columns - column - c;
        for (size_t r = 0; r < of->count; r += DGQC_MATMUL_ROWS) {
            const size_t below = of->count - r, count = below < DGQC_MATMUL_ROWS ? below : (size_t)DGQC_MATMUL_ROWS;
            const dgqc_dots dots = dots_of(of, panels, r, c);
#ifdef REQUANTIZES_AT_ONCE
            if (left >= DGQC_MATMUL_COLUMNS && p->shift >= 32 && !p->wide) {
                const dgqc_requantizer by = {p->general->m + column + c, p->general->b + column + c, p->shift, 0};
                requantized_at_once(&dots, pairs, count, &by, (int16_t *)y + r * columns + column + c, columns);
                continue;
            }
#endif
            (left > LANES ? sums_of_both : sums_of_left)(&dots, pairs, sums);
            finish(p, sums, r, count, column + c, y);
            if (left > LANES) {
                finish(p, sums + DGQC_MATMUL_ROWS * DGQC_TILE_COLUMNS, r, count, column + c + LANES, y);
            }
        }
    }
}

/* A part of it. totals: [BLOCK][COLUMNS]. */
static void add_part(const dgqc_general_product *p, const part *of, const int16_t *panels, size_t column, int64_t *totals)
{
    const size_t columns = p->panels->columns;
    const lanes one = lanes_splat(1);
    int32_t sums[2 * DGQC_MATMUL_ROWS * DGQC_TILE_COLUMNS];
    for (size_t c = 0; c < COLUMNS && column + c < columns; c += DGQC_MATMUL_COLUMNS) {
        const int both = columns - column - c > LANES;
        for (size_t r = 0; r < of->count; r += DGQC_MATMUL_ROWS) {
            const dgqc_dots dots = dots_of(of, panels, r, c);
            (both ? sums_of_both : sums_of_left)(&dots, of->quads * 2, sums);
            for (size_t i = 0; i < DGQC_MATMUL_ROWS && r + i < of->count; i++) {
                int64_t *const total = totals + (r + i) * COLUMNS + c;
                lanes_add_products(total, lanes_load(sums + i * DGQC_TILE_COLUMNS), one);
                if (both) {
                    lanes_add_products(total + LANES, lanes_load(sums + (DGQC_MATMUL_ROWS + i) * DGQC_TILE_COLUMNS), one);
                }
            }
        }
    }
}

/* At most BLOCK rows. */
static void multiply(const dgqc_general_product *p, const int16_t *rows, size_t stride, size_t count, void *y)
{
    const dgqc_panels *const panels = p->panels;
    const size_t fitting = p->block / DGQC_QUAD, most = fitting == 0 ? 1 : fitting < PART_QUADS ? fitting : (size_t)PART_QUADS;
    int16_t pairs[COLUMNS / DGQC_PANEL * PANEL];
    int64_t totals[BLOCK * COLUMNS];
    for (size_t column = 0; column < panels->columns; column += COLUMNS) {
        const size_t left = panels->columns - column, some = left < COLUMNS ? left : (size_t)COLUMNS;
        part of = {rows, stride, count, 0, most < panels->quads ? most : panels->quads};
        const int whole = of.quads == panels->quads;
        if (!whole) {
            memset(totals, 0, count * COLUMNS * sizeof *totals);
        }
        for (; of.quad < panels->quads; of.quad += of.quads) {
            const size_t rest = panels->quads - of.quad;
            of.quads = rest < of.quads ? rest : of.quads;
            for (size_t c = 0; c < some; c += DGQC_PANEL) {
                widen(panels, column + c, &of, pairs + c / DGQC_PANEL * PANEL);
            }
            if (whole) {
                multiply_whole(p, &of, pairs, column, y);
            } else {
                add_part(p, &of, pairs, column, totals);
            }
        }
        for (size_t r = 0; !whole && r < count; r++) {
            for (size_t c = 0; c < some; c++) {
                store(p, totals[r * COLUMNS + c], r, column + c, y);
            }
        }
    }
}

int dgqc_general_pairs(const dgqc_general_product *p, const int16_t *rows, size_t stride, size_t count, void *y)
{
    for (size_t done = 0; done < count; done += BLOCK) {
        const size_t left = count - done;
        multiply(p, rows + done * stride, stride, left < BLOCK ? left : (size_t)BLOCK,
                 dgqc_place_of(y, p->wide, done * p->panels->columns));
    }
    return 1;
}

#else

int dgqc_general_pairs(const dgqc_general_product *p, const int16_t *rows, size_t stride, size_t count, void *y)
{
    (void)p, (void)rows, (void)stride, (void)count, (void)y;
    return 0;
}

#endif
