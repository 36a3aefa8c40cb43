/* Norms over groups of channels and all positions. */

#include "dgqc_norm.h"

/* What `prepare` leaves for each channel: y = (16 x - mean) * a * 2^-shift + offset / 256. In lanes: everything times
 * `left`, a power of two, plus bias, and the upper half shifted by `right`. left is 0 where that isn't possible.
 * The first two are used while it is prepared. 64 bits are in the lanes' order. */
typedef struct {
    int64_t sum[DGQC_STRIP], squares[DGQC_STRIP];
    int64_t offset[DGQC_STRIP], bias[DGQC_STRIP];
    int32_t mean[DGQC_STRIP], a[DGQC_STRIP], shift[DGQC_STRIP], left[DGQC_STRIP], right[DGQC_STRIP];
    int lanes_can; /* for all channels of the strip */
} strip;

typedef char a_strip_fits[sizeof(strip) <= DGQC_GROUP_NORM_STRIP_BYTES ? 1 : -1];

enum { RUN = 64 }; /* rows that stay in the nearest cache while their channels are added up */

/* Adds up one vector of channels of some rows. */
static void add_up(const int16_t *x, size_t stride, size_t rows, size_t channels, int64_t *sums, int64_t *squares)
{
    lanes sum = lanes_splat(0);
    long_lanes square = long_lanes_splat(0);
    for (size_t r = 0; r < rows; r++) {
        const lanes value = lanes_load16_some(x + r * stride, channels);
        sum = lanes_add(sum, value);
        square = long_lanes_add(square, lanes_widen_unsigned(lanes_multiply(value, value)));
    }
    const long_lanes wide = lanes_multiply_long(sum, lanes_splat(1));
    long_lanes_store(sums, long_lanes_add(long_lanes_load(sums), wide));
    long_lanes_store(squares, long_lanes_add(long_lanes_load(squares), square));
}

/* Of at most DGQC_STRIP channels: their sums, in the lanes' order. stride: from a position to the next. */
static void add_up_strip(const int16_t *x, size_t stride, size_t positions, size_t channels, int64_t *sum,
                         int64_t *squares)
{
    memset(sum, 0, DGQC_STRIP * sizeof *sum);
    memset(squares, 0, DGQC_STRIP * sizeof *squares);
    for (size_t r = 0; r < positions; r += RUN) {
        const size_t rows = positions - r < RUN ? positions - r : (size_t)RUN;
        for (size_t c = 0; c < DGQC_STRIP && c < channels; c += LANES) {
            add_up(x + r * stride + c, stride, rows, channels - c, sum + c, squares + c);
        }
    }
}

static dgqc_spread spread_of_group(const dgqc_norm_parameters *p, size_t step, const strip *strips, size_t group)
{
    const size_t channels = p->channels / p->groups;
    dgqc_moments moments = {0, 0, (int64_t)(channels * p->elements)};
    for (size_t c = group * channels; c < (group + 1) * channels; c++) {
        const size_t place = dgqc_strip_place(c % DGQC_STRIP);
        moments.sum += strips[c / DGQC_STRIP].sum[place];
        moments.squares += strips[c / DGQC_STRIP].squares[place];
    }
    return dgqc_spread_of(&moments, p->epsilon[p->epsilon_of_each_group ? step * p->groups + group : step]);
}

static void derive(const dgqc_spread *spread, const dgqc_gain *gain, int32_t gain_shift, size_t c, strip *s)
{
    const dgqc_slope slope = dgqc_slope_of(spread, gain->gain, gain_shift);
    const int64_t above = gain->offset + 128;
    const int left = dgqc_norm_left(slope.shift), fits = dgqc_norm_fits(slope.shift, above < 0 ? -above : above);
    s->mean[c] = spread->mean;
    s->a[c] = (int32_t)slope.a;
    s->shift[c] = slope.shift;
    s->offset[c] = gain->offset;
    s->left[c] = fits ? 1 << left : 0;
    s->right[c] = fits ? slope.shift + left - 24 : 0;
    const int64_t bias = fits ? ((int64_t)1 << (slope.shift - 1)) + dgqc_shift_left(above, slope.shift) : 0;
    s->bias[dgqc_strip_place(c)] = dgqc_shift_left(bias, left);
    s->lanes_can = s->lanes_can && fits;
}

/* From the strips' sums to what their channels are normalized with. */
static void derive_strips(const dgqc_norm_parameters *p, size_t step, strip *strips)
{
    dgqc_spread spread = {0, 0, 0};
    for (size_t c = 0; c < dgqc_strips(p) * DGQC_STRIP; c++) {
        if (c < p->channels && c % (p->channels / p->groups) == 0) {
            spread = spread_of_group(p, step, strips, c / (p->channels / p->groups));
        }
        const dgqc_gain gain = dgqc_gain_of(p, step, c);
        derive(&spread, &gain, p->gamma_shift[step], c % DGQC_STRIP, strips + c / DGQC_STRIP);
    }
}

