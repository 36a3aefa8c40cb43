/* dgqc_product_two_columns against its definition, on whatever machine this is compiled for: random panels of both widths,
 * multiples, lines of taps, and groups of rows. */
#include "dgqc_two_columns.h"

#include <stdio.h>
#include <string.h>

enum { CASES = 150, MOST_LINES = 3, MOST_QUADS = 180, MOST_COLUMNS = 20, MOST_TAP = 9, ROW_BYTES = 4 * MOST_QUADS + 64 };

static uint32_t state = 1;

static uint32_t below(uint32_t count)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % count;
}

static int32_t weight_at(const dgqc_panels *panels, size_t column, size_t quad, size_t k)
{
    const uint8_t *const panel = (const uint8_t *)dgqc_panel(panels, column / DGQC_PANEL_COLUMNS * DGQC_PANEL_COLUMNS);
    const size_t in_block = column % DGQC_PANEL_COLUMNS * DGQC_QUAD + k;
    if (panels->bits == 8) {
        return (int8_t)panel[quad * DGQC_BLOCK_BYTES + in_block];
    }
    const int32_t byte = panel[quad / 2 * DGQC_BLOCK_BYTES + in_block];
    const int32_t nibble = quad % 2 ? byte >> 4 : byte & 15;
    return nibble < 8 ? nibble : nibble - 16;
}

static uint64_t data[(MOST_COLUMNS + 12) * MOST_QUADS * DGQC_QUAD / 8];
static uint8_t codes[DGQC_BLOCK_ROWS][ROW_BYTES];
static int16_t found[DGQC_BLOCK_ROWS * MOST_COLUMNS];
static dgqc_multiplied quads[MOST_TAP];
static uint8_t alike[MOST_TAP];
static int32_t factors[MOST_COLUMNS], sums[MOST_COLUMNS], of_channel[MOST_TAP * DGQC_QUAD];
static int64_t offsets[MOST_COLUMNS];

/* Segments of random lengths, with the multiples of all channels. Returns how many. */
static size_t cut_segments(size_t channels, dgqc_segment *segments)
{
    size_t count = 0;
    for (size_t first = 0; first < channels; count++) {
        const size_t left = channels - first, some = 1 + below((uint32_t)left);
        const dgqc_segment segment = {(uint32_t)first, (uint32_t)some, 0, 0, 1 + (int32_t)below(DGQC_MOST_ABSORBED)};
        segments[count] = segment;
        for (size_t k = 0; k < some; k++) {
            of_channel[first++] = segment.multiple;
        }
    }
    return count;
}

static int16_t expected(const dgqc_product *p, const uint8_t *row, size_t column, const dgqc_row_group *group)
{
    uint32_t total = 0;
    for (size_t quad = 0; quad < p->panels.quads; quad++) {
        const uint8_t *const four = row + quad / p->lines.quads * p->lines.bytes + quad % p->lines.quads * DGQC_QUAD;
        for (size_t k = 0; k < DGQC_QUAD; k++) {
            const size_t channel = (quad * DGQC_QUAD + k) % (p->multiples.count * DGQC_QUAD);
            const int32_t multiple = p->absorbs ? of_channel[channel] : 1;
            total += (uint32_t)(four[k] * weight_at(&p->panels, column, quad, k) * multiple);
        }
    }
    if (group) {
        total = (uint32_t)group->multiple * (total - (uint32_t)group->zero * (uint32_t)p->column_sums[column]);
    }
    const int64_t result = ((int64_t)dgqc_wrap32(total) * p->m[column] + p->b[column]) >> p->requantizer.shift;
    return (int16_t)(result < INT16_MIN ? INT16_MIN : result > INT16_MAX ? INT16_MAX : result);
}

static unsigned long wrong_results(void)
{
    const size_t lines = 1 + below(MOST_LINES), tap = 1 + below(MOST_TAP), taps = 1 + below(MOST_QUADS / MOST_TAP / MOST_LINES);
    const size_t columns = 1 + below(MOST_COLUMNS), count = 1 + below(DGQC_BLOCK_ROWS);
    const int absorbs = below(2) > 0, grouped = !absorbs && below(2) > 0;
    dgqc_segment segments[MOST_TAP * DGQC_QUAD];
    dgqc_row_group groups[DGQC_BLOCK_ROWS];
    const uint8_t *rows[DGQC_BLOCK_ROWS];
    unsigned long wrong = 0;
    dgqc_product p = {.m = factors, .b = offsets, .column_sums = sums, .absorbs = absorbs, .total_bits = 32};
    const dgqc_panels panels = {data, columns, lines * taps * tap, absorbs || below(2) ? 4 : 8};
    const dgqc_lines own = {lines, taps * tap, taps * tap * DGQC_QUAD + below(16)};
    const dgqc_multiples multiples = {quads, alike, tap};
    p.panels = panels, p.lines = own, p.multiples = multiples;
    p.requantizer.shift = 18 + (int32_t)below(20);
    p.segment_count = cut_segments(tap * DGQC_QUAD, segments);
    dgqc_multiply_nibbles(segments, tap * DGQC_QUAD, &p.multiples);
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
        data[i] = (uint64_t)below(1u << 24) << 40 ^ (uint64_t)below(1u << 24) << 20 ^ below(1u << 24);
    }
    for (size_t n = 0; n < columns; n++) {
        factors[n] = (int32_t)below(1u << 16), sums[n] = (int32_t)below(1000) - 500;
        offsets[n] = (int64_t)(int32_t)(below(1u << 24) - (1u << 23)) * 65536;
    }
    for (size_t r = 0; r < count; r++) {
        groups[r].zero = (int32_t)below(256), groups[r].multiple = 1 + (int32_t)below(16);
        for (size_t i = 0; i < ROW_BYTES; i++) {
            codes[r][i] = (uint8_t)below(256);
        }
        rows[r] = codes[r] + below(8);
    }
    dgqc_product_two_columns(&p, rows, count, grouped ? groups : NULL, found);
    for (size_t r = 0; r < count; r++) {
        for (size_t n = 0; n < columns; n++) {
            wrong += found[r * columns + n] != expected(&p, rows[r], n, grouped ? groups + r : NULL);
        }
    }
    return wrong;
}

int main(void)
{
    unsigned long wrong = 0;
    for (int i = 0; i < CASES; i++) {
        wrong += wrong_results();
    }
    printf("two columns: %d cases, %lu results wrong\n", CASES, wrong);
    return wrong > 0;
}
