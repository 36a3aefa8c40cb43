/* Codes as tiles read them: every segment in quads of its own. */

#include <string.h>

#include "dgqc_segments.h"

#if defined(__AVX512BW__) && !defined(DGQC_PORTABLE)
#include "dgqc_spread_avx512.h"
#else
void dgqc_spread_rows(const dgqc_segment *segments, size_t count, size_t rows, const uint8_t *x, size_t x_bytes,
                      uint8_t *y, size_t y_bytes)
{
    for (size_t r = 0; r < rows; r++, x += x_bytes, y += y_bytes) {
        for (const dgqc_segment *s = segments; s < segments + count; s++) {
            uint8_t *const to = y + s->code;
            const size_t lead = s->first % DGQC_QUAD, end = lead + s->count;
            memset(to, 0, lead);
            memcpy(to + lead, x + s->first, s->count);
            memset(to + end, 0, dgqc_segment_quads(s) * DGQC_QUAD - end);
        }
    }
}
#endif
