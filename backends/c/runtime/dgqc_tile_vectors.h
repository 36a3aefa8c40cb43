/* A tile in vectors, for machines that multiply bytes in quads: a few rows times two vectors of columns, `left` and
 * `right`, with all sums in registers from the first run to the last. Horner's rule costs one multiplication a run.
 * Everything is written out by macros, since a compiler that doesn't unroll would keep the sums in memory.
 *
 * The file of a machine includes this one. Before, it defines
 *
 *   vector, and LEFT_COLUMNS, how many lanes of 32 bits it has; bytes_to_right, where a block's right vector is;
 *   vector_splat, vector_load, vector_store, vector_multiply (of lanes), vector_fetch;
 *   vector_codes(four): four codes in every lane;
 *   vector_dot(sum, codes, weights): adds four products in every lane;
 *   vector_low_half, vector_high_half: of every byte, sign-extended;
 *   DGQC_EVERY_ROW(DO): DO(r) for each row of a tile;
 *   where a tile of fewer rows pays, DGQC_FEW_ROWS(DO), and FEW, how many these are;
 *   and, where vector_codes takes 128 off, since its products are of signed bytes, DGQC_LOWERED_CODES and
 *   vector_subtract. The weights' own sums, times -128, are then subtracted at the end. */

#define DGQC_FIRST_ROW(DO) DO(0)

#ifdef DGQC_LOWERED_CODES
#define DGQC_IF_LOWERED(code) code
#else
#define DGQC_IF_LOWERED(code)
#endif

/* What becomes of left##r and right##r, the sums of row r. */
#define DGQC_BEGIN(r)                                                                                         \
    const uint8_t *const row##r = rows[r];                                                                    \
    vector left##r = vector_splat(0), right##r = vector_splat(0);
#define DGQC_SCALE(r)                                                                                         \
    left##r = vector_multiply(left##r, ratio);                                                                \
    right##r = vector_multiply(right##r, ratio);
