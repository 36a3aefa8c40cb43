/* Products on matrix units: 32 rows times 32 columns at a time, in four of them. */

#include "dgqc_lanes.h"
#include "dgqc_matrix.h"
#include "dgqc_parts.h"
#include "dgqc_product.h"
#include "dgqc_requantize.h"
#include "dgqc_unpack.h"

/* Whether this process may use its machine's units: an operating system wants to be asked, which is not for us to do. What
 * is emulated needs no permission. */
#if defined(DGQC_MATRIX_EMULATED)
static int permitted = 1;
#else
static int permitted = 0;
#endif

int dgqc_use_matrix_units(int wanted)
{
#ifdef DGQC_MATRIX
    permitted = wanted;
#else
    (void)wanted;
#endif
    return permitted;
}

#ifdef DGQC_MATRIX
enum {
    STEPS = DGQC_PART_QUADS / DGQC_MATRIX_QUADS,
    ROW_TILES = DGQC_BLOCK_ROWS / DGQC_MATRIX_ROWS,
    PAIR = 2 * DGQC_PANEL_COLUMNS,
    COLUMN_TILES = 40, /* whose sums wait between the parts of a long sum */
    FEWEST_ROWS = 6,
};

/* A thread's working memory, all of it in units of 1 KB: codes of a part, its weights, and sums between parts. */
typedef struct {
    uint8_t codes[ROW_TILES][STEPS][DGQC_MATRIX_BYTES];
    int8_t weights[2][STEPS][DGQC_MATRIX_BYTES];
    int32_t sums[ROW_TILES][COLUMN_TILES][DGQC_MATRIX_BYTES / sizeof(int32_t)];
} desk;

/* Steps of one panel: all but the last, which may have to end with zeros, and that one. */
typedef struct {
    const int8_t *first, *last;
} steps_of;

static size_t steps_in(const dgqc_part *part)
{
    return (part->quads + DGQC_MATRIX_QUADS - 1) / DGQC_MATRIX_QUADS;
}

/* One row's codes of a part, 64 bytes in each step's unit. */
static void lay_row(const dgqc_part *part, const uint8_t *row, uint8_t *to)
{
    size_t place = 0;
    for (const dgqc_run *run = part->runs; run < part->runs + part->count; run++) {
        const uint8_t *from = row + run->code;
        for (size_t left = (size_t)run->quads * DGQC_QUAD, some; left > 0; left -= some, from += some, place += some) {
            uint8_t *const at = to + place / DGQC_MATRIX_ROW * DGQC_MATRIX_BYTES + place % DGQC_MATRIX_ROW;
            const size_t room = DGQC_MATRIX_ROW - place % DGQC_MATRIX_ROW;
            some = left < room ? left : room;
            if (some == DGQC_MATRIX_ROW) {
                DGQC_COPY_FEW(at, from, DGQC_MATRIX_ROW);
            } else {
                dgqc_copy_short(from, some, at);
            }
        }
    }
    if (place % DGQC_MATRIX_ROW != 0) {
        memset(to + place / DGQC_MATRIX_ROW * DGQC_MATRIX_BYTES + place % DGQC_MATRIX_ROW, 0,
               DGQC_MATRIX_ROW - place % DGQC_MATRIX_ROW);
    }
}

static void lay_codes(const dgqc_part *part, const uint8_t *const *rows, size_t count, desk *desk)
{
    for (size_t r = 0; r < count; r++) {
        lay_row(part, rows[r], desk->codes[r / DGQC_MATRIX_ROWS][0] + r % DGQC_MATRIX_ROWS * DGQC_MATRIX_ROW);
    }
}

