/* What a product prepares once a call: columns' multipliers, segments, runs, and what zero points add. */

#include "dgqc_nibbles.h"
#include "dgqc_product.h"
#include "dgqc_requantize.h"

static size_t up_to_panels(size_t columns)
{
    return (columns + DGQC_PANEL_COLUMNS - 1) / DGQC_PANEL_COLUMNS * DGQC_PANEL_COLUMNS;
}

/* m and b of every column; 0 beyond the last. */
static void derive_columns(const dgqc_weights *weights, size_t step, dgqc_product *product)
{
    const int64_t factor = weights->factor[step], bias_factor = weights->bias_factor[step];
    const int64_t half = (int64_t)1 << (weights->shift[step] - 1);
    for (size_t n = 0; n < up_to_panels(weights->panels.columns); n++) {
        const int there = n < weights->panels.columns;
        product->m[n] = there ? (int32_t)dgqc_round_shift(weights->column[n] * factor, 31) : 0;
        product->b[n] =
            there ? dgqc_round_shift(weights->bias[n] * bias_factor, weights->bias_shift[step]) + half : 0;
    }
    product->requantizer.m = product->m;
    product->requantizer.b = product->b;
    product->requantizer.shift = weights->shift[step];
    product->requantizer.left = 0;
}

/* What zero points add to the totals of the columns from n on, from sums that are known. */
static void add_zeros(const dgqc_product *product, const int32_t *sums, size_t n, int64_t zeros[DGQC_TILE_COLUMNS])
{
    const size_t columns = product->panels.columns, left = columns - n;
    const size_t some = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    memset(zeros, 0, DGQC_TILE_COLUMNS * sizeof *zeros);
    for (size_t s = 0; s < product->segment_count; s++) {
        const int64_t factor = (int64_t)product->segments[s].multiple * product->segments[s].zero;
        for (size_t c = 0; c < some; c++) {
            zeros[c] += factor * sums[s * columns + n + c];
        }
    }
}

/* Whether a row of zero points can be multiplied like any other. */
static int zeros_are_codes(const dgqc_product *product)
{
    for (size_t s = 0; s < product->segment_count; s++) {
        if (product->segments[s].zero < 0 || product->segments[s].zero > 255) {
            return 0;
        }
    }
    return product->total_bits == 32;
}

/* The same by multiplying that row, which is the product's pixel. */
static void multiply_zeros(const dgqc_product *product, size_t n, int64_t zeros[DGQC_TILE_COLUMNS])
{
    const uint8_t *const row = product->pixel;
    int32_t totals[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];
    dgqc_tile(&product->panels, &product->accumulations->sum, &row, 1, n, NULL, totals);
    for (size_t c = 0; c < DGQC_TILE_COLUMNS; c++) {
        zeros[c] = totals[c];
    }
}

/* Takes out of b what zero points add to it when every tap sees them. */
static void center(dgqc_product *product, const int32_t *sums)
{
    const int as_codes = zeros_are_codes(product);
    if (as_codes) {
        dgqc_spread_zeros(product->segments, product->segment_count, product->pixel);
    }
    const size_t columns = product->panels.columns, depth = product->panels.quads * DGQC_QUAD;
    DGQC_PARALLEL_FROM(columns * (sums ? product->segment_count * sizeof *sums : depth))
    for (size_t n = 0; n < columns; n += DGQC_TILE_COLUMNS) {
        int64_t zeros[DGQC_TILE_COLUMNS];
        if (sums) {
            add_zeros(product, sums, n, zeros);
        } else if (as_codes) {
            multiply_zeros(product, n, zeros);
        } else {
            dgqc_product_zeros(product, n, zeros);
        }
        for (size_t c = 0; c < DGQC_TILE_COLUMNS && n + c < columns; c++) {
            const uint64_t b = (uint64_t)product->b[n + c];
            product->b[n + c] = (int64_t)(b - (uint64_t)zeros[c] * (uint64_t)product->m[n + c]);
        }
    }
}

