/* 8 columns at a time: even and odd ones apart as 64-bit sums, then their upper halves side by side. */

#include <immintrin.h>

/* Columns done: whole eights. by->shift >= 32. */
static size_t requantize_vectors(const int32_t *totals, size_t rows, size_t column, size_t columns,
                                 const dgqc_requantizer *by, int16_t *y, size_t y_stride)
{
    const int32_t *const m = by->m + column;
    const int64_t *const b = by->b + column;
    const __m128i beyond = _mm_cvtsi32_si128(by->shift - 32), left = _mm_cvtsi32_si128(by->left);
    for (size_t c = 0; c + 8 <= columns; c += 8) {
        const __m256i low = _mm256_loadu_si256((const void *)(b + c));
        const __m256i high = _mm256_loadu_si256((const void *)(b + c + 4));
        /* Unpacking swaps the middle quarters; the permutation puts them right. */
        const __m256i even_b = _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(low, high), 0xD8);
        const __m256i odd_b = _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(low, high), 0xD8);
        const __m256i even_m = _mm256_loadu_si256((const void *)(m + c)), odd_m = _mm256_srli_epi64(even_m, 32);
        for (size_t r = 0; r < rows; r++) {
            const __m256i given = _mm256_loadu_si256((const void *)(totals + r * DGQC_TILE_COLUMNS + c));
            const __m256i even = _mm256_sll_epi32(given, left);
            const __m256i odd = _mm256_srli_epi64(even, 32);
            const __m256i even_y = _mm256_add_epi64(_mm256_mul_epi32(even, even_m), even_b);
            const __m256i odd_y = _mm256_add_epi64(_mm256_mul_epi32(odd, odd_m), odd_b);
            const __m256i upper = _mm256_blend_epi32(_mm256_srli_epi64(even_y, 32), odd_y, 0xAA);
            const __m256i shifted = _mm256_sra_epi32(upper, beyond);
            const __m128i y8 = _mm_packs_epi32(_mm256_castsi256_si128(shifted), _mm256_extracti128_si256(shifted, 1));
            _mm_storeu_si128((void *)(y + r * y_stride + c), y8);
        }
    }
    return columns / 8 * 8;
}
