/* 64 codes of every row at a time, of which a mask keeps those of the segment. */

#include <immintrin.h>

/* The first `count` of 64 lanes. */
static inline __mmask64 first_lanes(size_t count)
{
    return count < 64 ? ~(~(__mmask64)0 << count) : ~(__mmask64)0;
}

void dgqc_spread_rows(const dgqc_segment *segments, size_t count, size_t rows, const uint8_t *x, size_t x_bytes,
                      uint8_t *y, size_t y_bytes)
{
    for (const dgqc_segment *s = segments; s < segments + count; s++) {
        const size_t lead = s->first % DGQC_QUAD, end = lead + s->count;
        const size_t filled = dgqc_segment_quads(s) * DGQC_QUAD;
        for (size_t k = 0; k < end; k += 64) {
            const __mmask64 wanted = first_lanes(end - k) & (k == 0 ? ~(__mmask64)0 << lead : ~(__mmask64)0);
            const __mmask64 stored = first_lanes(filled - k);
            const uint8_t *from = x + s->first - lead + k;
            uint8_t *to = y + s->code + k;
            for (size_t r = 0; r < rows; r++, from += x_bytes, to += y_bytes) {
                _mm512_mask_storeu_epi8(to, stored, _mm512_maskz_loadu_epi8(wanted, from));
            }
        }
    }
}
