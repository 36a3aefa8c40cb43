/* Products of 8-bit codes whose groups lie along rows, on both sides. With a row's zero z and multiple m, and k for those of
 * a column,
 *
 *     sum_i m (a_i - z) k_m (b_i - k_z)  =  m k_m (sum a b - k_z sum a + z (depth k_z - sum b)),
 *
 * so that codes are multiplied as they are, four at once, and a column brings three numbers along. */

#include "dgqc_lanes_bytes.h"
#include "dgqc_matmul_tiles.h"

static size_t up_to_panels(size_t columns)
{
    return (columns + DGQC_PANEL - 1) / DGQC_PANEL * DGQC_PANEL;
}

/* The parts of a batch of the right side: panels [quads][16 columns][4], then what sum a b, sum a and z count in each
 * column. */
typedef struct {
    uint8_t *bytes;
    int32_t *of_sum, *of_codes, *of_zero;
} right_side;

static right_side parts_of(const dgqc_matmul_parameters *p, void *right)
{
    const size_t columns = up_to_panels(p->columns);
    right_side parts;
    parts.of_sum = right;
    parts.of_codes = parts.of_sum + columns;
    parts.of_zero = parts.of_codes + columns;
    parts.bytes = (uint8_t *)(parts.of_zero + columns);
    return parts;
}

size_t dgqc_matmul_codes_bytes(const dgqc_matmul_parameters *p)
{
    return up_to_panels(p->columns) * (p->depth + 3 * sizeof(int32_t));
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
    parts.of_sum[column] = multiple;
    parts.of_codes[column] = (LANES_CODE_BIAS - zero) * multiple;
    parts.of_zero[column] = ((int32_t)p->depth * zero - (int32_t)sum) * multiple;
}

/* What a row is: its codes, their sum, its zero, its multiple, and that times the factor: high * 2^16 + low. */
typedef struct {
    const uint8_t *codes;
    int32_t sum, zero, multiple, high, low;
} row;

typedef struct {
    row rows[DGQC_ROWS];
    right_side right;
    size_t depth;
    dgqc_matmul_scale by; /* without a shift to the left */
} operands;

/* What a vector of columns brings along. */
typedef struct {
    lanes of_sum, of_codes, of_zero;
} columns;

static inline columns columns_at(const right_side *right, size_t n)
{
    const columns c = {lanes_load(right->of_sum + n), lanes_load(right->of_codes + n), lanes_load(right->of_zero + n)};
    return c;
}

/* The sum of centered codes times the columns' multiples: 32 bits hold it, whatever its terms do. */
static inline lanes centered(const columns *c, const row *a, lanes sum)
{
    const lanes codes = lanes_multiply(lanes_splat(a->sum), c->of_codes);
    const lanes zeros = lanes_multiply(lanes_splat(a->zero), c->of_zero);
    return lanes_add(lanes_multiply(sum, c->of_sum), lanes_add(codes, zeros));
}

/* round_shift(value * row's multiple * factor, 32 + right). is_short: 32 bits hold the first product. */
static inline lanes finish(const columns *c, const row *a, lanes sum, const dgqc_matmul_scale *by, const int is_short)
{
    const lanes value = centered(c, a, sum);
    if (is_short) {
        return dgqc_matmul_scaled(lanes_multiply(value, lanes_splat(a->multiple)), by);
    }
    const long_lanes high = long_lanes_shift_left(lanes_multiply_long(value, lanes_splat(a->high)), 16);
    const long_lanes low = long_lanes_add(lanes_multiply_long(value, lanes_splat(a->low)), by->half);
    return lanes_shift_right(long_lanes_upper(long_lanes_add(high, low)), by->right);
}

#define ROW(r) const uint8_t *const row##r = rows[r].codes;
#define SUMS(r) lanes left##r = lanes_splat(0), right##r = lanes_splat(0);
#define PRODUCTS(r)                                                                                           \
    four = lanes_splat_word(row##r + k);                                                                      \
    left##r = lanes_dot_codes(left##r, four, left);                                                           \
    right##r = lanes_dot_codes(right##r, four, right);
#define STORE(r)                                                                                              \
    lanes_store(to + (r) * stride, finish(&left_columns, rows + (r), left##r, &by, is_short));                \
    lanes_store(to + (r) * stride + LANES, finish(&right_columns, rows + (r), right##r, &by, is_short));

DGQC_IN_PLACE void multiply(const operands *of, const dgqc_matmul_place *at, int32_t *to, size_t stride,
                            const int is_short)
{
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

DGQC_IN_PLACE void multiply_short(const void *of, const dgqc_matmul_place *at, int32_t *to, size_t stride)
{
    multiply(of, at, to, stride, 1);
}

DGQC_IN_PLACE void multiply_long(const void *of, const dgqc_matmul_place *at, int32_t *to, size_t stride)
{
    multiply(of, at, to, stride, 0);
}

static row row_of(const dgqc_matmul_parameters *p, const uint8_t *codes, int32_t zero, int32_t multiple, int32_t factor)
{
    const int64_t whole = (int64_t)multiple * factor;
    row a = {codes, 0, zero, multiple, (int32_t)(whole >> 16), (int32_t)(whole & 65535)};
    for (size_t k = 0; k < p->depth; k++) {
        a.sum += codes[k];
    }
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
        of.rows[r] = row_of(p, codes + r * p->depth, zero[r * table_stride], multiple[r * table_stride], p->factor[step]);
    }
    for (size_t r = count; r % DGQC_MATMUL_ROWS > 0; r++) {
        of.rows[r] = of.rows[count - 1];
    }
    if (dgqc_matmul_is_short(p)) {
        dgqc_matmul_in_tiles(p, count, multiply_short, &of, y);
    } else {
        dgqc_matmul_in_tiles(p, count, multiply_long, &of, y);
    }
}
