/* Even and odd columns apart as 64-bit sums, then their upper halves side by side: 16 columns at a time. */
#ifndef DGQC_REQUANTIZE_AVX512_H
#define DGQC_REQUANTIZE_AVX512_H

#include <immintrin.h>

/* m and b of 16 columns, even and odd ones apart. */
typedef struct {
    __m512i even_m, odd_m, even_b, odd_b;
} dgqc_columns16;

static inline dgqc_columns16 dgqc_columns_of(const int32_t *m, const int64_t *b)
{
    const __m512i evens = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const __m512i odds = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    const __m512i low = _mm512_loadu_si512(b), high = _mm512_loadu_si512(b + 8);
    dgqc_columns16 c;
    c.even_m = _mm512_loadu_si512(m);
    c.odd_m = _mm512_srli_epi64(c.even_m, 32);
    c.even_b = _mm512_permutex2var_epi64(low, evens, high);
    c.odd_b = _mm512_permutex2var_epi64(low, odds, high);
    return c;
}

/* (totals * m + b) >> shift as 32 bits. beyond: shift - 32, at least 0. */
static inline __m512i dgqc_scaled16(__m512i even, const dgqc_columns16 *c, __m128i beyond)
{
    const __m512i odd = _mm512_srli_epi64(even, 32);
    const __m512i even_y = _mm512_add_epi64(_mm512_mul_epi32(even, c->even_m), c->even_b);
    const __m512i odd_y = _mm512_add_epi64(_mm512_mul_epi32(odd, c->odd_m), c->odd_b);
    /* The upper half of each sum: that of an even column moves to its lower lane. */
    return _mm512_sra_epi32(_mm512_mask_shuffle_epi32(odd_y, 0x5555, even_y, _MM_PERM_DDBB), beyond);
}

/* Two of these side by side as int16. */
static inline __m512i dgqc_packed32(__m512i low, __m512i high)
{
    /* Packing goes by quarters; the permutation puts them in order. */
    const __m512i in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    return _mm512_permutexvar_epi64(in_order, _mm512_packs_epi32(low, high));
}

#endif
