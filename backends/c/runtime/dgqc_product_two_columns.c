/* Rows times weights that are a plain sum of bytes, two columns at a time (dgqc_two_columns.h). */

#include "dgqc_two_columns.h"

#include "dgqc_fixed_point.h"

int dgqc_takes_two_columns(const dgqc_product *product)
{
    const int one = product->segment_count == 1 && product->accumulations->sum.last == 1 && product->total_bits == 32;
    return product->absorbs || one;
}

#define EVERY_BYTE 0x01010101U
#define EVERY_WEIGHT (DGQC_WEIGHTS_RAISED * EVERY_BYTE)

/* Of the quads of a tap: what their nibbles stand for, and whether it is one multiple. */
typedef struct {
    const dgqc_multiplied *quads;
    const uint8_t *alike;
    size_t count;
} multiples;

/* The multiples that weights take up, or 1. */
static multiples multiples_of(const dgqc_product *product)
{
    static const dgqc_multiplied once = {{{0, 1}}};
    static const uint8_t alike = 1;
    const multiples none = {&once, &alike, 1};
    const multiples own = {product->multiples.quads, product->multiples.alike, product->multiples.count};
    return product->absorbs ? own : none;
}

/* Four weights times one multiple. A nibble with its highest bit turned is its weight + 8; (weight + 8) * multiple, and
 * weight * multiple + 128, have room in a byte. */
static inline uint32_t multiply_four(uint32_t nibbles, uint32_t multiple)
{
    const uint32_t raised = (nibbles ^ 8 * EVERY_BYTE) * multiple + (128 - 8 * multiple) * EVERY_BYTE;
    return raised ^ 128 * EVERY_BYTE ^ EVERY_WEIGHT;
}

static inline uint32_t look_up_four(uint32_t nibbles, const dgqc_multiplied *quad)
{
    const uint8_t (*const table)[16] = (const uint8_t (*)[16])quad->table;
    const uint32_t low = table[0][nibbles & 15] | (uint32_t)table[1][nibbles >> 8 & 15] << 8;
    const uint32_t high = table[2][nibbles >> 16 & 15] | (uint32_t)table[3][nibbles >> 24 & 15] << 8;
    return (low | high << 16) ^ EVERY_WEIGHT;
}

/* A part's weights of 4 bits. from: those of the first column in the first block. */
static void unpack_nibbles(const int8_t *from, multiples of_tap, const dgqc_part *some, int8_t *y)
{
    size_t in_tap = some->quad % of_tap.count;
    for (size_t quad = some->quad; quad < some->quad + some->quads; quad++, y += DGQC_QUAD) {
        const int8_t *const block = from + quad / 2 * DGQC_BLOCK_BYTES;
        const uint32_t first = dgqc_load_word(block) >> 4 * (quad % 2) & 15 * EVERY_BYTE;
        const uint32_t second = dgqc_load_word(block + DGQC_QUAD) >> 4 * (quad % 2) & 15 * EVERY_BYTE;
        const dgqc_multiplied *const own = of_tap.quads + in_tap;
        if (of_tap.alike[in_tap] > 0) {
            const uint32_t multiple = (uint32_t)own->table[0][1];
            dgqc_store_word(y, multiply_four(first, multiple));
            dgqc_store_word(y + DGQC_TWO_COLUMNS_BYTES, multiply_four(second, multiple));
        } else {
            dgqc_store_word(y, look_up_four(first, own));
            dgqc_store_word(y + DGQC_TWO_COLUMNS_BYTES, look_up_four(second, own));
        }
        in_tap = in_tap + 1 < of_tap.count ? in_tap + 1 : 0;
    }
}

/* The same of 8 bits. */
static void unpack_bytes(const int8_t *from, const dgqc_part *some, int8_t *y)
{
    from += some->quad * DGQC_BLOCK_BYTES;
    for (size_t quad = 0; quad < some->quads; quad++, from += DGQC_BLOCK_BYTES, y += DGQC_QUAD) {
        dgqc_store_word(y, dgqc_load_word(from) ^ EVERY_WEIGHT);
        dgqc_store_word(y + DGQC_TWO_COLUMNS_BYTES, dgqc_load_word(from + DGQC_QUAD) ^ EVERY_WEIGHT);
    }
}

static void unpack(const dgqc_product *product, size_t column, const dgqc_part *some, int8_t *y)
{
    const size_t in_panel = column % DGQC_PANEL_COLUMNS;
    const int8_t *const from = dgqc_panel(&product->panels, column - in_panel) + in_panel * DGQC_QUAD;
    if (product->panels.bits == 4) {
        unpack_nibbles(from, multiples_of(product), some, y);
    } else {
        unpack_bytes(from, some, y);
    }
}

/* Totals of codes and weights as they are, from those of raised weights; and of rows with groups of their own. */
static void lower(const uint32_t *codes, const dgqc_row_group *groups, uint32_t column_sum, size_t count, uint32_t *totals)
{
    for (size_t r = 0; DGQC_WEIGHTS_RAISED > 0 && r < count; r++) {
        totals[r] -= DGQC_WEIGHTS_RAISED * codes[r];
    }
    for (size_t r = 0; groups && r < count; r++) {
        totals[r] = (uint32_t)groups[r].multiple * (totals[r] - (uint32_t)groups[r].zero * column_sum);
    }
}

static void requantize(const dgqc_product *product, size_t column, const uint32_t *totals, size_t count, int16_t *y)
{
    const int64_t m = product->m[column], b = product->b[column];
    const int32_t shift = product->requantizer.shift;
    if (shift >= 32) { /* where the upper half is all that it takes */
        for (size_t r = 0; r < count; r++, y += product->panels.columns) {
            const int32_t upper = (int32_t)((dgqc_wrap32(totals[r]) * m + b) >> 32) >> (shift - 32);
            *y = (int16_t)(upper < INT16_MIN ? INT16_MIN : upper > INT16_MAX ? INT16_MAX : upper);
        }
    } else {
        for (size_t r = 0; r < count; r++, y += product->panels.columns) {
            *y = dgqc_saturate16((dgqc_wrap32(totals[r]) * m + b) >> shift);
        }
    }
}

void dgqc_product_two_columns(const dgqc_product *product, const uint8_t *const *rows, size_t count,
                              const dgqc_row_group *groups, int16_t *y)
{
    const size_t columns = product->panels.columns, quads = product->panels.quads;
    int8_t weights[2 * DGQC_TWO_COLUMNS_BYTES];
    uint32_t totals[2 * DGQC_BLOCK_ROWS], codes[DGQC_BLOCK_ROWS];
    dgqc_two_columns_codes(&product->lines, rows, count, codes);
    for (size_t column = 0; column < columns; column += 2) {
        memset(totals, 0, sizeof totals);
        for (size_t quad = 0, some; quad < quads; quad += some) {
            const dgqc_part of = dgqc_part_from(&product->lines, quad, DGQC_TWO_COLUMNS_QUADS);
            some = of.quads;
            unpack(product, column, &of, weights);
            dgqc_two_columns_add(weights, &of, rows, count, totals);
        }
        for (size_t n = column; n < columns && n < column + 2; n++) {
            uint32_t *const own = totals + (n - column) * DGQC_BLOCK_ROWS;
            lower(codes, groups, groups ? (uint32_t)product->column_sums[n] : 0, count, own);
            requantize(product, n, own, count, y + n);
        }
    }
}
