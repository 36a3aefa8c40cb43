/* Products of int16_t values, four rows and two vectors of columns at a time. The sums stay in registers; everything
 * is written out by macros, since a compiler that doesn't unroll would keep them in memory. */

#include "dgqc_lanes.h"
#include "dgqc_matmul.h"

#if LANES == 16
enum { ROWS = 8, COLUMNS = 2 * LANES };
#define EVERY(DO) EACH(DO) DO(4) DO(5) DO(6) DO(7)
#else
enum { ROWS = 4, COLUMNS = 2 * LANES };
#define EVERY(DO) EACH(DO)
#endif

/* round_shift(sum * factor, 32 + right - left): the upper half of sum * 2^left * factor + half, shifted. */
typedef struct {
    lanes factor;
    long_lanes half;
    int left, right;
} scale;

/* What a tile reads. block: pairs whose sum fits int32. */
typedef struct {
    const int16_t *row[ROWS], *left, *right;
    size_t pairs, block;
} tile;

#define EACH(DO) DO(0) DO(1) DO(2) DO(3)
#define ROW(r) const int16_t *const row##r = t->row[r];
#define SUMS(r) lanes left##r = lanes_splat(0), right##r = lanes_splat(0);
#define PRODUCTS(r)                                                                                           \
    two = lanes_splat_word(row##r + 2 * pair);                                                                \
    left##r = lanes_dot16(left##r, two, left);                                                                \
    right##r = lanes_dot16(right##r, two, right);
#define LOOP(THESE, begin, end)                                                                               \
    for (size_t pair = (begin); pair < (end); pair++) {                                                       \
        lanes two, left = lanes_load_words(t->left + pair * 2 * DGQC_PANEL);                                  \
        lanes right = lanes_load_words(t->right + pair * 2 * DGQC_PANEL);                                     \
        LANES_LOADED(left);                                                                                   \
        LANES_LOADED(right);                                                                                  \
        THESE(PRODUCTS)                                                                                       \
    }
#define STORE(r)                                                                                              \
    lanes_store(y[r], scaled(left##r, by));                                                                   \
    lanes_store(y[r] + LANES, scaled(right##r, by));

static inline lanes scaled(lanes sum, const scale *by)
{
    if (by->left > 0) {
        sum = lanes_shift_left(sum, by->left);
    }
    const long_lanes product = lanes_multiply_long(sum, by->factor);
    return lanes_shift_right(long_lanes_upper(long_lanes_add(product, by->half)), by->right);
}

static void multiply_short(const tile *t, const scale *by, int32_t *const *y)
{
    EVERY(ROW)
    EVERY(SUMS)
    LOOP(EVERY, 0, t->pairs)
    EVERY(STORE)
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
    lanes_store(y[r], scaled_total(left_high##r, left_low##r, by));                                           \
    lanes_store(y[r] + LANES, scaled_total(right_high##r, right_low##r, by));

static inline lanes scaled_total(lanes high, lanes low, const scale *by)
{
    const long_lanes upper = long_lanes_shift_left(lanes_multiply_long(high, by->factor), 16);
    const long_lanes lower = long_lanes_add(lanes_multiply_long(low, by->factor), by->half);
    return lanes_shift_right(long_lanes_upper(long_lanes_add(upper, lower)), by->right);
}

static void multiply_long(const tile *t, const scale *by, int32_t *const *y)
{
    const lanes low_half = lanes_splat(65535);
    EACH(ROW)
    EACH(SUMS)
    EACH(TOTALS)
    for (size_t begin = 0; begin < t->pairs; begin += t->block) {
        const size_t end = t->pairs - begin < t->block ? t->pairs : begin + t->block;
        EACH(CLEAR)
        LOOP(EACH, begin, end)
        EACH(FOLD)
    }
    EACH(STORE_TOTALS)
}

/* Copies a tile's results that belong to the matrix. */
static void copy(const int32_t *from, size_t count, int width, void *y)
{
    if (width == 32) {
        memcpy(y, from, count * sizeof(int32_t));
    } else {
        for (size_t i = 0; i < count; i++) {
            ((int16_t *)y)[i] = dgqc_saturate16(from[i]);
        }
    }
}

void dgqc_matmul_pairs(const dgqc_matmul_parameters *p, size_t step, const int16_t *rows, size_t count,
                       const int16_t *panels, void *y)
{
    const size_t pairs = dgqc_pairs(p->depth), panel = pairs * 2 * DGQC_PANEL, item = (size_t)p->width / 8;
    const int shift = p->shift[step], left = shift < 32 ? 32 - shift : 0, right = shift + left - 32;
    const scale by = {lanes_splat(p->factor[step]), long_lanes_splat((int64_t)1 << (shift + left - 1)), left, right};
    const size_t last = (p->columns - 1) / LANES * LANES; /* where the last vector of columns begins */
    tile t = {{0}, NULL, NULL, pairs, p->arithmetic.block / 2};
    for (size_t n = 0; n < p->columns; n += COLUMNS) {
        const size_t next = n + LANES < last ? n + LANES : last, some = p->columns - n;
        t.left = panels + n / DGQC_PANEL * panel + n % DGQC_PANEL * 2;
        t.right = panels + next / DGQC_PANEL * panel + next % DGQC_PANEL * 2;
        for (size_t first = 0; first < count; first += ROWS) {
            int32_t results[ROWS * COLUMNS], *to[ROWS];
            const int direct = p->width == 32 && some >= COLUMNS && count - first >= ROWS;
            for (size_t r = 0; r < ROWS; r++) {
                const size_t row = first + r < count ? first + r : count - 1;
                t.row[r] = rows + row * 2 * pairs;
                to[r] = direct ? (int32_t *)y + row * p->columns + n : results + r * COLUMNS;
            }
            if (t.block >= pairs) {
                multiply_short(&t, &by, to);
            } else {
                multiply_long(&t, &by, to);
#if LANES == 16
                tile lower = t;
                memcpy(lower.row, t.row + 4, 4 * sizeof *t.row);
                multiply_long(&lower, &by, to + 4);
#endif
            }
            for (size_t r = 0; !direct && r < ROWS && first + r < count; r++) {
                copy(to[r], some < COLUMNS ? some : (size_t)COLUMNS, p->width,
                     dgqc_at(y, ((first + r) * p->columns + n) * item));
            }
        }
    }
}
