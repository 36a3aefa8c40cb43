/* Bytes in another order, 64 at a time: a permutation picks from 128 neighbours at once, and `pages` says which of these
 * pages 64 results come from. They are few where an order goes through the channels once for each group. */
#ifndef DGQC_GATHER_AVX512_H
#define DGQC_GATHER_AVX512_H

#include <immintrin.h>

/* The first `count` of 64 lanes. */
static inline __mmask64 first_lanes(size_t count)
{
    return count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

static inline __m512i load_part(const uint8_t *x, size_t from, size_t count)
{
    return from < count ? _mm512_maskz_loadu_epi8(first_lanes(count - from), x + from) : _mm512_setzero_si512();
}

static void gather_1(const dgqc_gather_parameters *p, size_t rows, const uint8_t *restrict x, uint8_t *restrict y)
{
    for (size_t j = 0; j < p->count; j += 64) {
        const __mmask64 wanted = first_lanes(p->count - j);
        const __m512i low_half = _mm512_maskz_loadu_epi16((__mmask32)wanted, p->order + j);
        const __m512i high_half = _mm512_maskz_loadu_epi16((__mmask32)(wanted >> 32), p->order + j + 32);
        const __m512i place = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(low_half)),
                                                 _mm512_cvtepi16_epi8(high_half), 1);
        const __m512i page =
            _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(_mm512_srli_epi16(low_half, 7))),
                               _mm512_cvtepi16_epi8(_mm512_srli_epi16(high_half, 7)), 1);
        const size_t first = p->pages[j / 64 * 2], last = p->pages[j / 64 * 2 + 1];
        for (size_t i = 0; i < rows; i++) {
            const uint8_t *const row = x + i * p->count;
            __m512i found = _mm512_setzero_si512();
            for (size_t k = first; k <= last; k++) {
                const __m512i here = load_part(row, k * 128, p->count), next = load_part(row, k * 128 + 64, p->count);
                const __mmask64 of_page = _mm512_cmpeq_epi8_mask(page, _mm512_set1_epi8((char)k));
                found = _mm512_mask_blend_epi8(of_page, found, _mm512_permutex2var_epi8(here, place, next));
            }
            _mm512_mask_storeu_epi8(y + i * p->count + j, wanted, found);
        }
    }
}

#endif
