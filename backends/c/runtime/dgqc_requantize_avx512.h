/* Even and odd columns apart as 64-bit sums, then their upper halves side by side: 16 columns at a time. */
#ifndef DGQC_REQUANTIZE_AVX512_H
#define DGQC_REQUANTIZE_AVX512_H

#include <immintrin.h>

#include "dgqc_tile.h"

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

/* How far: totals to the left in each lane, results to the right beyond the 32 bits that taking the upper half is worth. */
typedef struct {
    __m512i left, beyond;
} dgqc_shifts16;

static inline dgqc_shifts16 dgqc_shifts_of(const dgqc_requantizer *by)
{
    const dgqc_shifts16 shifts = {_mm512_set1_epi32(by->left), _mm512_set1_epi32(by->shift - 32)};
    return shifts;
}

/* (totals * 2^left * m + b) >> shift as 32 bits. */
static inline __m512i dgqc_scaled16(__m512i totals, const dgqc_columns16 *c, const dgqc_shifts16 *by)
{
    const __m512i even = _mm512_sllv_epi32(totals, by->left);
    const __m512i odd = _mm512_shuffle_epi32(even, (_MM_PERM_ENUM)0xF5); /* a shift would wait for the multiplications' port */
    const __m512i even_y = _mm512_add_epi64(_mm512_mul_epi32(even, c->even_m), c->even_b);
    const __m512i odd_y = _mm512_add_epi64(_mm512_mul_epi32(odd, c->odd_m), c->odd_b);
    /* The upper half of each sum: that of an even column moves to its lower lane. */
    return _mm512_srav_epi32(_mm512_mask_shuffle_epi32(odd_y, 0x5555, even_y, _MM_PERM_DDBB), by->beyond);
}

/* Two of these side by side as int16. */
static inline __m512i dgqc_packed32(__m512i low, __m512i high)
{
    /* Packing goes by quarters; the permutation puts them in order. */
    const __m512i in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    return _mm512_permutexvar_epi64(in_order, _mm512_packs_epi32(low, high));
}

#endif
