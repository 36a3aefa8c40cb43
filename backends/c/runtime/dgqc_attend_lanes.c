/* Shares times values, a row in each lane: all products are of bytes, and no sum of 2^16 keys overflows. A value is one
 * unsigned byte, or two (dgqc_attend_pack.c). Where codes are shares (no planes), they are multiplied as they are; else
 * by their digits. */

#include "dgqc_attend.h"

#if LANES > 1
#include "dgqc_attend_digits.h"

/* What products take off the bytes of values. */
static int32_t bias_of(const dgqc_attend_parameters *p)
{
    return p->planes == 0 ? LANES_CODE_BIAS : LANES_BYTE_BIAS;
}

/* Sums of one column, or of shares: one for each plane, at least one. */
static size_t parts_of(const dgqc_attend_parameters *p)
{
    return p->planes == 0 ? 1 : (size_t)p->planes;
}

/* What the parts of sums stand for, for every lane. */
static inline void join(const dgqc_attend_parameters *p, const int32_t *sums, int64_t *whole)
{
    const size_t parts = parts_of(p);
    const int sign = p->planes == 0 ? 1 : -1; /* digits make up what a share takes away */
    for (size_t i = 0; i < LANES; i++) {
        whole[i] = sign * sums[(parts - 1) * LANES + i];
    }
    for (size_t part = parts - 1; part-- > 0;) {
        for (size_t i = 0; i < LANES; i++) {
            whole[i] = whole[i] * 256 + sign * sums[part * LANES + i];
        }
    }
}

/* dgqc_attend_finish for a row in each lane. */
typedef struct {
    int64_t mantissa[LANES], half[LANES], first[LANES];
    int32_t exponent[LANES];
} finish;

static void read_finish(const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r, size_t count,
                        finish *f)
{
    for (size_t i = 0; i < LANES; i++) {
        const size_t row = r + (i < count ? i : 0);
        f->mantissa[i] = block->mantissa[row];
        f->exponent[i] = scale->places + block->exponent[row];
        f->half[i] = (int64_t)1 << (f->exponent[i] - 1);
        f->first[i] = block->first[row];
    }
}

static inline void finish_column(const finish *f, const dgqc_attend_scale *scale, const int64_t *sums, int64_t start,
                                 int16_t *y)
{
    const int32_t drop = scale->drop, shift = scale->shift;
    const int64_t rest = drop > 0 ? (int64_t)1 << (drop - 1) : 0, half = (int64_t)1 << (shift - 1);
    for (size_t i = 0; i < LANES; i++) {
        const int64_t mix = (((sums[i] + rest) >> drop) * f->mantissa[i] + f->half[i]) >> f->exponent[i];
        const int64_t scaled = ((mix + f->first[i] * start) * scale->factor + half) >> shift;
        y[i] = dgqc_saturate16(scaled);
    }
}

/* Sums of a column's bytes, as they come from digits and stored bytes, become sums of values. */
static inline void correct(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const int32_t *sums,
                           size_t column, size_t d, const int64_t *totals, int64_t *values)
{
    const int64_t bias = bias_of(p);
    join(p, sums, values);
    if (p->value_bytes == 1) {
        const int64_t zero = s->zero[d] - bias, multiple = s->multiple[d];
        for (size_t i = 0; i < LANES; i++) {
            values[i] = multiple * (values[i] - zero * totals[i]);
        }
    } else {
        int64_t upper[LANES];
        join(p, sums + column, upper);
        for (size_t i = 0; i < LANES; i++) {
            values[i] += 256 * upper[i] + (257 * bias - 32768) * totals[i];
        }
    }
}

/* What a block of rows added up. column: from a column's sums to the next one's. whole: instead of sums, with spans. */
typedef struct {
    const int32_t *sums, *totals;
    const int64_t *whole;
    size_t column;
} added;

/* Results of up to LANES rows from row r on, the first of them `first` rows behind the block's. */
static void finish_rows(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                        const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r, size_t first,
                        size_t count, const added *found)
{
    const size_t parts = parts_of(p);
    int64_t total[LANES], sum[LANES];
    int16_t y[LANES];
    finish f;
    join(p, found->totals + first * parts, total);
    read_finish(scale, block, r, count, &f);
    for (size_t d = 0; d < p->columns; d++) {
        if (p->spans > 0) {
            for (size_t i = 0; i < LANES; i++) {
                sum[i] = found->whole[d * found->column + first + lanes_place(i)];
            }
        } else {
            const int32_t *const sums = found->sums + d * found->column * (size_t)p->value_bytes + first * parts;
            correct(p, s, sums, found->column, d, total, sum);
        }
        finish_column(&f, scale, sum, p->start ? dgqc_attend_value(p, s, values, 0, d) : 0, y);
        for (size_t i = 0; i < count; i++) {
            block->y[(r + i) * p->columns + d] = y[i];
        }
    }
}

/* Adds up the shares of `count` rows, for the keys from `first` up to `end`, and column by column, their products with
 * values. codes: of the first row. */