/* A part of the panel of a column, ready to be loaded. */
static steps_of lay_panel(const dgqc_product *product, const dgqc_part *part, size_t column, int8_t *to)
{
    const int8_t *const panel = dgqc_panel(&product->panels, column);
    const size_t bytes = part->quads * DGQC_BLOCK_BYTES, last = (steps_in(part) - 1) * DGQC_MATRIX_BYTES;
    steps_of laid = {to, to + last};
    if (product->absorbs) {
        const dgqc_segment *const end = product->segments + product->segment_count - 1;
        dgqc_unpack((const uint8_t *)panel, product->segments, end->first + end->count, part->quad, part->quads, to);
    } else {
        laid.first = panel + part->quad * DGQC_BLOCK_BYTES;
        memcpy(to + last, laid.first + last, bytes - last);
    }
    memset(to + bytes, 0, last + DGQC_MATRIX_BYTES - bytes);
    return laid;
}

/* Where the sums of four units are: those of `right` and `lower` may be the same as the others, and then mean nothing. */
typedef struct {
    int32_t *sums;
    size_t right, lower, stride; /* in sums, in sums, in bytes from row to row */
} square;

/* sums (or 0, where `fresh`) and the products of a part: 2 x 2 units. */
static void multiply(const uint8_t *upper, const uint8_t *lower, steps_of left, steps_of right, size_t steps,
                     const square *from, const square *to)
{
    DGQC_MATRIX_HELD(units)
    if (from == NULL) {
        DGQC_MATRIX_ZERO(units, 0);
        DGQC_MATRIX_ZERO(units, 1);
        DGQC_MATRIX_ZERO(units, 2);
        DGQC_MATRIX_ZERO(units, 3);
    } else {
        DGQC_MATRIX_LOAD(units, 0, from->sums, from->stride);
        DGQC_MATRIX_LOAD(units, 1, from->sums + from->right, from->stride);
        DGQC_MATRIX_LOAD(units, 2, from->sums + from->lower, from->stride);
        DGQC_MATRIX_LOAD(units, 3, from->sums + from->lower + from->right, from->stride);
    }
    for (size_t s = 0; s < steps; s++) {
        const size_t at = s * DGQC_MATRIX_BYTES;
        DGQC_MATRIX_LOAD(units, 6, s + 1 < steps ? left.first + at : left.last, DGQC_MATRIX_ROW);
        DGQC_MATRIX_LOAD(units, 4, upper + at, DGQC_MATRIX_ROW);
        DGQC_MATRIX_DOT(units, 0, 4, 6);
        DGQC_MATRIX_LOAD(units, 7, s + 1 < steps ? right.first + at : right.last, DGQC_MATRIX_ROW);
        DGQC_MATRIX_DOT(units, 1, 4, 7);
        DGQC_MATRIX_LOAD(units, 5, lower + at, DGQC_MATRIX_ROW);
        DGQC_MATRIX_DOT(units, 2, 5, 6);
        DGQC_MATRIX_DOT(units, 3, 5, 7);
    }
    DGQC_MATRIX_STORE(units, 0, to->sums, to->stride);
    DGQC_MATRIX_STORE(units, 1, to->sums + to->right, to->stride);
    DGQC_MATRIX_STORE(units, 2, to->sums + to->lower, to->stride);
    DGQC_MATRIX_STORE(units, 3, to->sums + to->lower + to->right, to->stride);
}

/* Totals of a square, tile column by tile column, requantized. */
static void requantize(const dgqc_product *product, const int32_t *totals, size_t rows, size_t column, int16_t *y)
{
    const size_t columns = product->panels.columns, end = column + PAIR < columns ? column + PAIR : columns;
    for (size_t c = column; c < end; c += DGQC_TILE_COLUMNS, totals += 2 * DGQC_MATRIX_ROWS * DGQC_TILE_COLUMNS) {
        const size_t left = end - c;
        dgqc_requantize(totals, rows, c, left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS,
                        &product->requantizer, y + c - column, columns);
    }
}

/* What stays the same for a part: where it is among the others, and how many rows there are. */
typedef struct {
    const dgqc_part *part;
    int first, last;
    size_t count;
} stage;

