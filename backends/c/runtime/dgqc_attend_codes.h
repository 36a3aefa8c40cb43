/* Codes of a row in each lane, and their products with values where a code is a share. */
#ifndef DGQC_ATTEND_CODES_H
#define DGQC_ATTEND_CODES_H

#include "dgqc_attend.h"
#include "dgqc_lanes_bytes.h"

/* At once: columns, and quads of keys whose shares lie in the nearest cache. */
enum { DGQC_FOUR = 4, DGQC_QUADS = 64 };

/* Codes of 4 * LANES keys, a row in each lane, a quad in each vector. Keys beyond `left` are of code 0. */
static inline void dgqc_read_codes(const uint8_t *codes, size_t keys, size_t left, size_t count, lanes quads[LANES])
{
    for (size_t r = 0; r < LANES; r++) { /* lanes without a row repeat the first one */
        const uint8_t *const from = codes + (r < count ? r : 0) * keys;
        quads[r] = left >= 4 * LANES ? lanes_load_words(from) : lanes_load_bytes_some(from, left);
    }
    lanes_transpose(quads);
}

/* Some quads of a chunk of keys as they are, for two vectors of rows: [quads][2][lanes][4 keys]. `totals` grow by what
 * they add up to. keys: from a row's codes to the next one's; left: keys from the first quad on, and `skip` of them, 0 to
 * 3, count as 0, as do those beyond the last. */
static inline void dgqc_read_shares(const uint8_t *codes, size_t keys, size_t left, size_t skip, size_t count,
                                    size_t quads, int32_t *shares, lanes totals[2])
{
    const lanes kept = lanes_splat((int32_t)(0xFFFFFFFF << (8 * skip)));
    const lanes ones = lanes_splat(0x01010101);
    for (size_t half = 0; half < 2; half++) {
        const size_t first = half * LANES < count ? half * LANES : 0; /* rows beyond the last repeat others */
        const uint8_t *const from = codes + first * keys;
        for (size_t q = 0; q < quads; q += LANES) {
            lanes quad[LANES];
            dgqc_read_codes(from + 4 * q, keys, left - 4 * q, count - first, quad);
            if (q == 0) {
                quad[0] = lanes_and(quad[0], kept);
            }
            for (size_t i = 0; i < LANES && q + i < quads; i++) {
                lanes_store(shares + ((q + i) * 2 + half) * LANES, quad[i]);
                totals[half] = lanes_dot_codes(totals[half], quad[i], ones);
            }
        }
    }
}

#define DGQC_EACH_FOUR(DO) DO(0) DO(1) DO(2) DO(3)
#define DGQC_EACH_EIGHT(DO) DGQC_EACH_FOUR(DO) DO(4) DO(5) DO(6) DO(7)
#define DGQC_FROM(c) const uint8_t *const from##c = bytes + (c) / DGQC_FOUR * to_next + (c) % DGQC_FOUR * 4;
#define DGQC_LOAD(c)                                                                                          \
    lanes upper##c = lanes_load(sums + 2 * (c) * LANES), lower##c = lanes_load(sums + (2 * (c) + 1) * LANES);
#define DGQC_PRODUCT(c)                                                                                       \
    value = lanes_splat_word(from##c + 16 * q);                                                               \
    upper##c = lanes_dot_codes(upper##c, upper, value);                                                       \
    lower##c = lanes_dot_codes(lower##c, lower, value);
#define DGQC_STORE(c)                                                                                         \
    lanes_store(sums + 2 * (c) * LANES, upper##c);                                                            \
    lanes_store(sums + (2 * (c) + 1) * LANES, lower##c);

/* sums[column][2][lane] += codes times bytes, of some columns and two vectors of rows. to_next: bytes from four columns
 * to the next four. */
#define DGQC_DEFINE_WEIGH(name, EACH)                                                                         \
    static void name(const int32_t *shares, const uint8_t *bytes, size_t to_next, size_t quads, int32_t *sums) \
    {                                                                                                         \
        EACH(DGQC_FROM)                                                                                       \
        EACH(DGQC_LOAD)                                                                                       \
        (void)to_next;                                                                                        \
        for (size_t q = 0; q < quads; q++) {                                                                  \
            lanes value, upper = lanes_load(shares + 2 * q * LANES);                                          \
            lanes lower = lanes_load(shares + (2 * q + 1) * LANES);                                           \
            LANES_LOADED(upper);                                                                              \
            LANES_LOADED(lower);                                                                              \
            EACH(DGQC_PRODUCT)                                                                                \
        }                                                                                                     \
        EACH(DGQC_STORE)                                                                                      \
    }

DGQC_DEFINE_WEIGH(dgqc_weigh_four, DGQC_EACH_FOUR)
#if LANES == 16 /* with registers for the sums of eight columns */
DGQC_DEFINE_WEIGH(dgqc_weigh_eight, DGQC_EACH_EIGHT)
#endif

/* The same of all columns, in fours. */
static inline void dgqc_weigh_codes(const int32_t *shares, const uint8_t *bytes, size_t to_next, size_t quads,
                                    size_t fours, int32_t *sums)
{
    size_t f = 0;
#if LANES == 16
    for (; f + 2 <= fours; f += 2) {
        dgqc_weigh_eight(shares, bytes + f * to_next, to_next, quads, sums + f * DGQC_FOUR * 2 * LANES);
    }
#endif
    for (; f < fours; f++) {
        dgqc_weigh_four(shares, bytes + f * to_next, 0, quads, sums + f * DGQC_FOUR * 2 * LANES);
    }
}

#undef DGQC_FROM
#undef DGQC_LOAD
#undef DGQC_PRODUCT
#undef DGQC_STORE
#undef DGQC_DEFINE_WEIGH

#endif
