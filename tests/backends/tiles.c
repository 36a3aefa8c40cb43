/* dgqc_tile against its definition, on whatever machine this is compiled for: random panels, runs and rows. */
#include "dgqc_tile.h"

#include <stdio.h>
#include <string.h>

enum { CASES = 400, MOST_QUADS = 24, MOST_COLUMNS = 48, MOST_RUNS = 5, ROW_BYTES = 4 * MOST_QUADS + 64 };

static uint32_t state = 1;

static uint32_t below(uint32_t count)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % count;
}

static int32_t weight_at(const dgqc_panels *panels, size_t column, size_t quad, size_t k)
{
    const uint8_t *const panel =
        (const uint8_t *)panels->data + column / DGQC_PANEL_COLUMNS * dgqc_panel_bytes(panels);
    const size_t in_block = column % DGQC_PANEL_COLUMNS * DGQC_QUAD + k;
    if (panels->bits == 8) {
        return (int8_t)panel[quad * DGQC_BLOCK_BYTES + in_block];
    }
    const int32_t byte = panel[quad / 2 * DGQC_BLOCK_BYTES + in_block];
    const int32_t nibble = quad % 2 ? byte >> 4 : byte & 15;
    return nibble < 8 ? nibble : nibble - 16;
}

static uint32_t total_of(const dgqc_panels *panels, const dgqc_sum *sum, const uint8_t *row, size_t column)
{
    uint32_t total = 0;
    for (size_t i = 0; i < sum->count; i++) {
        const dgqc_run *const run = &sum->runs[i];
        total *= run->ratio;
        for (uint32_t j = 0; j < run->quads * DGQC_QUAD; j++) {
            const int32_t weight = weight_at(panels, column, run->quad + j / DGQC_QUAD, j % DGQC_QUAD);
            total += (uint32_t)(row[run->code + j] * weight);
        }
    }
    return total * sum->last;
}

static uint64_t data[MOST_COLUMNS * MOST_QUADS * DGQC_QUAD / 8 + 8];
static uint8_t codes[DGQC_TILE_ROWS][ROW_BYTES];
static int32_t totals[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];

static unsigned long wrong_totals(void)
{
    const size_t quads = 1 + below(MOST_QUADS), columns = 1 + below(MOST_COLUMNS);
    const dgqc_panels panels = {.data = data, .bits = below(2) ? 4 : 8, .columns = columns, .quads = quads};
    dgqc_run runs[MOST_RUNS];
    const uint8_t *rows[DGQC_TILE_ROWS];
    const size_t row_count = 1 + below(DGQC_TILE_ROWS);
    const size_t column = below((uint32_t)(columns + 15) / 16) * 16;
    unsigned long wrong = 0;
    const dgqc_sum sum = {runs, 1 + below(MOST_RUNS), 1 + below(200)};
    for (size_t i = 0; i < sum.count; i++) {
        runs[i].quad = below((uint32_t)quads);
        runs[i].quads = 1 + below((uint32_t)quads - runs[i].quad);
        runs[i].code = below(40);
        runs[i].ratio = below(2) ? 1 : 1 + below(300);
    }
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
        data[i] = (uint64_t)below(1u << 24) << 40 ^ (uint64_t)below(1u << 24) << 20 ^ below(1u << 24);
    }
    for (size_t r = 0; r < DGQC_TILE_ROWS; r++) {
        for (size_t i = 0; i < ROW_BYTES; i++) {
            codes[r][i] = (uint8_t)below(256);
        }
        rows[r] = codes[r] + below(8);
    }
    dgqc_tile(&panels, &sum, rows, row_count, column, NULL, totals);
    for (size_t r = 0; r < row_count; r++) {
        for (size_t c = 0; c < DGQC_TILE_COLUMNS && column + c < columns; c++) {
            const uint32_t found = (uint32_t)totals[r * DGQC_TILE_COLUMNS + c];
            wrong += found != total_of(&panels, &sum, rows[r], column + c);
        }
    }
    return wrong;
}

int main(void)
{
    unsigned long wrong = 0;
    for (int i = 0; i < CASES; i++) {
        wrong += wrong_totals();
    }
    printf("tiles: %d cases, %lu totals wrong\n", CASES, wrong);
    return wrong == 0 ? 0 : 1;
}
