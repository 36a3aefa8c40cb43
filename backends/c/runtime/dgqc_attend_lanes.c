/* Shares times values, a row in each lane. A share is -share = sum_plane digit[plane] * 256^plane with signed bytes as
 * digits, a value one or two unsigned bytes, so that all products are of bytes and no sum of 2^16 keys overflows.
 * Two bytes hold value + 2^15, lower byte first. */

#include "dgqc_attend.h"

#if LANES > 1
#include "dgqc_lanes_bytes.h"

enum { COLUMNS = 4, CHUNK = 64 }; /* at once: columns, and quads of keys whose digits lie in the nearest cache */

void dgqc_attend_pack(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, uint8_t *bytes)
{
    const size_t quads = (p->keys + 3) / 4, size = (size_t)p->value_bytes, start = (size_t)p->start;
    const uint8_t *const codes = (const uint8_t *)values + start * p->columns;
    memset(bytes, 0, dgqc_attend_batch_bytes(p));
    for (size_t j = 0; j < p->keys; j++) {
        uint8_t *const to = bytes + j / 4 * 16 + j % 4;
        for (size_t d = 0; d < p->columns; d++) {
            if (size == 1) {
                to[d / COLUMNS * quads * 16 + d % COLUMNS * 4] = codes[j * p->columns + d];
            } else {
                const int32_t value = dgqc_attend_value(p, s, values, j + start, d) + 32768;
                const size_t low = 2 * d;
                to[low / COLUMNS * quads * 16 + low % COLUMNS * 4] = (uint8_t)(value & 255);
                to[low / COLUMNS * quads * 16 + low % COLUMNS * 4 + 4] = (uint8_t)(value >> 8);
            }
        }
    }
}

/* Digits of a chunk of keys, [quads][planes][lanes][4 keys], and what they add up to. */
static void read_shares(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const uint8_t *codes,
                        size_t count, size_t first_quad, size_t quads, int32_t *digits, lanes *totals)
{
    const size_t planes = (size_t)p->planes;
    for (size_t q = 0; q < quads; q += LANES) {
        const size_t key = 4 * (first_quad + q), left = p->keys - key;
        lanes quad[LANES];
        for (size_t r = 0; r < LANES; r++) { /* lanes without a row repeat the first one */
            const uint8_t *const from = codes + (r < count ? r : 0) * p->keys + key;
            quad[r] = left >= 4 * LANES ? lanes_load_words(from) : lanes_load_bytes_some(from, left);
        }
        lanes_transpose(quad);
        for (size_t i = 0; i < LANES && q + i < quads; i++) {
            const size_t rest = left - 4 * i; /* keys from this quad on */
            const lanes kept = lanes_splat(rest >= 4 ? -1 : (1 << (8 * (int)rest)) - 1);
            for (size_t plane = 0; plane < planes; plane++) {
                const lanes digit = lanes_and(lanes_lookup(s->digits + plane * DGQC_CODES, p->codes, quad[i]), kept);
                lanes_store(digits + ((q + i) * planes + plane) * LANES, digit);
                totals[plane] = lanes_sum8(totals[plane], digit);
            }
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
static inline void weigh(const int32_t *digits, const uint8_t *bytes, size_t quads, const size_t planes,
                         int32_t *sums)
{
    EACH(LOAD)
    for (size_t q = 0; q < quads; q++, digits += planes * LANES) {
        const lanes digit0 = lanes_load(digits);
        const lanes digit1 = planes > 1 ? lanes_load(digits + LANES) : digit0;
        const lanes digit2 = planes > 2 ? lanes_load(digits + 2 * LANES) : digit0;
        lanes value;
        EACH(PRODUCTS)
    }
    EACH(STORE)
}

static void weigh_1(const int32_t *digits, const uint8_t *bytes, size_t quads, int32_t *sums)
{
    weigh(digits, bytes, quads, 1, sums);
}

static void weigh_2(const int32_t *digits, const uint8_t *bytes, size_t quads, int32_t *sums)
{
    weigh(digits, bytes, quads, 2, sums);
}

static void weigh_3(const int32_t *digits, const uint8_t *bytes, size_t quads, int32_t *sums)
{
    weigh(digits, bytes, quads, 3, sums);
}

/* -sum of all planes, for every lane: what the digits stand for. bias: totals that come back a number of times. */
static void join(const int32_t *planes_sums, size_t planes, int64_t *sums)
{
    for (size_t i = 0; i < LANES; i++) {
        int64_t sum = 0;
        for (size_t plane = planes; plane-- > 0;) {
            sum = sum * 256 + planes_sums[plane * LANES + i];
        }
        sums[i] = -sum;
    }
}

void dgqc_attend_lanes(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                       const uint8_t *bytes, const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                       size_t count, void *scratch)
{
    const size_t planes = (size_t)p->planes, size = (size_t)p->value_bytes, quads = (p->keys + 3) / 4;
    const size_t fours = (p->columns * size + COLUMNS - 1) / COLUMNS, four = COLUMNS * planes * LANES;
    int32_t *const digits = dgqc_take(&scratch, (quads < CHUNK ? quads : CHUNK) * planes * LANES * sizeof(int32_t));
    int32_t *const sums = scratch;
    lanes totals[DGQC_PLANES] = {lanes_splat(0), lanes_splat(0), lanes_splat(0)};
    memset(sums, 0, fours * four * sizeof *sums);
    for (size_t q = 0; q < quads; q += CHUNK) {
        const size_t some = quads - q < CHUNK ? quads - q : (size_t)CHUNK;
        read_shares(p, s, block->codes + r * p->keys, count, q, some, digits, totals);
        for (size_t f = 0; f < fours; f++) {
            (planes == 1 ? weigh_1 : planes == 2 ? weigh_2 : weigh_3)(digits, bytes + (f * quads + q) * 16, some,
                                                                      sums + f * four);
        }
    }
    int32_t total_planes[DGQC_PLANES * LANES];
    int64_t whole[LANES], sum[LANES], upper[LANES];
    for (size_t plane = 0; plane < DGQC_PLANES; plane++) {
        lanes_store(total_planes + plane * LANES, totals[plane]);
    }
    join(total_planes, planes, whole);
    for (size_t d = 0; d < p->columns; d++) {
        const int64_t start = p->start ? dgqc_attend_value(p, s, values, 0, d) : 0;
        const int32_t *const own = sums + d * size * planes * LANES;
        join(own, planes, sum);
        if (size == 2) {
            join(own + planes * LANES, planes, upper);
        }
        for (size_t i = 0; i < LANES; i++) {
            sum[i] += LANES_BYTE_BIAS * whole[i];
            if (size == 2) {
                sum[i] += 256 * (upper[i] + LANES_BYTE_BIAS * whole[i]) - 32768 * whole[i];
            } else {
                sum[i] = s->multiple[d] * (sum[i] - s->zero[d] * whole[i]);
            }
        }
        for (size_t i = 0; i < count; i++) {
            block->y[(r + i) * p->columns + d] = dgqc_attend_finish(scale, block, r + i, sum[i], start);
        }
    }
}
#else
void dgqc_attend_pack(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, uint8_t *bytes)
{
    (void)p, (void)s, (void)values, (void)bytes;
}

void dgqc_attend_lanes(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                       const uint8_t *bytes, const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                       size_t count, void *scratch)
{
    (void)p, (void)s, (void)values, (void)bytes, (void)scale, (void)block, (void)r, (void)count, (void)scratch;
}
#endif
