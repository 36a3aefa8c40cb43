/* AVX512-VNNI: 8 rows times 32 columns, 16 sums in registers; or 1 row, which 8 would only slow down.
 *
 * The sums stay in registers from the first segment to the last: Horner's rule costs one multiplication a segment.
 * Everything is written out by macros, since a compiler that doesn't unroll would keep the sums in memory. */

#include <immintrin.h>
#include <string.h>

#include "dgqc_requantize_avx512.h"

#define DGQC_ROWS_8(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define DGQC_ROWS_1(DO) DO(0)

#define DGQC_BEGIN(r)                                                                                         \
    const uint8_t *const row##r = rows[r];                                                                    \
    __m512i left##r = _mm512_setzero_si512(), right##r = _mm512_setzero_si512();
#define DGQC_SCALE(r)                                                                                         \
    left##r = _mm512_mullo_epi32(left##r, ratio);                                                             \
    right##r = _mm512_mullo_epi32(right##r, ratio);
#define DGQC_ADD(r)                                                                                           \
    codes = quad_of(row##r + code);                                                                           \
    left##r = _mm512_dpbusd_epi32(left##r, codes, left);                                                      \
    right##r = _mm512_dpbusd_epi32(right##r, codes, right);
#define DGQC_STORE(r)                                                                                         \
    _mm512_storeu_si512(totals + (r) * DGQC_TILE_COLUMNS, left##r);                                           \
    _mm512_storeu_si512(totals + (r) * DGQC_TILE_COLUMNS + DGQC_PANEL_COLUMNS, right##r);

#define DGQC_REQUANTIZE(r)                                                                                    \
    left##r = dgqc_scaled16(left##r, &left_columns, beyond);                                                  \
    right##r = dgqc_scaled16(right##r, &right_columns, beyond);                                               \
    _mm512_storeu_si512(y + (r) * y_stride, dgqc_packed32(left##r, right##r));

/* Four codes, for each of the columns. */
static inline __m512i quad_of(const uint8_t *codes)
{
    int32_t four;
    memcpy(&four, codes, sizeof four);
    return _mm512_set1_epi32(four);
}

/* The low and the high halves of bytes, sign-extended. */
#ifdef __GFNI__
static inline __m512i low_half(__m512i block)
{
    return _mm512_gf2p8affine_epi64_epi8(block, _mm512_set1_epi64(0x0102040808080808), 0);
}

static inline __m512i high_half(__m512i block)
{
    return _mm512_gf2p8affine_epi64_epi8(block, _mm512_set1_epi64(0x1020408080808080), 0);
}
#else
static inline __m512i low_half(__m512i block)
{
    const __m512i extended = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
    return _mm512_shuffle_epi8(extended, _mm512_and_si512(block, _mm512_set1_epi8(15)));
}

static inline __m512i high_half(__m512i block)
{
    return low_half(_mm512_srli_epi16(block, 4));
}
#endif

#define DGQC_FETCH                                                                                            \
    _mm_prefetch(ahead, _MM_HINT_T1);                                                                         \
    ahead += DGQC_AHEAD;

#define DGQC_PRODUCTS_8(ROWS)                                                                                 \
    const int8_t *panel = panels + (size_t)run->quad * DGQC_BLOCK_BYTES;                                      \
    for (; code != end; code += DGQC_QUAD, panel += DGQC_BLOCK_BYTES) {                                       \
        left = _mm512_loadu_si512(panel), right = _mm512_loadu_si512(panel + to_right);                       \
        ROWS(DGQC_ADD)                                                                                        \
        DGQC_FETCH                                                                                            \
    }

#define DGQC_HALF(half, ROWS)                                                                                 \
    left = half(_mm512_loadu_si512(panel)), right = half(_mm512_loadu_si512(panel + to_right));               \
    ROWS(DGQC_ADD)                                                                                            \
    code += DGQC_QUAD;

#define DGQC_PRODUCTS_4(ROWS)                                                                                 \
    const int8_t *panel = panels + (size_t)(run->quad / 2) * DGQC_BLOCK_BYTES;                                \
    if (run->quad % 2 && code != end) {                                                                       \
        DGQC_HALF(high_half, ROWS)                                                                            \
        panel += DGQC_BLOCK_BYTES;                                                                            \
    }                                                                                                         \
    for (; code + DGQC_QUAD < end; panel += DGQC_BLOCK_BYTES) {                                               \
        DGQC_HALF(low_half, ROWS)                                                                             \
        DGQC_HALF(high_half, ROWS)                                                                            \
        DGQC_FETCH                                                                                            \
    }                                                                                                         \
    if (code != end) {                                                                                        \
        DGQC_HALF(low_half, ROWS)                                                                             \
    }

/* The sums of all runs, row by row in left## and right##. to_right: bytes from the left panel to the right one. */
#define DGQC_SUM(ROWS, PRODUCTS)                                                                              \
    __m512i codes, left, right, ratio;                                                                        \
    ROWS(DGQC_BEGIN)                                                                                          \
    for (const dgqc_run *run = sum->runs, *last = run + sum->count; run != last; run++) {                     \
        size_t code = run->code;                                                                              \
        const size_t end = code + (size_t)run->quads * DGQC_QUAD;                                             \
        if (run->ratio != 1) {                                                                                \
            ratio = _mm512_set1_epi32(dgqc_wrap32(run->ratio));                                               \
            ROWS(DGQC_SCALE)                                                                                  \
        }                                                                                                     \
        PRODUCTS(ROWS)                                                                                        \
    }                                                                                                         \
    if (sum->last != 1) {                                                                                     \
        ratio = _mm512_set1_epi32(dgqc_wrap32(sum->last));                                                    \
        ROWS(DGQC_SCALE)                                                                                      \
    }

#define DGQC_DEFINE_TILE(name, ROWS, PRODUCTS)                                                                \
    static void name(const int8_t *panels, size_t to_right, const dgqc_sum *sum, const uint8_t *const *rows,  \
                     const char *ahead, int32_t *totals)                                                      \
    {                                                                                                         \
        DGQC_SUM(ROWS, PRODUCTS)                                                                              \
        ROWS(DGQC_STORE)                                                                                      \
    }

DGQC_DEFINE_TILE(tile_8_8, DGQC_ROWS_8, DGQC_PRODUCTS_8)
DGQC_DEFINE_TILE(tile_1_8, DGQC_ROWS_1, DGQC_PRODUCTS_8)
DGQC_DEFINE_TILE(tile_8_4, DGQC_ROWS_8, DGQC_PRODUCTS_4)
DGQC_DEFINE_TILE(tile_1_4, DGQC_ROWS_1, DGQC_PRODUCTS_4)

/* Requantized while they are in registers. by: from the tile's first column on, with a shift of at least 32. */
#define DGQC_DEFINE_REQUANTIZED(name, PRODUCTS)                                                               \
    static void name(const int8_t *panels, size_t to_right, const dgqc_sum *sum, const uint8_t *const *rows,  \
                     const char *ahead, const dgqc_requantizer *by, int16_t *y, size_t y_stride)              \
    {                                                                                                         \
        DGQC_SUM(DGQC_ROWS_8, PRODUCTS)                                                                       \
        const dgqc_columns16 left_columns = dgqc_columns_of(by->m, by->b);                                    \
        const dgqc_columns16 right_columns =                                                                  \
            dgqc_columns_of(by->m + DGQC_PANEL_COLUMNS, by->b + DGQC_PANEL_COLUMNS);                          \
        const __m128i beyond = _mm_cvtsi32_si128(by->shift - 32);                                             \
        DGQC_ROWS_8(DGQC_REQUANTIZE)                                                                          \
    }

DGQC_DEFINE_REQUANTIZED(requantized_8, DGQC_PRODUCTS_8)
DGQC_DEFINE_REQUANTIZED(requantized_4, DGQC_PRODUCTS_4)

static inline const int8_t *panels_at(const dgqc_panels *panels, size_t column)
{
    return (const int8_t *)panels->data + column / DGQC_PANEL_COLUMNS * dgqc_panel_bytes(panels);
}

void dgqc_tile(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows, size_t row_count,
               size_t column, const void *ahead, int32_t *totals)
{
    const int8_t *const left = panels_at(panels, column);
    /* Behind the last panel there is none: it is read twice. */
    const size_t to_right = column + DGQC_PANEL_COLUMNS < panels->columns ? dgqc_panel_bytes(panels) : 0;
    const char *const fetched = ahead ? ahead : (const void *)left;
    const uint8_t *full[DGQC_TILE_ROWS];
    if (row_count == 1) {
        (panels->bits == 4 ? tile_1_4 : tile_1_8)(left, to_right, sum, rows, fetched, totals);
        return;
    }
    for (size_t r = 0; r < DGQC_TILE_ROWS; r++) {
        full[r] = rows[r < row_count ? r : row_count - 1];
    }
    (panels->bits == 4 ? tile_8_4 : tile_8_8)(left, to_right, sum, full, fetched, totals);
}

static int requantized_at_once(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows,
                               size_t row_count, size_t column, const void *ahead, const dgqc_requantizer *by,
                               int16_t *y)
{
    if (row_count < DGQC_TILE_ROWS || panels->columns - column < DGQC_TILE_COLUMNS || by->shift < 32) {
        return 0;
    }
    const int8_t *const left = panels_at(panels, column);
    const dgqc_requantizer here = {by->m + column, by->b + column, by->shift};
    (panels->bits == 4 ? requantized_4 : requantized_8)(left, dgqc_panel_bytes(panels), sum, rows,
                                                        ahead ? ahead : (const void *)left, &here, y,
                                                        panels->columns);
    return 1;
}
