/* Two bytes of a product, for blocks of 64. */

#include <immintrin.h>

static inline void dgqc_two_bytes(const int8_t *weights, const dgqc_split_quad *quads, size_t count, int8_t *low, int8_t *high)
{
    /* Even and odd weights apart as 16 bits; then each plane takes its bytes of the other ones from beside them. */
    const __m512i before = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0, 12, 0, 14));
    const __m512i after = _mm512_broadcast_i32x4(_mm_setr_epi8(1, 0, 3, 0, 5, 0, 7, 0, 9, 0, 11, 0, 13, 0, 15, 0));
    const __mmask64 at_evens = 0x5555555555555555, at_odds = ~at_evens;
    for (size_t q = 0; q < count; q++) {
        const __m512i block = _mm512_loadu_si512(weights + q * DGQC_BLOCK_BYTES);
        const __m512i even = _mm512_maddubs_epi16(_mm512_set1_epi32((int32_t)quads[q].evens), block);
        const __m512i odd = _mm512_maddubs_epi16(_mm512_set1_epi32((int32_t)quads[q].odds), block);
        _mm512_storeu_si512(low + q * DGQC_BLOCK_BYTES, _mm512_mask_shuffle_epi8(even, at_odds, odd, before));
        _mm512_storeu_si512(high + q * DGQC_BLOCK_BYTES, _mm512_mask_shuffle_epi8(odd, at_evens, even, after));
    }
}