/* Sums the weights of each column. */
static void sum_columns(dgqc_product *product)
{
    const size_t columns = product->panels.columns;
    const uint8_t *const row = product->pixel;
    DGQC_PARALLEL_FROM(columns * product->panels.quads * DGQC_QUAD)
    for (size_t n = 0; n < columns; n += DGQC_TILE_COLUMNS) {
        int64_t sums[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];
        dgqc_product_long(product, &row, 1, n, NULL, sums);
        for (size_t c = 0; c < DGQC_TILE_COLUMNS && n + c < columns; c++) {
            product->column_sums[n + c] = (int32_t)sums[c];
        }
    }
}

/* The accumulation blocks, and the order of their segments. */
static void order_segments(dgqc_product *product, const dgqc_combination *combination)
{
    for (size_t i = 0, first = 0, end; i < product->accumulation_count; i++, first = end) {
        dgqc_accumulation *const accumulation = product->accumulations + i;
        end = combination->ends ? (size_t)combination->ends[i] : product->segment_count;
        const uint32_t last = dgqc_order_segments(product->segments, first, end, product->order, product->ratios);
        const int alone = product->total_bits == 64 && end - first == 1;
        accumulation->segments = (uint32_t)(end - first);
        accumulation->sum.last = alone ? 1 : last;
        accumulation->multiple = alone ? product->segments[first].multiple : 1;
    }
}

/* The runs of every segment in turn, over taps that are `pixel` bytes apart along a line, and `line` bytes across.
 * Where a pixel is one segment, those of a line follow one another without a gap, and become one run. */
static void lay_runs(dgqc_product *product, const dgqc_taps *taps, size_t pixel, size_t line)
{
    const size_t segments = product->segment_count, quads = product->panels.quads / (taps->height * taps->width);
    const int merged = segments == 1 && pixel == quads * DGQC_QUAD;
    dgqc_run *run = product->runs;
    for (size_t s = 0; s < segments; s++) {
        const dgqc_segment *const segment = product->segments + product->order[s];
        const size_t width = merged ? 1 : taps->width;
        for (size_t tap = 0; tap < taps->height * width; tap++, run++) {
            const size_t y = tap / width, x = tap % width;
            run->code = (uint32_t)(segment->code + y * line + x * pixel);
            run->quad = (uint32_t)(segment->first / DGQC_QUAD + (y * taps->width + x) * quads);
            run->quads = dgqc_segment_quads(segment) * (uint32_t)(merged ? taps->width : 1);
            run->ratio = tap == 0 ? product->ratios[s] : 1;
        }
    }
    product->segment_runs = (size_t)(run - product->runs) / segments;
    run = product->runs;
    for (dgqc_accumulation *s = product->accumulations; s < product->accumulations + product->accumulation_count; s++) {
        s->sum.runs = run;
        s->sum.count = s->segments * product->segment_runs;
        run += s->sum.count;
    }
}

#ifdef DGQC_REQUANTIZES_VECTORS
/* What no total exceeds: codes of 255 times the largest weights, times their multiples. */
static uint64_t largest_total(const dgqc_product *product, size_t taps)
{
    const uint64_t weight = product->panels.bits == 4 ? 8 : 128;
    uint64_t products = 0;
    for (const dgqc_segment *s = product->segments; s < product->segments + product->segment_count; s++) {
        products += (uint64_t)s->count * (uint64_t)s->multiple;
    }
    return UINT8_MAX * weight * products * taps;
}

/* Makes a shift of less than 32 as long as vectors want it, where neither totals nor offsets become too large: 2^30 times a
 * multiplier of 31 bits, and an offset below 2^62, stay below 2^63. */
static void move_left(dgqc_product *product, const dgqc_taps *taps)
{
    const int32_t left = 32 - product->requantizer.shift;
    const uint64_t largest = largest_total(product, taps->height * taps->width);
    if (left <= 0 || left > 30 || product->total_bits == 64 || largest >= (uint64_t)1 << (30 - left)) {
        return;
    }
    const int64_t room = (int64_t)1 << (62 - left);
    for (size_t n = 0; n < product->panels.columns; n++) {
        if (product->b[n] >= room || product->b[n] <= -room) {
            return;
        }
    }
    for (size_t n = 0; n < product->panels.columns; n++) {
        product->b[n] *= (int64_t)1 << left;
    }
    product->requantizer.left = left;
    product->requantizer.shift = 32;
}
#endif

