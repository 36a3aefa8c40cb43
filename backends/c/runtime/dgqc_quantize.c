#include "dgqc_internal.h"

/* |x * m + r| < 2^31: lowering chooses the shift so. */
static inline uint8_t code(int32_t x, int32_t m, int32_t r, int32_t s, int32_t last)
{
    const int32_t q = (x * m + r) >> s;
    return (uint8_t)(q < 0 ? 0 : q > last ? last : q);
}

void dgqc_quantize(const dgqc_quantize_parameters *p, size_t step, const int16_t *x, uint8_t *y, void *scratch)
{
    int32_t *restrict m = dgqc_take(&scratch, p->count * sizeof(int32_t));
    int32_t *restrict r = dgqc_take(&scratch, p->count * sizeof(int32_t));
    int32_t *restrict s = dgqc_take(&scratch, p->count * sizeof(int32_t));
    dgqc_expand(p->multiplier + step * p->groups, p->group, p->count, m);
    dgqc_expand(p->offset + step * p->groups, p->group, p->count, r);
    dgqc_expand(p->shift + step * p->groups, p->group, p->count, s);
    const int32_t last = (1 << p->bits) - 1;

    for (size_t outer = 0; outer < p->outer; outer++) {
        const int16_t *restrict from = x + outer * p->count * p->inner;
        uint8_t *restrict to = y + outer * p->count * p->inner;
        if (p->inner == 1) {
            for (size_t i = 0; i < p->count; i++) {
                to[i] = code(from[i], m[i], r[i], s[i], last);
            }
        } else {
            for (size_t i = 0; i < p->count; i++) {
                const int32_t m_i = m[i], r_i = r[i], s_i = s[i];
                for (size_t j = 0; j < p->inner; j++) {
                    to[i * p->inner + j] = code(from[i * p->inner + j], m_i, r_i, s_i, last);
                }
            }
        }
    }
}
