/* 16-bit values to codes: clamp((x * multiplier + offset) >> shift), each by its group. */

#include "dgqc_internal.h"

/* |x * m + r| < 2^31: lowering chooses the shift so. */
static inline uint8_t code(int32_t x, int32_t m, int32_t r, int32_t s, int32_t last)
{
    const int32_t q = (x * m + r) >> s;
    return (uint8_t)(q < 0 ? 0 : q > last ? last : q);
}

static size_t repeats(const dgqc_quantize_parameters *p)
{
    return p->inner == 0 && p->columns < DGQC_SHORT_ROW ? DGQC_SHORT_ROW / p->columns : 1;
}

/* Prepared: multiplier, offset and shift of this step for each index of the grouped axis. */
void dgqc_quantize_prepare(const dgqc_quantize_parameters *p, size_t step, void *shared)
{
    const int32_t *const tables[3] = {p->multiplier, p->offset, p->shift};
    for (size_t i = 0; i < 3; i++) {
        int32_t *const to = dgqc_take(&shared, repeats(p) * p->count * sizeof(int32_t));
        for (size_t r = 0; r < repeats(p); r++) {
            dgqc_expand(tables[i] + step * p->groups, p->group, p->count, to + r * p->count);
        }
    }
}

/* Columns that have quantizers of their own. */
static void by_column(const int16_t *restrict x, const int32_t *restrict m, const int32_t *restrict r,
                      const int32_t *restrict s, int32_t last, size_t count, uint8_t *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = code(x[i], m[i], r[i], s[i], last);
    }
}

/* A row with one quantizer. */
static void by_row(const int16_t *restrict x, int32_t m, int32_t r, int32_t s, int32_t last, size_t count,
                   uint8_t *restrict y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = code(x[i], m, r, s, last);
    }
}

void dgqc_quantize_rows(const dgqc_quantize_parameters *p, size_t step, dgqc_rows rows, const int16_t *x,
                        uint8_t *y, const void *shared)
{
    const size_t prepared = repeats(p) * p->count;
    const int32_t *const m = dgqc_taken(&shared, prepared * sizeof(int32_t));
    const int32_t *const r = dgqc_taken(&shared, prepared * sizeof(int32_t));
    const int32_t *const s = dgqc_taken(&shared, prepared * sizeof(int32_t));
    const int32_t last = (1 << p->bits) - 1;
    (void)step;
    if (p->inner == 0) {
        const size_t all = rows.count * p->columns;
        for (size_t i = 0; i < all; i += prepared) {
            by_column(x + i, m, r, s, last, all - i < prepared ? all - i : prepared, y + i);
        }
        return;
    }
    for (size_t i = 0; i < rows.count; i++, x += p->columns, y += p->columns) {
        const size_t at = (rows.first + i) / p->inner % p->count;
        by_row(x, m[at], r[at], s[at], last, p->columns, y);
    }
}
