/* Totals of a tile to int16. */

#include "dgqc_requantize.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__) && !defined(DGQC_PORTABLE)
#include "dgqc_requantize_avx512.h"

static size_t requantize_vectors(const int32_t *totals, size_t rows, size_t column, size_t columns,
                                 const dgqc_requantizer *by, int16_t *y, size_t y_stride)
{
    const int32_t *const m = by->m + column;
    const int64_t *const b = by->b + column;
    const dgqc_shifts16 shifts = dgqc_shifts_of(by);
    size_t c = 0;
    for (; c + 2 * DGQC_PANEL_COLUMNS <= columns; c += 2 * DGQC_PANEL_COLUMNS) {
        const dgqc_columns16 left = dgqc_columns_of(m + c, b + c);
        const dgqc_columns16 right = dgqc_columns_of(m + c + DGQC_PANEL_COLUMNS, b + c + DGQC_PANEL_COLUMNS);
        for (size_t r = 0; r < rows; r++) {
            const int32_t *const total = totals + r * DGQC_TILE_COLUMNS + c;
            const __m512i low = dgqc_scaled16(_mm512_loadu_si512(total), &left, &shifts);
            const __m512i high = dgqc_scaled16(_mm512_loadu_si512(total + DGQC_PANEL_COLUMNS), &right, &shifts);
            _mm512_storeu_si512(y + r * y_stride + c, dgqc_packed32(low, high));
        }
    }
    for (; c < columns; c += DGQC_PANEL_COLUMNS) {
        const dgqc_columns16 sixteen = dgqc_columns_of(m + c, b + c);
        const __mmask16 kept = columns - c < 16 ? (__mmask16)((1U << (columns - c)) - 1) : (__mmask16)0xFFFF;
        for (size_t r = 0; r < rows; r++) {
            const __m512i total = _mm512_loadu_si512(totals + r * DGQC_TILE_COLUMNS + c);
            const __m512i scaled = dgqc_scaled16(total, &sixteen, &shifts);
            _mm256_mask_storeu_epi16(y + r * y_stride + c, kept, _mm512_cvtsepi32_epi16(scaled));
        }
    }
    return columns;
}

static size_t requantize_split_vectors(const int32_t *totals, size_t upper, size_t rows, size_t column, size_t columns,
                                       const dgqc_requantizer *by, int16_t *y, size_t y_stride)
{
    const dgqc_shifts16 shifts = dgqc_shifts_of(by);
    for (size_t c = 0; c < columns; c += DGQC_PANEL_COLUMNS) {
        const dgqc_columns16 sixteen = dgqc_columns_of(by->m + column + c, by->b + column + c);
        const __mmask16 kept = columns - c < 16 ? (__mmask16)((1U << (columns - c)) - 1) : (__mmask16)0xFFFF;
        const int32_t *total = totals + c;
        for (size_t r = 0; r < rows; r++, total += DGQC_TILE_COLUMNS) {
            const __m512i more = _mm512_slli_epi32(_mm512_loadu_si512(total + upper), 8);
            const __m512i whole = _mm512_add_epi32(_mm512_loadu_si512(total), more);
            const __m512i scaled = dgqc_scaled16(whole, &sixteen, &shifts);
            _mm256_mask_storeu_epi16(y + r * y_stride + c, kept, _mm512_cvtsepi32_epi16(scaled));
        }
    }
    return columns;
}
#define SPLIT_VECTORS
#elif defined(DGQC_REQUANTIZES_VECTORS)
#include "dgqc_requantize_avx2.h"
#else
static size_t requantize_vectors(const int32_t *totals, size_t rows, size_t column, size_t columns,
                                 const dgqc_requantizer *by, int16_t *y, size_t y_stride)
{
    (void)totals, (void)rows, (void)column, (void)columns, (void)by, (void)y, (void)y_stride;
    return 0;
}
#endif

/* total * 2^left, for machines where `left` may be anything but 0. */
static inline int32_t moved(int32_t total, int32_t left)
{
#ifdef DGQC_REQUANTIZES_VECTORS
    return total * (1 << left);
#else
    (void)left;
    return total;
#endif
}

void dgqc_requantize(const int32_t *totals, size_t rows, size_t column, size_t columns,
                     const dgqc_requantizer *by, int16_t *y, size_t y_stride)
{
    const int32_t *const m = by->m + column, shift = by->shift;
    const int64_t *const b = by->b + column;
    const size_t done = shift >= 32 ? requantize_vectors(totals, rows, column, columns, by, y, y_stride) : 0;
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = done; c < columns; c++) {
            const int64_t scaled = (int64_t)moved(totals[r * DGQC_TILE_COLUMNS + c], by->left) * m[c] + b[c];
            y[r * y_stride + c] = dgqc_saturate16(scaled >> shift);
        }
    }
}

void dgqc_requantize_split(const int32_t *totals, size_t upper, size_t rows, size_t column, size_t columns,
                           const dgqc_requantizer *by, int16_t *y, size_t y_stride)
{
    const int32_t *const m = by->m + column, shift = by->shift;
    const int64_t *const b = by->b + column;
    size_t done = 0;
#ifdef SPLIT_VECTORS
    done = shift >= 32 ? requantize_split_vectors(totals, upper, rows, column, columns, by, y, y_stride) : 0;
#endif
    for (size_t r = 0; r < rows; r++, totals += DGQC_TILE_COLUMNS) {
        for (size_t c = done; c < columns; c++) {
            const int32_t total = dgqc_wrap32((uint32_t)totals[c] + 256 * (uint32_t)totals[upper + c]);
            y[r * y_stride + c] = dgqc_saturate16(((int64_t)moved(total, by->left) * m[c] + b[c]) >> shift);
        }
    }
}

void dgqc_requantize_long(const int64_t *totals, size_t rows, size_t column, size_t columns,
                          const dgqc_requantizer *by, int16_t *y, size_t y_stride)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            const uint64_t product = (uint64_t)totals[r * DGQC_TILE_COLUMNS + c] * (uint64_t)by->m[column + c];
            const int64_t scaled = (int64_t)(product + (uint64_t)by->b[column + c]);
            y[r * y_stride + c] = dgqc_saturate16(scaled >> by->shift);
        }
    }
}
