/* AVX512-VNNI: 8 rows times 32 columns, 16 sums in registers, requantized before they leave them. Of the 77 tokens of a
 * prompt 5 are left. */

#include <immintrin.h>

#include "dgqc_requantize_avx512.h"

typedef __m512i vector;
enum { LEFT_COLUMNS = DGQC_PANEL_COLUMNS };

#define DGQC_EVERY_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define DGQC_FEW_ROWS(DO) DO(0) DO(1) DO(2) DO(3) DO(4)
enum { FEW = 5 };

#define vector_splat(x) _mm512_set1_epi32(x)
#define vector_codes(four) vector_splat(four)
#define vector_load(x) _mm512_loadu_si512(x)
#define vector_store(x, v) _mm512_storeu_si512(x, v)
#define vector_multiply(a, b) _mm512_mullo_epi32(a, b)
#define vector_dot(sum, codes, weights) _mm512_dpbusd_epi32(sum, codes, weights)
#define vector_fetch(x) _mm_prefetch(x, _MM_HINT_T1)

/* The low and the high halves of bytes, sign-extended. */
#ifdef __GFNI__
static inline vector vector_low_half(vector block)
{
    return _mm512_gf2p8affine_epi64_epi8(block, _mm512_set1_epi64(0x0102040808080808), 0);
}

static inline vector vector_high_half(vector block)
{
    return _mm512_gf2p8affine_epi64_epi8(block, _mm512_set1_epi64(0x1020408080808080), 0);
}
#else
static inline vector vector_low_half(vector block)
{
    const vector extended = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
    return _mm512_shuffle_epi8(extended, _mm512_and_si512(block, _mm512_set1_epi8(15)));
}

static inline vector vector_high_half(vector block)
{
    return vector_low_half(_mm512_srli_epi16(block, 4));
}
#endif

/* The next panel; there is none after the last, which is read twice. */
static inline size_t bytes_to_right(const dgqc_panels *panels, size_t column)
{
    return column + DGQC_PANEL_COLUMNS < panels->columns ? dgqc_panel_bytes(panels) : 0;
}

#include "dgqc_tile_vectors.h"

#define DGQC_REQUANTIZE(r)                                                                                    \
    left##r = dgqc_scaled16(left##r, &left_columns, &shifts);                                                  \
    right##r = dgqc_scaled16(right##r, &right_columns, &shifts);                                               \
    _mm512_storeu_si512(y + (r) * y_stride, dgqc_packed32(left##r, right##r));

/* Requantized while they are in registers. by: from the tile's first column on, with a shift of at least 32. */
#define DGQC_DEFINE_REQUANTIZED(name, PRODUCTS)                                                               \
    static void name(const int8_t *panels, size_t to_right, const dgqc_sum *sum, const uint8_t *const *rows,  \
                     const char *ahead, const dgqc_requantizer *by, int16_t *y, size_t y_stride)              \
    {                                                                                                         \
        const int both = 1;                                                                                   \
        DGQC_SUM(DGQC_EVERY_ROW, PRODUCTS)                                                                    \
        const dgqc_columns16 left_columns = dgqc_columns_of(by->m, by->b);                                    \
        const dgqc_columns16 right_columns =                                                                  \
            dgqc_columns_of(by->m + DGQC_PANEL_COLUMNS, by->b + DGQC_PANEL_COLUMNS);                          \
        const dgqc_shifts16 shifts = dgqc_shifts_of(by);                                                      \
        DGQC_EVERY_ROW(DGQC_REQUANTIZE)                                                                       \
    }

DGQC_DEFINE_REQUANTIZED(requantized_8, DGQC_PRODUCTS_8)
DGQC_DEFINE_REQUANTIZED(requantized_4, DGQC_PRODUCTS_4)

static int requantized_at_once(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *const *rows,
                               size_t row_count, size_t column, const void *ahead, const dgqc_requantizer *by,
                               int16_t *y, size_t y_stride)
{
    if (row_count < DGQC_TILE_ROWS || panels->columns - column < DGQC_TILE_COLUMNS || by->shift < 32) {
        return 0;
    }
    const int8_t *const left = dgqc_panel(panels, column);
    const dgqc_requantizer here = {by->m + column, by->b + column, by->shift, by->left};
    (panels->bits == 4 ? requantized_4 : requantized_8)(left, dgqc_panel_bytes(panels), sum, rows,
                                                        ahead ? ahead : (const void *)left, &here, y,
                                                        y_stride);
    return 1;
}
