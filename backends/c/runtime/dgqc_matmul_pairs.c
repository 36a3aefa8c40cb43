/* Products of int16_t values. */

#include "dgqc_dots.h"

/* block: pairs whose sum fits int32. */
typedef struct {
    const int16_t *rows, *panels;
    size_t count, pairs, block;
    dgqc_matmul_scale by;
} operands;

static dgqc_dots tile_of(const operands *of, const dgqc_matmul_place *at)
{
    const size_t panel = of->pairs * 2 * DGQC_PANEL;
    dgqc_dots t;
    for (size_t r = 0; r < DGQC_MATMUL_ROWS; r++) {
        t.row[r] = of->rows + dgqc_matmul_row(at->row + r, of->count) * 2 * of->pairs;
    }
    t.left = dgqc_dots_column(of->panels, panel, at->left);
    t.right = dgqc_dots_column(of->panels, panel, at->right);
    return t;
}

#define STORE(r)                                                                                              \
    lanes_store(to + (r) * stride, dgqc_matmul_scaled(left##r, &by));                                         \
    lanes_store(to + (r) * stride + LANES, dgqc_matmul_scaled(right##r, &by));

static void multiply_short(const void *all, const dgqc_matmul_place *at, int32_t *to, size_t stride)
{
    const operands *const of = all;
    const dgqc_matmul_scale by = of->by; /* which no store can change */
    const int both = 1;
    const dgqc_dots t = tile_of(of, at);
    DGQC_MATMUL_EVERY(DGQC_DOTS_ROW)
    DGQC_MATMUL_EVERY(DGQC_DOTS_SUMS)
    DGQC_DOTS_LOOP(DGQC_MATMUL_EVERY, 0, of->pairs)
    DGQC_MATMUL_EVERY(STORE)
}

/* Where the whole sum doesn't fit int32, parts that do are added up in two halves: high * 2^16 + low. */
#define TOTALS(r)                                                                                             \
    lanes left_high##r = lanes_splat(0), left_low##r = left_high##r;                                          \
    lanes right_high##r = left_high##r, right_low##r = left_high##r;
#define CLEAR(r) left##r = right##r = lanes_splat(0);
#define FOLD(r)                                                                                               \
    left_high##r = lanes_add(left_high##r, lanes_shift_right(left##r, 16));                                   \
    left_low##r = lanes_add(left_low##r, lanes_and(left##r, low_half));                                       \
    right_high##r = lanes_add(right_high##r, lanes_shift_right(right##r, 16));                                \
    right_low##r = lanes_add(right_low##r, lanes_and(right##r, low_half));
#define STORE_TOTALS(r)                                                                                       \
    lanes_store(to + (r) * stride, dgqc_matmul_scaled_total(left_high##r, left_low##r, &by));                 \
    lanes_store(to + (r) * stride + LANES, dgqc_matmul_scaled_total(right_high##r, right_low##r, &by));

static void multiply_four(const operands *of, dgqc_dots t, int32_t *to, size_t stride)
{
    const dgqc_matmul_scale by = of->by;
    const int both = 1;
    const lanes low_half = lanes_splat(65535);
    DGQC_FOUR_ROWS(DGQC_DOTS_ROW)
    DGQC_FOUR_ROWS(DGQC_DOTS_SUMS)
    DGQC_FOUR_ROWS(TOTALS)
    for (size_t begin = 0; begin < of->pairs; begin += of->block) {
        const size_t end = of->pairs - begin < of->block ? of->pairs : begin + of->block;
        DGQC_FOUR_ROWS(CLEAR)
        DGQC_DOTS_LOOP(DGQC_FOUR_ROWS, begin, end)
        DGQC_FOUR_ROWS(FOLD)
    }
    DGQC_FOUR_ROWS(STORE_TOTALS)
}

static void multiply_long(const void *all, const dgqc_matmul_place *at, int32_t *to, size_t stride)
{
    const dgqc_dots t = tile_of(all, at);
    for (size_t r = 0; r < DGQC_MATMUL_ROWS; r += 4) { /* more would not fit the registers */
        dgqc_dots four = t;
        for (size_t i = 0; i < 4; i++) {
            four.row[i] = t.row[r + i];
        }
        multiply_four(all, four, to + r * stride, stride);
    }
}

void dgqc_matmul_pairs(const dgqc_matmul_parameters *p, size_t step, const int16_t *rows, size_t count,
                       const int16_t *panels, void *y)
{
    const operands of = {rows, panels, count, dgqc_pairs(p->depth), p->arithmetic.block / 2, dgqc_matmul_scale_of(p, step)};
    if (dgqc_matmul_is_short(p)) {
        dgqc_matmul_in_tiles(p, count, multiply_short, &of, y);
    } else {
        dgqc_matmul_in_tiles(p, count, multiply_long, &of, y);
    }
}