/* Two panels times all rows. column: of the product; place: of its sums. */
static void multiply_columns(const dgqc_product *product, const stage *at, size_t column, size_t place, desk *desk,
                             int16_t *y)
{
    enum { IN_ROW = DGQC_TILE_COLUMNS / DGQC_PANEL_COLUMNS > 1 };
    int32_t totals[2 * DGQC_MATRIX_ROWS * PAIR];
    const square whole = {totals, IN_ROW ? DGQC_PANEL_COLUMNS : 2 * DGQC_MATRIX_ROWS * DGQC_TILE_COLUMNS,
                          DGQC_MATRIX_ROWS * DGQC_TILE_COLUMNS, DGQC_TILE_COLUMNS * sizeof(int32_t)};
    const size_t steps = steps_in(at->part), columns = product->panels.columns;
    const size_t beside = column + DGQC_PANEL_COLUMNS < columns ? DGQC_PANEL_COLUMNS : 0;
    const steps_of left = lay_panel(product, at->part, column, desk->weights[0][0]);
    const steps_of right = beside ? lay_panel(product, at->part, column + beside, desk->weights[1][0]) : left;
    for (size_t r = 0; r < at->count; r += 2 * DGQC_MATRIX_ROWS) {
        const size_t tile = r / DGQC_MATRIX_ROWS, some = at->count - r;
        const size_t rows = some < 2 * DGQC_MATRIX_ROWS ? some : (size_t)2 * DGQC_MATRIX_ROWS;
        const square between = {desk->sums[tile][place / DGQC_PANEL_COLUMNS], DGQC_MATRIX_BYTES / sizeof(int32_t),
                                COLUMN_TILES * DGQC_MATRIX_BYTES / sizeof(int32_t), DGQC_MATRIX_ROW};
        multiply(desk->codes[tile][0], desk->codes[tile + 1][0], left, right, steps, at->first ? NULL : &between,
                 at->last ? &whole : &between);
        if (at->last) {
            requantize(product, totals, rows, column, y + r * columns + column);
        }
    }
}

int dgqc_matrix_takes(const dgqc_product *product, size_t count)
{
    const dgqc_sum *const sum = &product->accumulations->sum;
    const int plain = product->absorbs || (product->segment_count == 1 && sum->last == 1);
    return permitted && plain && product->total_bits == 32 && count >= FEWEST_ROWS &&
           product->panels.quads >= DGQC_MATRIX_QUADS;
}

void dgqc_matrix_rows(const dgqc_product *product, const uint8_t *const *rows, size_t count, int16_t *y)
{
    const dgqc_sum *const sum = &product->accumulations->sum;
    const size_t columns = product->panels.columns, quads = product->panels.quads;
    const size_t block = dgqc_part_from(sum, 0).quads == quads ? columns : COLUMN_TILES * DGQC_PANEL_COLUMNS;
    desk desk;
    dgqc_matrix_begin();
    for (size_t from = 0; from < columns; from += block) {
        const size_t end = from + block < columns ? from + block : columns;
        for (size_t quad = 0, some; quad < quads; quad += some) {
            const dgqc_part part = dgqc_part_from(sum, quad);
            some = part.quads;
            const stage at = {&part, quad == 0, quad + some == quads, count};
            lay_codes(&part, rows, count, &desk);
            for (size_t column = from; column < end; column += PAIR) {
                multiply_columns(product, &at, column, at.first && at.last ? 0 : column - from, &desk, y);
            }
        }
    }
    dgqc_matrix_end();
}
#else
int dgqc_matrix_takes(const dgqc_product *product, size_t count)
{
    (void)product, (void)count;
    return 0;
}

void dgqc_matrix_rows(const dgqc_product *product, const uint8_t *const *rows, size_t count, int16_t *y)
{
    (void)product, (void)rows, (void)count, (void)y;
}
#endif