#define DGQC_ADD(r)                                                                                           \
    codes = quad_of(row##r + code);                                                                           \
    left##r = vector_dot(left##r, codes, left);                                                               \
    right##r = both ? vector_dot(right##r, codes, right) : right##r;
#define DGQC_RAISE(r)                                                                                         \
    left##r = vector_subtract(left##r, left_less);                                                            \
    right##r = vector_subtract(right##r, right_less);
#define DGQC_STORE(r)                                                                                         \
    vector_store(totals + (r) * DGQC_TILE_COLUMNS, left##r);                                                  \
    vector_store(totals + (r) * DGQC_TILE_COLUMNS + LEFT_COLUMNS, right##r);

static inline vector quad_of(const uint8_t *codes)
{
    return vector_codes((int32_t)dgqc_load_word(codes));
}

/* The products of one quad, whose weights are in `left` and `right`. */
#define DGQC_QUAD_OF(ROWS)                                                                                    \
    ROWS(DGQC_ADD)                                                                                            \
    DGQC_IF_LOWERED(left_less = vector_dot(left_less, less, left);)                                           \
    DGQC_IF_LOWERED(right_less = vector_dot(right_less, less, right);)

#define DGQC_FETCH                                                                                            \
    if (both) {                                                                                               \
        vector_fetch(ahead);                                                                                  \
        ahead += DGQC_AHEAD;                                                                                  \
    }

/* The products of a run, with weights of 8 bits. */
#define DGQC_PRODUCTS_8(ROWS)                                                                                 \
    const int8_t *panel = panels + (size_t)run->quad * DGQC_BLOCK_BYTES;                                      \
    for (; code != end; code += DGQC_QUAD, panel += DGQC_BLOCK_BYTES) {                                       \
        left = vector_load(panel), right = both ? vector_load(panel + to_right) : left;                       \
        DGQC_QUAD_OF(ROWS)                                                                                    \
        DGQC_FETCH                                                                                            \
    }

/* The same with weights of 4 bits: a block holds two quads, and a run may begin with the second of them. */
#define DGQC_HALF(half, ROWS)                                                                                 \
    left = half(vector_load(panel)), right = half(vector_load(panel + to_right));                             \
    DGQC_QUAD_OF(ROWS)                                                                                        \
    code += DGQC_QUAD;

#define DGQC_PRODUCTS_4(ROWS)                                                                                 \
    const int8_t *panel = panels + (size_t)(run->quad / 2) * DGQC_BLOCK_BYTES;                                \
    if (run->quad % 2 && code != end) {                                                                       \
        DGQC_HALF(vector_high_half, ROWS)                                                                     \
        panel += DGQC_BLOCK_BYTES;                                                                            \
    }                                                                                                         \
    for (; code + DGQC_QUAD < end; panel += DGQC_BLOCK_BYTES) {                                               \
        DGQC_HALF(vector_low_half, ROWS)                                                                      \
        DGQC_HALF(vector_high_half, ROWS)                                                                     \
        DGQC_FETCH                                                                                            \
    }                                                                                                         \
    if (code != end) {                                                                                        \
        DGQC_HALF(vector_low_half, ROWS)                                                                      \
    }

/* The sums of all runs, row by row in left## and right##. to_right: bytes from a block's left vector to its right;
 * `both`, a constant of the function around this, is whether there is a right one. */
#define DGQC_SUM(ROWS, PRODUCTS)                                                                              \
    vector codes, left, right, ratio;                                                                         \
    DGQC_IF_LOWERED(const vector less = vector_codes(0);)                                                     \
    DGQC_IF_LOWERED(vector left_less = vector_splat(0); vector right_less = vector_splat(0);)                 \
    ROWS(DGQC_BEGIN)                                                                                          \
    for (const dgqc_run *run = sum->runs, *last = run + sum->count; run != last; run++) {                     \
        size_t code = run->code;                                                                              \
        const size_t end = code + (size_t)run->quads * DGQC_QUAD;                                             \
        if (run->ratio != 1) {                                                                                \
            ratio = vector_splat(dgqc_wrap32(run->ratio));                                                    \
            ROWS(DGQC_SCALE)                                                                                  \
            DGQC_IF_LOWERED(DGQC_SCALE(_less))                                                                \
        }                                                                                                     \
        PRODUCTS(ROWS)                                                                                        \
    }                                                                                                         \
    DGQC_IF_LOWERED(ROWS(DGQC_RAISE))                                                                         \
    if (sum->last != 1) {                                                                                     \
        ratio = vector_splat(dgqc_wrap32(sum->last));                                                         \
        ROWS(DGQC_SCALE)                                                                                      \
    }

#define DGQC_DEFINE_TILE(name, ROWS, PRODUCTS, BOTH)                                                          \
    static void name(const int8_t *panels, size_t to_right, const dgqc_sum *sum, const uint8_t *const *rows,  \
                     const char *ahead, int32_t *totals)                                                      \
    {                                                                                                         \
        const int both = BOTH;                                                                                \
        DGQC_SUM(ROWS, PRODUCTS)                                                                              \
        ROWS(DGQC_STORE)                                                                                      \
    }

DGQC_DEFINE_TILE(tile_8, DGQC_EVERY_ROW, DGQC_PRODUCTS_8, 1)
DGQC_DEFINE_TILE(tile_4, DGQC_EVERY_ROW, DGQC_PRODUCTS_4, 1)
DGQC_DEFINE_TILE(half_8, DGQC_EVERY_ROW, DGQC_PRODUCTS_8, 0)
#ifdef DGQC_FEW_ROWS
DGQC_DEFINE_TILE(few_8, DGQC_FEW_ROWS, DGQC_PRODUCTS_8, 1)
DGQC_DEFINE_TILE(few_4, DGQC_FEW_ROWS, DGQC_PRODUCTS_4, 1)
#endif
DGQC_DEFINE_TILE(row_8, DGQC_FIRST_ROW, DGQC_PRODUCTS_8, 1)
DGQC_DEFINE_TILE(row_4, DGQC_FIRST_ROW, DGQC_PRODUCTS_4, 1)

void dgqc_tile(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows, size_t row_count,
               size_t column, const void *ahead, int32_t *totals)
{
    const int8_t *const left = dgqc_panel(panels, column);
    const size_t to_right = bytes_to_right(panels, column);
    const char *const fetched = ahead ? ahead : (const void *)left;
    const uint8_t *full[DGQC_TILE_ROWS];
    if (row_count == 1) { /* which a whole tile would only slow down */
        (panels->bits == 4 ? row_4 : row_8)(left, to_right, sum, rows, fetched, totals);
        return;
    }
    for (size_t r = 0; r < DGQC_TILE_ROWS; r++) {
        full[r] = rows[r < row_count ? r : row_count - 1];
    }
#ifdef DGQC_FEW_ROWS
    if (row_count <= FEW) {
        (panels->bits == 4 ? few_4 : few_8)(left, to_right, sum, full, fetched, totals);
        return;
    }
#endif
    (panels->bits == 4 ? tile_4 : to_right == 0 ? half_8 : tile_8)(left, to_right, sum, full, fetched, totals);
}