/* Whether rows are multiplied as they lie, since multiples go into weights. */
static int are_plain(const dgqc_product *product)
{
    return product->absorbs || product->splits;
}

void dgqc_product_codes(const dgqc_product *product, size_t channels, size_t rows, const uint8_t *x, uint8_t *y)
{
    const dgqc_segment whole = {0, (uint32_t)channels, 0, 0, 1};
    const int plain = are_plain(product);
    dgqc_spread_rows(plain ? &whole : product->segments, plain ? 1 : product->segment_count, rows, x, channels, y,
                     product->row_bytes);
}

/* How rows are read from now on, what a row of zero points is among them. */
static void lay_rows(dgqc_product *product, size_t channels, size_t spread_bytes, const dgqc_taps *taps)
{
    product->row_bytes = are_plain(product) ? (channels + DGQC_QUAD - 1) / DGQC_QUAD * DGQC_QUAD : spread_bytes;
    product->lines.count = taps->height;
    product->lines.quads = taps->width * product->row_bytes / DGQC_QUAD;
    product->lines.bytes = taps->line * product->row_bytes;
    if (product->absorbs) {
        dgqc_multiply_nibbles(product->segments, channels, &product->multiples);
    }
    if (are_plain(product)) {
        dgqc_plain_zeros(product->segments, product->segment_count, product->row_bytes, product->pixel);
    } else {
        lay_runs(product, taps, spread_bytes, taps->line * spread_bytes);
        dgqc_spread_zeros(product->segments, product->segment_count, product->pixel);
    }
}

dgqc_product *dgqc_product_prepare(const dgqc_weights *weights, const dgqc_operand *operand,
                                 const dgqc_combination *combination, size_t channels, const dgqc_taps *taps,
                                 size_t rows, size_t step, void *shared)
{
    const size_t columns = up_to_panels(weights->panels.columns), segments = combination->segments;
    dgqc_product *const product = dgqc_take(&shared, DGQC_PRODUCT_BYTES);
    product->panels = dgqc_nibbles(&weights->panels, &shared);
    product->total_bits = combination->total_bits;
    product->m = dgqc_take(&shared, columns * sizeof(int32_t));
    product->b = dgqc_take(&shared, columns * sizeof(int64_t));
    product->column_sums = operand->along_depth ? NULL : dgqc_take(&shared, columns * sizeof(int32_t));
    product->segment_count = segments;
    product->segments = dgqc_take(&shared, segments * sizeof(dgqc_segment));
    product->order = dgqc_take(&shared, segments * sizeof(uint32_t));
    product->ratios = dgqc_take(&shared, segments * sizeof(uint32_t));
    product->pixel = dgqc_take(&shared, combination->row_bytes);
    product->runs = dgqc_take(&shared, segments * taps->height * taps->width * sizeof(dgqc_run));
    product->accumulation_count = combination->accumulations;
    product->accumulations = dgqc_take(&shared, combination->accumulations * DGQC_ACCUMULATION_BYTES);
    if (combination->absorbs) {
        product->multiples.count = (channels + DGQC_QUAD - 1) / DGQC_QUAD;
        product->multiples.quads = dgqc_take(&shared, product->multiples.count * DGQC_MULTIPLIED_BYTES);
        product->multiples.alike = dgqc_take(&shared, product->multiples.count);
    }
#if defined(DGQC_UNPACKS) || defined(DGQC_UNPACKS_TWO_COLUMNS)
    product->absorbs = combination->absorbs && product->panels.bits == 4;
#else
    product->absorbs = 0;
#endif
    product->rest = shared;
    derive_columns(weights, step, product);
    dgqc_find_segments(operand, channels, step, product->segments);
    order_segments(product, combination);
    dgqc_spread_ones(product->segments, segments, product->pixel);
    lay_runs(product, taps, 0, 0);
    if (operand->along_depth) {
        center(product, weights->sums);
#ifdef DGQC_REQUANTIZES_VECTORS
        move_left(product, taps);
#endif
    } else if (weights->sums) {
        memcpy(product->column_sums, weights->sums, weights->panels.columns * sizeof(int32_t));
    } else {
        sum_columns(product);
    }
    product->splits = operand->along_depth && dgqc_matrix_splits(product, rows);
    lay_rows(product, channels, combination->row_bytes, taps);
    return product;
}
