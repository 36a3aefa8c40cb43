/* Products of values with shares that take more than a byte. -share = sum_plane digit[plane] * 256^plane, with signed
 * bytes as digits. */
#ifndef DGQC_ATTEND_DIGITS_H
#define DGQC_ATTEND_DIGITS_H

#include "dgqc_attend_codes.h"

/* Digits of a chunk of keys, [quads][planes][lanes][4 keys]; `totals` grow by what they add up to. */
static inline void dgqc_read_digits(const dgqc_attend_parameters *p, const int8_t *tables, const uint8_t *codes,
                                    size_t count, size_t first_quad, size_t quads, int32_t *digits, lanes *totals)
{
    const size_t planes = (size_t)p->planes;
    for (size_t q = 0; q < quads; q += LANES) {
        const size_t key = 4 * (first_quad + q), left = p->keys - key;
        const size_t some = quads - q < LANES ? quads - q : (size_t)LANES;
        lanes quad[LANES];
        dgqc_read_codes(codes + key, p->keys, left, count, quad);
        for (size_t plane = 0; plane < planes; plane++) {
            const int8_t *const table = tables + plane * DGQC_CODES;
            int32_t *const to = digits + (q * planes + plane) * LANES;
            lanes total = totals[plane];
            for (size_t i = 0; i < some; i++) {
                const size_t rest = left - 4 * i; /* keys from this quad on */
                lanes digit = lanes_lookup(table, p->codes, quad[i]);
                if (rest < 4) {
                    digit = lanes_and(digit, lanes_splat((1 << (8 * (int)rest)) - 1));
                }
                lanes_store(to + i * planes * LANES, digit);
                total = lanes_sum8(total, digit);
            }
            totals[plane] = total;
        }
    }
}

#define EACH(DO) DO(0) DO(1) DO(2) DO(3)
#define PLACE(c, plane) (sums + ((c) * planes + (plane)) * LANES)
#define LOAD(c)                                                                                               \
    lanes a##c = lanes_load(PLACE(c, 0));                                                                     \
    lanes b##c = planes > 1 ? lanes_load(PLACE(c, 1)) : a##c, d##c = planes > 2 ? lanes_load(PLACE(c, 2)) : a##c;
#define PRODUCTS(c)                                                                                           \
    value = lanes_splat_word(bytes + 16 * q + 4 * (c));                                                       \
    a##c = lanes_dot8(a##c, value, digit0);                                                                   \
    b##c = planes > 1 ? lanes_dot8(b##c, value, digit1) : b##c;                                               \
    d##c = planes > 2 ? lanes_dot8(d##c, value, digit2) : d##c;
#define STORE(c)                                                                                              \
    lanes_store(PLACE(c, 0), a##c);                                                                           \
    if (planes > 1) {                                                                                         \
        lanes_store(PLACE(c, 1), b##c);                                                                       \
    }                                                                                                         \
    if (planes > 2) {                                                                                         \
        lanes_store(PLACE(c, 2), d##c);                                                                       \
    }

/* sums[column][plane][lane] += digits times bytes, of four columns. */
static inline void dgqc_weigh_digits(const int32_t *digits, const uint8_t *bytes, size_t quads, const size_t planes,
                         int32_t *sums)
{
    EACH(LOAD)
    for (size_t q = 0; q < quads; q++, digits += planes * LANES) {
        lanes value, digit0 = lanes_load(digits);
        lanes digit1 = planes > 1 ? lanes_load(digits + LANES) : digit0;
        lanes digit2 = planes > 2 ? lanes_load(digits + 2 * LANES) : digit0;
        LANES_LOADED(digit0);
        LANES_LOADED(digit1);
        LANES_LOADED(digit2);
        EACH(PRODUCTS)
    }
    EACH(STORE)
}

static void dgqc_weigh_1(const int32_t *digits, const uint8_t *bytes, size_t quads, int32_t *sums)
{
    dgqc_weigh_digits(digits, bytes, quads, 1, sums);
}

static void dgqc_weigh_2(const int32_t *digits, const uint8_t *bytes, size_t quads, int32_t *sums)
{
    dgqc_weigh_digits(digits, bytes, quads, 2, sums);
}

static void dgqc_weigh_3(const int32_t *digits, const uint8_t *bytes, size_t quads, int32_t *sums)
{
    dgqc_weigh_digits(digits, bytes, quads, 3, sums);
}

#undef EACH
#undef PLACE
#undef LOAD
#undef PRODUCTS
#undef STORE

#endif