static void add_codes(const dgqc_attend_parameters *p, const uint8_t *codes, size_t count, const uint8_t *bytes,
                      size_t first, size_t end, size_t fours, int32_t *shares, int32_t *sums, int32_t *totals)
{
    const size_t quads = (p->keys + 3) / 4, last = (end + 3) / 4;
    lanes total[2] = {lanes_splat(0), lanes_splat(0)};
    for (size_t q = first / 4; q < last; q += DGQC_QUADS) {
        const size_t some = last - q < DGQC_QUADS ? last - q : (size_t)DGQC_QUADS;
        const size_t skip = 4 * q < first ? first % 4 : 0;
        dgqc_read_shares(codes + 4 * q, p->keys, end - 4 * q, skip, count, some, shares, total);
        dgqc_weigh_codes(shares, bytes + q * 16, quads * 16, some, fours, sums);
    }
    lanes_store(totals, total[0]);
    lanes_store(totals + LANES, total[1]);
}

/* The same span by span: whole[column][2][lane] (in lanes_place's order) are sums of values with groups of keys. */
static void add_spans(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const uint8_t *codes, size_t count,
                      const uint8_t *bytes, size_t fours, int32_t *shares, int32_t *sums, int64_t *whole)
{
    int32_t totals[2 * LANES];
    memset(whole, 0, p->columns * 2 * LANES * sizeof *whole);
    for (size_t span = 0, first = 0; span < p->spans; first = (size_t)p->ends[span], span++) {
        memset(sums, 0, fours * DGQC_FOUR * 2 * LANES * sizeof *sums);
        add_codes(p, codes, count, bytes, first, (size_t)p->ends[span], fours, shares, sums, totals);
        const lanes less = lanes_splat(s->zero[first] - bias_of(p)), multiple = lanes_splat(s->multiple[first]);
        const lanes zeros[2] = {lanes_multiply(less, lanes_load(totals)), lanes_multiply(less, lanes_load(totals + LANES))};
        for (size_t i = 0; i < 2 * p->columns; i++) {
            const lanes centered = lanes_subtract(lanes_load(sums + i * LANES), zeros[i % 2]);
            int64_t *const to = whole + i * LANES;
            long_lanes_store(to, long_lanes_add(long_lanes_load(to), lanes_multiply_long(centered, multiple)));
        }
    }
}

/* The same, by digits; a sum for each plane. */
static void add_digits(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const uint8_t *codes, size_t count,
                       const uint8_t *bytes, size_t fours, int32_t *digits, int32_t *sums, int32_t *totals)
{
    const size_t planes = (size_t)p->planes, quads = (p->keys + 3) / 4;
    lanes total[DGQC_PLANES] = {lanes_splat(0), lanes_splat(0), lanes_splat(0)};
    for (size_t q = 0; q < quads; q += DGQC_QUADS) {
        const size_t some = quads - q < DGQC_QUADS ? quads - q : (size_t)DGQC_QUADS;
        dgqc_read_digits(p, s->digits, codes, count, q, some, digits, total);
        for (size_t f = 0; f < fours; f++) {
            (planes == 1   ? dgqc_weigh_1
             : planes == 2 ? dgqc_weigh_2
                           : dgqc_weigh_3)(digits, bytes + (f * quads + q) * 16, some,
                                           sums + f * DGQC_FOUR * planes * LANES);
        }
    }
    for (size_t plane = 0; plane < planes; plane++) {
        lanes_store(totals + plane * LANES, total[plane]);
    }
}

void dgqc_attend_lanes(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                       const uint8_t *bytes, const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                       size_t count, void *scratch)
{
    const size_t quads = (p->keys + 3) / 4, size = (size_t)p->value_bytes, parts = parts_of(p);
    const size_t column = dgqc_attend_width(p) / LANES * parts * LANES; /* sums of a column's bytes */
    const size_t fours = (p->columns * size + DGQC_FOUR - 1) / DGQC_FOUR;
    const uint8_t *const codes = block->codes + r * p->keys;
    int32_t *const shares = dgqc_take(&scratch, (quads < DGQC_QUADS ? quads : DGQC_QUADS) * column * sizeof(int32_t));
    int64_t *const whole = p->spans > 0 ? dgqc_take(&scratch, p->columns * column * sizeof(int64_t)) : NULL;
    int32_t *const sums = scratch;
    int32_t totals[DGQC_PLANES * LANES] = {0};
    const added found = {sums, totals, whole, column};
    memset(sums, 0, fours * DGQC_FOUR * column * sizeof *sums);
    if (p->spans > 0) {
        add_spans(p, s, codes, count, bytes, fours, shares, sums, whole);
    } else if (p->planes == 0) {
        add_codes(p, codes, count, bytes, 0, p->keys, fours, shares, sums, totals);
    } else {
        add_digits(p, s, codes, count, bytes, fours, shares, sums, totals);
    }
    for (size_t first = 0; first < count; first += LANES) {
        const size_t some = count - first < LANES ? count - first : (size_t)LANES;
        finish_rows(p, s, values, scale, block, r + first, first, some, &found);
    }
}
#else
void dgqc_attend_lanes(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                       const uint8_t *bytes, const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                       size_t count, void *scratch)
{
    (void)p, (void)s, (void)values, (void)bytes, (void)scale, (void)block, (void)r, (void)count, (void)scratch;
}
#endif
