/* Products on matrix units: 32 rows times 32 columns at a time, in four of them. */

#include "dgqc_lanes.h"
#include "dgqc_matrix.h"
#include "dgqc_parts.h"
#include "dgqc_product.h"
#include "dgqc_requantize.h"

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
    STEPS = 20, /* of a part, 1280 codes */
    PART_QUADS = STEPS * DGQC_MATRIX_QUADS,
    ROW_TILES = DGQC_MATRIX_BLOCK_ROWS / DGQC_MATRIX_ROWS,
    PAIR = 2 * DGQC_PANEL_COLUMNS,
    COLUMN_TILES = 20, /* whose sums wait between the parts of a long sum */
    FEWEST_ROWS = 6,
};

/* A thread's working memory, all of it in units of 1 KB: codes of a part, weights of two columns of panels, those that are
 * multiplied and the next ones, and sums between parts; and totals of two squares, of which one is requantized. */
typedef struct {
    uint8_t codes[ROW_TILES][STEPS][DGQC_MATRIX_BYTES];
    int8_t weights[2][2][STEPS][DGQC_MATRIX_BYTES];
    int32_t sums[ROW_TILES][COLUMN_TILES][DGQC_MATRIX_BYTES / sizeof(int32_t)];
    int32_t totals[2][2 * DGQC_MATRIX_ROWS * PAIR];
} desk;

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

/* What stays the same for a part: where it is among the others, and how many rows there are. */
typedef struct {
    const dgqc_product *product;
    const dgqc_part *part;
    size_t steps, rows;
    int first, last;
    desk *desk;
} stage;

/* One step of the panel of a column, ready to be loaded. Panels of 8 bits are loaded as they lie, but for steps that have to
 * end with zeros. */
static void lay_step(const stage *at, size_t column, size_t step, int8_t *to)
{
    const dgqc_panels *const panels = &at->product->panels;
    const size_t first = step * DGQC_MATRIX_QUADS, left = at->part->quads - first;
    const size_t quads = left < DGQC_MATRIX_QUADS ? left : (size_t)DGQC_MATRIX_QUADS;
    const int8_t *const panel = dgqc_panel(panels, column);
    if (at->product->absorbs) {
        dgqc_unpack((const uint8_t *)panel, &at->product->multiples, at->part->quad + first, quads, to);
    } else if (quads < DGQC_MATRIX_QUADS) {
        memcpy(to, panel + (at->part->quad + first) * DGQC_BLOCK_BYTES, quads * DGQC_BLOCK_BYTES);
    }
    if (quads < DGQC_MATRIX_QUADS) {
        memset(to + quads * DGQC_BLOCK_BYTES, 0, (DGQC_MATRIX_QUADS - quads) * DGQC_BLOCK_BYTES);
    }
}

/* Where the steps of a column's panel are: those before the last, and that one. */
typedef struct {
    const int8_t *first, *last;
} panel_steps;

static panel_steps steps_of(const stage *at, size_t column, const int8_t *laid)
{
    panel_steps found = {laid, laid + (at->steps - 1) * DGQC_MATRIX_BYTES};
    if (!at->product->absorbs) {
        found.first = dgqc_panel(&at->product->panels, column) + at->part->quad * DGQC_BLOCK_BYTES;
        found.last = at->part->quads % DGQC_MATRIX_QUADS == 0 ? found.first + (at->steps - 1) * DGQC_MATRIX_BYTES
                                                              : found.last;
    }
    return found;
}

/* What a core's vectors do while its matrix units multiply: they requantize the square before, and get the panels ready that
 * come next. */
typedef struct {
    const int32_t *totals; /* of the square before */
    size_t column, rows, requantized;
    int16_t *y;
    size_t next, laid; /* first column of the panels to come, or as many as there are; steps that are ready */
    int8_t *to;
} aside;

static void requantize_some(const stage *at, aside *other, size_t most)
{
    const size_t columns = at->product->panels.columns, left = other->rows - other->requantized;
    const size_t some = left < most ? left : most, end = other->column + PAIR < columns ? other->column + PAIR : columns;
    const int32_t *totals = other->totals + other->requantized * DGQC_TILE_COLUMNS;
    int16_t *y = other->y + other->requantized * columns;
    for (size_t c = other->column; some > 0 && c < end; c += DGQC_TILE_COLUMNS, y += DGQC_TILE_COLUMNS) {
        const size_t wide = end - c < DGQC_TILE_COLUMNS ? end - c : (size_t)DGQC_TILE_COLUMNS;
        dgqc_requantize(totals, some, c, wide, &at->product->requantizer, y, columns);
        totals += 2 * DGQC_MATRIX_ROWS * DGQC_TILE_COLUMNS;
    }
    other->requantized += some;
}

/* Steps of both panels, the left one's first. */
static void lay_some(const stage *at, aside *other, size_t most)
{
    const size_t columns = at->product->panels.columns;
    for (; most > 0 && other->next < columns && other->laid < 2 * at->steps; most--, other->laid++) {
        const size_t panel = other->laid / at->steps, step = other->laid % at->steps;
        if (other->next + panel * DGQC_PANEL_COLUMNS < columns) {
            lay_step(at, other->next + panel * DGQC_PANEL_COLUMNS, step,
                     other->to + (panel * STEPS + step) * DGQC_MATRIX_BYTES);
        }
    }
}

/* Where the sums of four units are. */
typedef struct {
    int32_t *sums;
    size_t right, lower, stride; /* in sums, in sums, in bytes from row to row */
} square;

