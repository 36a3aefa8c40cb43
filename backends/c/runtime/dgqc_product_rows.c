/* A block of rows times all panels, tile by tile. */

#include "dgqc_lanes.h"
#include "dgqc_product.h"
#include "dgqc_requantize.h"

static size_t quads_of(const dgqc_sum *sum)
{
    size_t quads = 0;
    for (size_t i = 0; i < sum->count; i++) {
        quads += sum->runs[i].quads;
    }
    return quads;
}

void dgqc_product_long(const dgqc_product *product, const uint8_t *const *rows, size_t count, size_t column,
                       const void *ahead, int64_t *totals)
{
    memset(totals, 0, count * DGQC_TILE_COLUMNS * sizeof *totals);
    for (const dgqc_accumulation *s = product->accumulations; s < product->accumulations + product->accumulation_count; s++) {
        int32_t parts[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];
        const lanes multiple = lanes_splat(s->multiple);
        dgqc_tile(&product->panels, &s->sum, rows, count, column, ahead, parts);
        for (size_t i = 0; i < count * DGQC_TILE_COLUMNS; i += LANES) {
            lanes_add_products(totals + i, lanes_load(parts + i), multiple);
        }
        /* Each accumulation block fetches its own part of what is ahead. */
        ahead = ahead ? (const unsigned char *)ahead + quads_of(&s->sum) * DGQC_AHEAD : NULL;
    }
}

void dgqc_product_zeros(const dgqc_product *product, size_t column, int64_t totals[DGQC_TILE_COLUMNS])
{
    const uint8_t *const ones = product->pixel;
    memset(totals, 0, DGQC_TILE_COLUMNS * sizeof *totals);
    for (size_t s = 0; s < product->segment_count; s++) {
        int32_t parts[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];
        const dgqc_segment *const segment = product->segments + product->order[s];
        const dgqc_sum one = {product->runs + s * product->segment_runs, product->segment_runs, 1};
        dgqc_tile(&product->panels, &one, &ones, 1, column, NULL, parts);
        for (size_t c = 0; c < DGQC_TILE_COLUMNS; c++) {
            totals[c] += (int64_t)segment->multiple * segment->zero * parts[c];
        }
    }
}

/* multiple * (total - zero * column_sum). A sum of centered codes fits 32 bits, whatever its terms do. */
static inline int64_t scaled(const dgqc_row_group *group, int32_t total, int32_t column_sum)
{
    const uint32_t zeros = (uint32_t)group->zero * (uint32_t)column_sum;
    return (int64_t)group->multiple * dgqc_wrap32((uint32_t)total - zeros);
}

/* Groups along rows, or totals of 64 bits. */
static void multiply_long(const dgqc_product *product, const uint8_t *const *rows, size_t count, size_t column,
                          const void *ahead, const dgqc_row_group *groups, int16_t *y)
{
    int64_t totals[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];
    const size_t left = product->panels.columns - column;
    const size_t columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    dgqc_product_long(product, rows, count, column, ahead, totals);
    for (size_t r = 0; groups && r < count; r++) {
        int64_t *const row = totals + r * DGQC_TILE_COLUMNS;
        for (size_t c = 0; c < columns; c++) {
            row[c] = scaled(groups + r, (int32_t)row[c], product->column_sums[column + c]);
        }
    }
    dgqc_requantize_long(totals, count, column, columns, &product->requantizer, y, product->panels.columns);
}

static void multiply_by_group(const dgqc_product *product, const uint8_t *const *rows, size_t count,
                              size_t column, const void *ahead, const dgqc_row_group *groups, int16_t *y)
{
    int32_t totals[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];
    const size_t left = product->panels.columns - column;
    const size_t columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    dgqc_tile(&product->panels, &product->accumulations->sum, rows, count, column, ahead, totals);
    for (size_t r = 0; r < count; r++) {
        int32_t *const row = totals + r * DGQC_TILE_COLUMNS;
        for (size_t c = 0; c < columns; c++) {
            row[c] = (int32_t)scaled(groups + r, row[c], product->column_sums[column + c]);
        }
    }
    dgqc_requantize(totals, count, column, columns, &product->requantizer, y, product->panels.columns);
}

/* What a tile fetches for those after it. The first few of a column fetch the next panels; after the last come the
 * first, for the next block of rows. The others, column by column, fetch those rows. */
static const void *ahead_of(const dgqc_panels *panels, size_t column, size_t tile, const uint8_t *rows,
                            size_t rows_bytes)
{
    enum { PORTIONS = 2 * DGQC_BLOCK_BYTES / DGQC_AHEAD, OTHERS = DGQC_BLOCK_ROWS / DGQC_TILE_ROWS - PORTIONS };
    const size_t next = column + DGQC_TILE_COLUMNS < panels->columns ? column + DGQC_TILE_COLUMNS : 0;
    const size_t bytes = dgqc_panel_bytes(panels), portion = 2 * bytes / PORTIONS;
    if (tile >= PORTIONS) {
        const size_t offset = (column / DGQC_TILE_COLUMNS * OTHERS + tile - PORTIONS) * portion;
        if (offset + portion <= rows_bytes) {
            return rows + offset;
        }
    }
    return (const unsigned char *)panels->data + next / DGQC_PANEL_COLUMNS * bytes + tile % PORTIONS * portion;
}

void dgqc_product_rows(const dgqc_product *product, const uint8_t *const *rows, size_t count,
                       const dgqc_row_group *groups, const uint8_t *next, size_t next_bytes, int16_t *y)
{
    const dgqc_panels *const panels = &product->panels;
    if (groups == NULL && dgqc_matrix_takes(product, count)) {
        dgqc_matrix_rows(product, rows, count, y);
        return;
    }
#if defined(DGQC_UNPACKS)
    if (product->absorbs) {
        dgqc_product_unpacked(product, rows, count, next, next_bytes, y);
        return;
    }
#elif defined(DGQC_UNPACKS_TWO_COLUMNS)
    if (dgqc_takes_two_columns(product)) {
        dgqc_product_two_columns(product, rows, count, groups, y);
        return;
    }
#endif
    for (size_t column = 0; column < panels->columns; column += DGQC_TILE_COLUMNS) {
        for (size_t r = 0; r < count; r += DGQC_TILE_ROWS) {
            const size_t some = count - r < DGQC_TILE_ROWS ? count - r : (size_t)DGQC_TILE_ROWS;
            const void *const ahead = ahead_of(panels, column, r / DGQC_TILE_ROWS, next, next_bytes);
            int16_t *const to = y + r * panels->columns + column;
            if (product->total_bits == 64) {
                multiply_long(product, rows + r, some, column, ahead, groups ? groups + r : NULL, to);
            } else if (groups) {
                multiply_by_group(product, rows + r, some, column, ahead, groups + r, to);
            } else {
                dgqc_tile_requantized(panels, &product->accumulations->sum, rows + r, some, column, ahead,
                                      &product->requantizer, to, panels->columns);
            }
        }
    }
}

const dgqc_row_group *dgqc_find_row_groups(const dgqc_operand *operand, size_t step, dgqc_rows rows,
                                           size_t period, dgqc_row_group groups[DGQC_BLOCK_ROWS])
{
    if (operand->along_depth) {
        return NULL;
    }
    for (size_t r = 0; r < rows.count; r++) {
        const size_t place = (rows.first + r) % period;
        const size_t at = step * operand->groups + (operand->group ? operand->group[place] : 0U);
        groups[r].zero = operand->zero[at];
        groups[r].multiple = operand->multiple[at];
    }
    return groups;
}
