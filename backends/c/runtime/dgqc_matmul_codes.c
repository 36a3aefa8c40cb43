/* Products of 8-bit codes whose groups lie along rows, on both sides. With a row's zero z and multiple m, and k for those of
 * a column,
 *
 *     sum_i m (a_i - z) k_m (b_i - k_z)  =  m k_m (sum a b - k_z sum a + z (depth k_z - sum b)),
 *
 * so that codes are multiplied as they are, four at once. What zeros add is the product of two pairs of int16_t, the row's
 * (sum a, z) and the column's (-k_z, depth k_z - sum b). A row's multiple joins the factor, and a shift of the sum to the
 * left the columns' multiples. */

#include "dgqc_lanes_bytes.h"
#include "dgqc_matmul_tiles.h"
#include "dgqc_matrix_strip.h"

static size_t up_to_panels(size_t columns)
{
    return (columns + DGQC_PANEL - 1) / DGQC_PANEL * DGQC_PANEL;
}

/* The parts of a batch of the right side: each column's multiple and its pair, then panels
 * [quads][16 columns][4]. */
typedef struct {
    int32_t *multiples, *pairs;
    uint8_t *bytes;
} right_side;

static right_side parts_of(const dgqc_matmul_parameters *p, void *right)
{
    const size_t columns = up_to_panels(p->columns);
    right_side parts;
    parts.multiples = right;
    parts.pairs = parts.multiples + columns;
    parts.bytes = (uint8_t *)(parts.pairs + columns);
    return parts;
}

size_t dgqc_matmul_codes_bytes(const dgqc_matmul_parameters *p)
{
    return up_to_panels(p->columns) * (p->depth + 2 * sizeof(int32_t));
}

/* Two of int16_t, the first in the lower half. */
static int32_t pair_of(int32_t first, int32_t second)
{
    return second * 65536 + (int32_t)((uint32_t)first & 65535U);
}

void dgqc_matmul_pack_codes(const dgqc_matmul_parameters *p, int32_t zero, int32_t multiple, const uint8_t *codes,
                            size_t column, void *right)
{
    const right_side parts = parts_of(p, right);
    uint8_t *const to = parts.bytes + column / DGQC_PANEL * p->depth * DGQC_PANEL + column % DGQC_PANEL * 4;
    uint32_t sum = 0;
    for (size_t k = 0; k < p->depth; k += 4) { /* depth is a multiple of 4 */
        const uint32_t four = dgqc_load_word(codes + k), pairs = (four & 0x00FF00FFU) + (four >> 8 & 0x00FF00FFU);
        dgqc_store_word(to + k * DGQC_PANEL, four ^ LANES_CODE_BIAS * 0x01010101U); /* 128 less, or nothing */
        sum += (pairs & 65535) + (pairs >> 16);
    }
    parts.multiples[column] = multiple;
    parts.pairs[column] = pair_of(LANES_CODE_BIAS - zero, (int32_t)p->depth * zero - (int32_t)sum);
}

/* What a row is: its codes, its pair, and its multiple times the factor. */
typedef struct {
    const uint8_t *codes;
    int32_t pair, factor;
} row;

typedef struct {
    row rows[DGQC_ROWS];
    right_side right;
    size_t depth;
    dgqc_matmul_scale by; /* but for the factor, which is the row's, and the shift to the left, which is done */
} operands;

/* What a vector of columns brings along. */
typedef struct {
    lanes multiples, pairs;
} columns;

static inline columns columns_at(const right_side *right, size_t n)
{
    const columns c = {lanes_load(right->multiples + n), lanes_load(right->pairs + n)};
    return c;
}

/* 32 bits hold the sum of centered codes times the columns' multiples, whatever its terms do. */
static inline lanes finish(const columns *c, const row *a, lanes sum, const dgqc_matmul_scale *by)
{
    const lanes centered = lanes_dot16(sum, lanes_splat(a->pair), c->pairs);
    const long_lanes product = lanes_multiply_long(lanes_multiply(centered, c->multiples), lanes_splat(a->factor));
    return lanes_shift_right(long_lanes_upper(long_lanes_add(product, by->half)), by->right);
}

