#include <string.h>

#include "dgqc_spans.h"

#if defined(__AVX512BW__) && !defined(DGQC_PORTABLE)
#include "dgqc_spread_avx512.h"
#else
void dgqc_spread(const dgqc_span *spans, size_t count, const uint8_t *x, uint8_t *y)
{
    for (const dgqc_span *s = spans; s < spans + count; s++) {
        uint8_t *const to = y + s->code, *const end = to + dgqc_span_quads(s) * DGQC_QUAD;
        const size_t lead = s->first % DGQC_QUAD;
        memset(to, 0, lead);
        memcpy(to + lead, x + s->first, s->count);
        memset(to + lead + s->count, 0, (size_t)(end - (to + lead + s->count)));
    }
}
#endif
