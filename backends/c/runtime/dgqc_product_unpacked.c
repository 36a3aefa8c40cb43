/* Rows times weights of 4 bits that have taken up their groups' multiples: unpacked for a block of rows, some at a time,
 * and multiplied like any weights of 8 bits with one group. */

#include "dgqc_parts.h"
#include "dgqc_product.h"
#include "dgqc_requantize.h"
#include "dgqc_unpack.h"

#ifdef DGQC_UNPACKS
/* Of the summed axis, as many quads at a time as leave their unpacked weights in a core's second cache. */
enum { PART_QUADS = 512 };

/* A part's weights of the columns of a tile. */
static dgqc_panels unpacked(const dgqc_product *product, const dgqc_part *some, size_t column, int8_t *to)
{
    const dgqc_panels *const panels = &product->panels;
    const size_t left = panels->columns - column, columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    for (size_t c = 0; c < columns; c += DGQC_PANEL_COLUMNS) {
        dgqc_unpack((const uint8_t *)dgqc_panel(panels, column + c), &product->multiples, some->quad,
                    some->quads, to + c * DGQC_QUAD * some->quads);
    }
    const dgqc_panels found = {to, columns, some->quads, 8};
    return found;
}

/* What a tile of unpacked weights fetches: the first two the panels that are unpacked next, others the next rows. */
static const void *ahead_of_unpacked(const dgqc_panels *panels, const dgqc_part *some, size_t column, size_t tile,
                                     const uint8_t *rows, size_t rows_bytes)
{
    enum { OTHERS = DGQC_BLOCK_ROWS / DGQC_TILE_ROWS - 2 };
    const size_t next = column + DGQC_TILE_COLUMNS < panels->columns ? column + DGQC_TILE_COLUMNS : 0;
    const size_t bytes = some->quads * DGQC_AHEAD;
    if (tile >= 2) {
        const size_t offset = (column / DGQC_TILE_COLUMNS * OTHERS + tile - 2) * bytes;
        if (offset + bytes <= rows_bytes) {
            return rows + offset;
        }
    }
    return dgqc_panel(panels, next) + tile % 2 * dgqc_panel_bytes(panels) + some->quad * DGQC_AHEAD;
}

static void add_totals(const int32_t *from, size_t count, int32_t *to)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = dgqc_wrap32((uint32_t)to[i] + (uint32_t)from[i]);
    }
}

void dgqc_product_unpacked(const dgqc_product *product, const uint8_t *const *rows, size_t count,
                           const uint8_t *next, size_t next_bytes, int16_t *y)
{
    enum { TOTALS = DGQC_TILE_ROWS * DGQC_TILE_COLUMNS };
    const dgqc_panels *const panels = &product->panels;
    int8_t weights[PART_QUADS * DGQC_QUAD * DGQC_TILE_COLUMNS];
    int32_t totals[DGQC_BLOCK_ROWS / DGQC_TILE_ROWS * TOTALS + TOTALS], more[TOTALS];
    for (size_t column = 0; column < panels->columns; column += DGQC_TILE_COLUMNS) {
        const dgqc_requantizer by = {product->m + column, product->b + column, product->requantizer.shift,
                                     product->requantizer.left};
        for (size_t quad = 0, some; quad < panels->quads; quad += some) {
            const dgqc_part of = dgqc_part_from(&product->lines, quad, PART_QUADS);
            const dgqc_panels ready = unpacked(product, &of, column, weights);
            const dgqc_sum sum = {of.runs, of.count, 1};
            const int last = quad + of.quads == panels->quads;
            some = of.quads;
            for (size_t r = 0, tile = 0; r < count; r += DGQC_TILE_ROWS, tile++) {
                const size_t left = count - r, height = left < DGQC_TILE_ROWS ? left : (size_t)DGQC_TILE_ROWS;
                const void *const ahead = ahead_of_unpacked(panels, &of, column, tile, next, next_bytes);
                int32_t *const total = totals + tile * TOTALS;
                int16_t *const to = y + r * panels->columns + column;
                if (quad == 0 && last) {
                    dgqc_tile_requantized(&ready, &sum, rows + r, height, 0, ahead, &by, to, panels->columns);
                    continue;
                }
                dgqc_tile(&ready, &sum, rows + r, height, 0, ahead, quad == 0 ? total : more);
                if (quad > 0) {
                    add_totals(more, height * DGQC_TILE_COLUMNS, total);
                }
                if (last) {
                    dgqc_requantize(total, height, 0, ready.columns, &by, to, panels->columns);
                }
            }
        }
    }
}
#endif
