/* 64 codes at a time, of which masks keep those of the span. */

#include <immintrin.h>

void dgqc_spread(const dgqc_span *spans, size_t count, const uint8_t *x, uint8_t *y)
{
    for (const dgqc_span *s = spans; s < spans + count; s++) {
        const size_t lead = s->first % DGQC_QUAD, end = lead + s->count;
        const uint8_t *const from = x + s->first - lead;
        __mmask64 wanted = ~(__mmask64)0 << lead;
        for (size_t k = 0; k < end; k += 64) {
            const size_t left = end - k, filled = (left + DGQC_QUAD - 1) / DGQC_QUAD * DGQC_QUAD;
            const __mmask64 there = left < 64 ? ~(~(__mmask64)0 << left) : ~(__mmask64)0;
            const __mmask64 stored = filled < 64 ? ~(~(__mmask64)0 << filled) : ~(__mmask64)0;
            const __m512i codes = _mm512_maskz_loadu_epi8(wanted & there, from + k);
            _mm512_mask_storeu_epi8(y + s->code + k, stored, codes);
            wanted = ~(__mmask64)0;
        }
    }
}
