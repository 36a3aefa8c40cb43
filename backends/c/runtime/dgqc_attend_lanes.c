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

/* Codes of 4 * LANES keys, a row in each lane, a quad in each vector. Keys beyond `left` are of code 0. */
static inline void read_codes(const uint8_t *codes, size_t keys, size_t left, size_t count, lanes quads[LANES])
{
    for (size_t r = 0; r < LANES; r++) { /* lanes without a row repeat the first one */
        const uint8_t *const from = codes + (r < count ? r : 0) * keys;
        quads[r] = left >= 4 * LANES ? lanes_load_words(from) : lanes_load_bytes_some(from, left);
    }
    lanes_transpose(quads);
}

/* Digits of a chunk of keys, [quads][planes][lanes][4 keys], and what they add up to. */
static void read_shares(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const uint8_t *codes,
                        size_t count, size_t first_quad, size_t quads, int32_t *digits, lanes *totals)
{
    const size_t planes = (size_t)p->planes;
    for (size_t q = 0; q < quads; q += LANES) {
        const size_t key = 4 * (first_quad + q), left = p->keys - key;
        const size_t some = quads - q < LANES ? quads - q : (size_t)LANES;
        lanes quad[LANES];
        read_codes(codes + key, p->keys, left, count, quad);
        for (size_t plane = 0; plane < planes; plane++) {
            const int8_t *const table = s->digits + plane * DGQC_CODES;
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
static inline void weigh(const int32_t *digits, const uint8_t *bytes, size_t quads, const size_t planes,
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

/* What the planes of sums stand for, for every lane. */
static inline void join(const int32_t *sums, size_t planes, int64_t *whole)
{
    for (size_t i = 0; i < LANES; i++) {
        int64_t sum = 0;
        for (size_t plane = planes; plane-- > 0;) {
            sum = sum * 256 + sums[plane * LANES + i];
        }
        whole[i] = -sum;
    }
}

/* dgqc_attend_finish for a row in each lane. */
typedef struct {
    int64_t mantissa[LANES], half[LANES], first[LANES];
    int32_t exponent[LANES];
} finish;

static void read_finish(const dgqc_attend_block *block, size_t r, size_t count, finish *f)
{
    for (size_t i = 0; i < LANES; i++) {
        const size_t row = r + (i < count ? i : 0);
        f->mantissa[i] = block->mantissa[row];
        f->exponent[i] = 15 + block->exponent[row];
        f->half[i] = (int64_t)1 << (14 + block->exponent[row]);
        f->first[i] = block->first[row];
    }
}

static inline void finish_column(const finish *f, const dgqc_attend_scale *scale, const int64_t *sums, int64_t start,
                                 int16_t *y)
{
    const int32_t drop = scale->fraction - 15, shift = scale->shift;
    const int64_t rest = drop > 0 ? (int64_t)1 << (drop - 1) : 0, half = (int64_t)1 << (shift - 1);
    for (size_t i = 0; i < LANES; i++) {
        const int64_t mix = (((sums[i] + rest) >> drop) * f->mantissa[i] + f->half[i]) >> f->exponent[i];
        const int64_t scaled = ((mix + f->first[i] * start) * scale->factor + half) >> shift;
        y[i] = dgqc_saturate16(scaled);
    }
}

/* Sums of a column's bytes, as they come from digits and stored bytes, become sums of values. */
static inline void correct(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const int32_t *sums, size_t d,
                           const int64_t *totals, int64_t *values)
{
    const size_t planes = (size_t)p->planes;
    join(sums, planes, values);
    if (p->value_bytes == 1) {
        const int64_t zero = s->zero[d] - LANES_BYTE_BIAS, multiple = s->multiple[d];
        for (size_t i = 0; i < LANES; i++) {
            values[i] = multiple * (values[i] - zero * totals[i]);
        }
    } else {
        int64_t upper[LANES];
        join(sums + planes * LANES, planes, upper);
        for (size_t i = 0; i < LANES; i++) {
            values[i] += 256 * upper[i] + (257 * LANES_BYTE_BIAS - 32768) * totals[i];
        }
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
    int64_t total[LANES], sum[LANES];
    int16_t y[LANES];
    finish f;
    for (size_t plane = 0; plane < planes; plane++) {
        lanes_store(total_planes + plane * LANES, totals[plane]);
    }
    join(total_planes, planes, total);
    read_finish(block, r, count, &f);
    for (size_t d = 0; d < p->columns; d++) {
        correct(p, s, sums + d * size * planes * LANES, d, total, sum);
        finish_column(&f, scale, sum, p->start ? dgqc_attend_value(p, s, values, 0, d) : 0, y);
        for (size_t i = 0; i < count; i++) {
            block->y[(r + i) * p->columns + d] = y[i];
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