static void prepare_image(const dgqc_norm_parameters *p, size_t step, const int16_t *x, strip *strips)
{
    const size_t count = dgqc_strips(p);
    DGQC_PARALLEL_FROM(p->elements * p->channels * sizeof *x)
    for (size_t i = 0; i < count; i++) {
        const size_t first = i * DGQC_STRIP;
        add_up_strip(x + first, p->channels, p->elements, p->channels - first, strips[i].sum, strips[i].squares);
        strips[i].lanes_can = 1;
    }
    derive_strips(p, step, strips);
}

void dgqc_group_norm_prepare(const dgqc_norm_parameters *p, size_t step, const int16_t *x, void *shared)
{
    for (size_t i = 0; i < p->images; i++) {
        prepare_image(p, step, x + i * p->elements * p->channels, (strip *)shared + i * dgqc_strips(p));
    }
}

/* One vector of channels of some rows. */
static void normalize(const strip *s, size_t c, const int16_t *x, size_t stride, size_t rows, size_t channels,
                      int16_t *y)
{
    const lanes left = lanes_load(s->left + c), sixteen = lanes_multiply(left, lanes_splat(16));
    const lanes mean = lanes_multiply(lanes_load(s->mean + c), left);
    const lanes slope = lanes_load(s->a + c), right = lanes_load(s->right + c);
    const long_lanes bias = long_lanes_load(s->bias + c);
    for (size_t r = 0; r < rows; r++) {
        const lanes value = lanes_load16_some(x + r * stride, channels);
        const lanes centered = lanes_subtract(lanes_multiply(value, sixteen), mean);
        const lanes upper = long_lanes_upper(long_lanes_add(lanes_multiply_long(centered, slope), bias));
        lanes_store16_some(y + r * stride, lanes_shift_right_each(upper, right), channels);
    }
}

static int16_t normalized(const strip *s, size_t c, int16_t x)
{
    const dgqc_slope slope = {s->a[c], s->shift[c]};
    return dgqc_affine(x, s->mean[c], slope, s->offset[c]);
}

/* Rows of one image. */
static void normalize_rows(const dgqc_norm_parameters *p, const strip *strips, size_t count, const int16_t *x,
                           int16_t *y)
{
    for (size_t first = 0; first < p->channels; first += DGQC_STRIP) {
        const strip *const s = strips + first / DGQC_STRIP;
        const size_t left = p->channels - first, some = left < DGQC_STRIP ? left : (size_t)DGQC_STRIP;
        for (size_t c = 0; s->lanes_can && c < some; c += LANES) {
            normalize(s, c, x + first + c, p->channels, count, some - c, y + first + c);
        }
        for (size_t i = 0; !s->lanes_can && i < count * some; i++) {
            const size_t at = i / some * p->channels + first + i % some;
            y[at] = normalized(s, i % some, x[at]);
        }
    }
}

void dgqc_group_norm_rows(const dgqc_norm_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y,
                          const void *shared)
{
    (void)step;
    for (size_t done = 0, some; done < rows.count; done += some) {
        const size_t image = (rows.first + done) / p->elements, end = (image + 1) * p->elements - rows.first;
        some = (end < rows.count ? end : rows.count) - done;
        normalize_rows(p, (const strip *)shared + image * dgqc_strips(p), some, x + done * p->channels,
                       y + done * p->channels);
    }
}

void dgqc_channel_sums(const dgqc_channel_sums_parameters *p, const int64_t *before, const int16_t *x, int64_t *y)
{
    const size_t count = (p->channels + DGQC_STRIP - 1) / DGQC_STRIP;
    DGQC_PARALLEL_FROM(p->positions * p->channels * sizeof *x)
    for (size_t i = 0; i < count; i++) {
        int64_t sum[DGQC_STRIP], squares[DGQC_STRIP];
        const size_t first = i * DGQC_STRIP;
        add_up_strip(x + first, p->channels, p->positions, p->channels - first, sum, squares);
        for (size_t c = first; c < p->channels && c < first + DGQC_STRIP; c++) {
            const size_t place = dgqc_strip_place(c - first), square = p->channels + c;
            y[c] = 16 * sum[place] + (before ? before[c] : 0);
            y[square] = 256 * squares[place] + (before ? before[square] : 0);
        }
    }
}

void dgqc_normalize_prepare(const dgqc_norm_parameters *p, size_t step, const int64_t *sums, void *shared)
{
    strip *const strips = shared;
    for (size_t c = 0; c < dgqc_strips(p) * DGQC_STRIP; c++) {
        strip *const s = strips + c / DGQC_STRIP;
        const size_t place = dgqc_strip_place(c % DGQC_STRIP);
        s->lanes_can = 1;
        s->sum[place] = c < p->channels ? sums[c] / 16 : 0;
        s->squares[place] = c < p->channels ? sums[p->channels + c] / 256 : 0;
    }
    derive_strips(p, step, strips);
}

void dgqc_normalize_rows(const dgqc_norm_parameters *p, size_t step, dgqc_rows rows, const int16_t *x, int16_t *y,
                         const void *shared)
{
    (void)step;
    normalize_rows(p, shared, rows.count, x, y);
}