/* The sums that were there (or 0) and the products of a part: 2 x 2 units. */
static void multiply(const stage *at, size_t tile, panel_steps left, panel_steps right, const square *from,
                     const square *to, aside *other)
{
    const uint8_t *const upper = at->desk->codes[tile][0], *const lower = at->desk->codes[tile + 1][0];
    const size_t some = (other->rows + at->steps - 1) / at->steps;
    const size_t squares = (at->rows + 2 * DGQC_MATRIX_ROWS - 1) / (2 * DGQC_MATRIX_ROWS);
    DGQC_MATRIX_HELD(units)
    if (at->first) {
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
    for (size_t s = 0; s < at->steps; s++) {
        const size_t place = s * DGQC_MATRIX_BYTES;
        DGQC_MATRIX_LOAD(units, 6, s + 1 < at->steps ? left.first + place : left.last, DGQC_MATRIX_ROW);
        DGQC_MATRIX_LOAD(units, 4, upper + place, DGQC_MATRIX_ROW);
        DGQC_MATRIX_DOT(units, 0, 4, 6);
        DGQC_MATRIX_LOAD(units, 7, s + 1 < at->steps ? right.first + place : right.last, DGQC_MATRIX_ROW);
        DGQC_MATRIX_DOT(units, 1, 4, 7);
        DGQC_MATRIX_LOAD(units, 5, lower + place, DGQC_MATRIX_ROW);
        DGQC_MATRIX_DOT(units, 2, 5, 6);
        DGQC_MATRIX_DOT(units, 3, 5, 7);
        requantize_some(at, other, some);
        lay_some(at, other, (2 + squares - 1) / squares);
    }
    DGQC_MATRIX_STORE(units, 0, to->sums, to->stride);
    DGQC_MATRIX_STORE(units, 1, to->sums + to->right, to->stride);
    DGQC_MATRIX_STORE(units, 2, to->sums + to->lower, to->stride);
    DGQC_MATRIX_STORE(units, 3, to->sums + to->lower + to->right, to->stride);
}

/* Two panels, which are ready, times all rows. column: of the product; place: of its sums. */
static void multiply_columns(const stage *at, size_t column, size_t place, const int8_t *laid, aside *other, int16_t *y)
{
    enum { IN_ROW = DGQC_TILE_COLUMNS > DGQC_PANEL_COLUMNS, SUMS = DGQC_MATRIX_BYTES / sizeof(int32_t) };
    const size_t columns = at->product->panels.columns;
    const panel_steps left = steps_of(at, column, laid);
    const panel_steps right = column + DGQC_PANEL_COLUMNS < columns
                                  ? steps_of(at, column + DGQC_PANEL_COLUMNS, laid + STEPS * DGQC_MATRIX_BYTES)
                                  : left;
    for (size_t r = 0; r < at->rows; r += 2 * DGQC_MATRIX_ROWS) {
        const size_t tile = r / DGQC_MATRIX_ROWS, some = at->rows - r;
        int32_t *const totals = at->desk->totals[other->totals == at->desk->totals[0]];
        const square whole = {totals, IN_ROW ? DGQC_PANEL_COLUMNS : 2 * DGQC_MATRIX_ROWS * DGQC_TILE_COLUMNS,
                              DGQC_MATRIX_ROWS * DGQC_TILE_COLUMNS, DGQC_TILE_COLUMNS * sizeof(int32_t)};
        const square between = {at->desk->sums[tile][place / DGQC_PANEL_COLUMNS], SUMS, COLUMN_TILES * SUMS,
                                DGQC_MATRIX_ROW};
        for (size_t row = r; at->last && row < at->rows && row < r + 2 * DGQC_MATRIX_ROWS; row++) {
            DGQC_FETCH_TO_WRITE(y + row * columns + column);
        }
        multiply(at, tile, left, right, &between, at->last ? &whole : &between, other);
        if (at->last) {
            other->totals = totals, other->column = column, other->requantized = 0;
            other->rows = some < 2 * DGQC_MATRIX_ROWS ? some : (size_t)2 * DGQC_MATRIX_ROWS;
            other->y = y + r * columns + column;
        }
    }
}

/* The columns from .. end - 1 of a part. */
static void multiply_part(const stage *at, const uint8_t *const *rows, size_t from, size_t end, int16_t *y)
{
    aside other = {NULL, 0, 0, 0, NULL, from, 0, at->desk->weights[0][0][0]};
    for (size_t r = 0; r < at->rows; r++) {
        lay_row(at->part, rows[r],
                at->desk->codes[r / DGQC_MATRIX_ROWS][0] + r % DGQC_MATRIX_ROWS * DGQC_MATRIX_ROW);
    }
    for (size_t column = from; column < end; column += PAIR) {
        const int8_t *const laid = other.to;
        lay_some(at, &other, 2 * at->steps); /* what is left of it */
        other.next = column + PAIR < end ? column + PAIR : at->product->panels.columns;
        other.laid = 0;
        other.to = at->desk->weights[laid == at->desk->weights[0][0][0]][0][0];
        multiply_columns(at, column, at->first && at->last ? 0 : column - from, laid, &other, y);
    }
    requantize_some(at, &other, other.rows);
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
    const size_t block = dgqc_part_from(sum, 0, PART_QUADS).quads == quads ? columns : COLUMN_TILES * DGQC_PANEL_COLUMNS;
    desk desk;
    dgqc_matrix_begin();
    for (size_t from = 0; from < columns; from += block) {
        for (size_t quad = 0, some; quad < quads; quad += some) {
            const dgqc_part part = dgqc_part_from(sum, quad, PART_QUADS);
            some = part.quads;
            const size_t steps = (some + DGQC_MATRIX_QUADS - 1) / DGQC_MATRIX_QUADS;
            const stage at = {product, &part, steps, count, quad == 0, quad + some == quads, &desk};
            multiply_part(&at, rows, from, from + block < columns ? from + block : columns, y);
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