#define ROW(r) const uint8_t *const row##r = rows[r].codes;
#define SUMS(r) lanes left##r = lanes_splat(0), right##r = lanes_splat(0);
#define PRODUCTS(r)                                                                                           \
    four = lanes_splat_word(row##r + k);                                                                      \
    left##r = lanes_dot_codes(left##r, four, left);                                                           \
    right##r = lanes_dot_codes(right##r, four, right);
#define STORE(r)                                                                                              \
    lanes_store(to + (r) * stride, finish(&left_columns, rows + (r), left##r, &by));                          \
    lanes_store(to + (r) * stride + LANES, finish(&right_columns, rows + (r), right##r, &by));

DGQC_IN_PLACE void multiply(const void *given, const dgqc_matmul_place *at, int32_t *to, size_t stride)
{
    const operands *const of = given;
    const size_t panel = of->depth * DGQC_PANEL;
    const row *const rows = of->rows + at->row;
    const uint8_t *const from_left = of->right.bytes + at->left / DGQC_PANEL * panel + at->left % DGQC_PANEL * 4;
    const uint8_t *const from_right = of->right.bytes + at->right / DGQC_PANEL * panel + at->right % DGQC_PANEL * 4;
    DGQC_MATMUL_EVERY(ROW)
    DGQC_MATMUL_EVERY(SUMS)
    for (size_t k = 0; k < of->depth; k += 4) {
        lanes four, left = lanes_load_words(from_left + k * DGQC_PANEL);
        lanes right = lanes_load_words(from_right + k * DGQC_PANEL);
        LANES_LOADED(left);
        LANES_LOADED(right);
        DGQC_MATMUL_EVERY(PRODUCTS)
    }
    const columns left_columns = columns_at(&of->right, at->left), right_columns = columns_at(&of->right, at->right);
    const dgqc_matmul_scale by = of->by; /* which no store can change */
    DGQC_MATMUL_EVERY(STORE)
}

#ifdef DGQC_MATRIX
/* Results of `count` rows and a vector of columns. y: where the first one goes, p->columns before the next row's. */
DGQC_IN_PLACE void finish_rows(const operands *of, const row *rows, size_t count, size_t n, const int32_t *sums, size_t some,
                               const dgqc_matmul_parameters *p, void *y)
{
    const columns here = columns_at(&of->right, n);
    const dgqc_matmul_scale by = of->by; /* which no store can change */
    const int whole = p->width == 32 && some >= LANES;
    int32_t *to = y;
    for (size_t r = 0; whole && r < count; r++, sums += DGQC_STRIP_COLUMNS, to += p->columns) {
        lanes_store(to, finish(&here, rows + r, lanes_load(sums), &by));
    }
    for (size_t r = 0; !whole && r < count; r++, sums += DGQC_STRIP_COLUMNS) {
        int32_t results[LANES];
        lanes_store(results, finish(&here, rows + r, lanes_load(sums), &by));
        dgqc_matmul_copy(results, some < LANES ? some : (size_t)LANES, p->width,
                         dgqc_at(y, r * p->columns * (size_t)p->width / 8));
    }
}

static void multiply_in_strips(const operands *of, const dgqc_matmul_parameters *p, size_t count, void *y)
{
    const size_t panel = p->depth * DGQC_PANEL;
    int32_t room[2][DGQC_MATRIX_ROWS * DGQC_STRIP_COLUMNS]; /* so that units go on while sums are read */
    DGQC_MATRIX_HELD(units)
    for (size_t r = 0; r < count; r += DGQC_MATRIX_ROWS) {
        const size_t rows = count - r < DGQC_MATRIX_ROWS ? count - r : (size_t)DGQC_MATRIX_ROWS;
        DGQC_MATRIX_SHAPE(units, rows, dgqc_strip_last(p->depth));
        for (size_t n = 0; n < p->columns; n += DGQC_STRIP_COLUMNS) {
            const size_t some = p->columns - n < DGQC_STRIP_COLUMNS ? p->columns - n : (size_t)DGQC_STRIP_COLUMNS;
            const dgqc_strip strip = {.codes = of->rows[r].codes,
                                      .stride = p->depth,
                                      .weights = of->right.bytes + n / DGQC_PANEL * panel,
                                      .panel = panel,
                                      .panels = (some + DGQC_PANEL - 1) / DGQC_PANEL,
                                      .depth = p->depth,
                                      .have_signs = LANES_CODE_BIAS > 0};
            int32_t *const sums = room[n / DGQC_STRIP_COLUMNS % 2];
            dgqc_strip_multiply(&units, &strip, sums);
            for (size_t c = 0; c < some; c += LANES) {
                finish_rows(of, of->rows + r, rows, n + c, sums + c, some - c, p,
                            dgqc_at(y, (r * p->columns + n + c) * (size_t)p->width / 8));
            }
        }
    }
    dgqc_matrix_end();
}
#endif

static row row_of(const dgqc_matmul_parameters *p, const uint8_t *codes, int32_t zero, int32_t factor)
{
    int32_t sum = 0;
    for (size_t k = 0; k < p->depth; k++) {
        sum += codes[k];
    }
    const row a = {codes, pair_of(sum, zero), factor};
    return a;
}

void dgqc_matmul_codes(const dgqc_matmul_parameters *p, size_t step, const uint8_t *codes, const int32_t *zero,
                       const int32_t *multiple, size_t table_stride, size_t count, const void *right, void *y)
{
    operands of;
    of.right = parts_of(p, (void *)(uintptr_t)right);
    of.depth = p->depth;
    of.by = dgqc_matmul_scale_of(p, step);
    for (size_t r = 0; r < count; r++) {
        of.rows[r] = row_of(p, codes + r * p->depth, zero[r * table_stride], multiple[r * table_stride] * p->factor[step]);
    }
#ifdef DGQC_MATRIX
    if (dgqc_matrix_permitted()) {
        multiply_in_strips(&of, p, count, y);
        return;
    }
#endif
    for (size_t r = count; r % DGQC_MATMUL_ROWS > 0; r++) {
        of.rows[r] = of.rows[count - 1];
    }
    dgqc_matmul_in_tiles(p, count, multiply, &of, y);
}
