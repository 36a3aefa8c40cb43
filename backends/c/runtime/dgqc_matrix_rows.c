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

int dgqc_matrix_permitted(void)
{
    return permitted;
}

#ifdef DGQC_MATRIX
enum {
    STEPS = 10, /* of a part, 640 codes: two panels of them, and two units' rows, share a core's first cache */
    PART_QUADS = STEPS * DGQC_MATRIX_QUADS,
    ROW_TILES = DGQC_MATRIX_BLOCK_ROWS / DGQC_MATRIX_ROWS,
    PAIR = 2 * DGQC_PANEL_COLUMNS,
    COLUMN_TILES = 20, /* whose sums wait between the parts of a long sum */
    FEWEST_ROWS = 6,
};

/* A thread's working memory, all of it in units of 1 KB: codes of a part that don't lie as units load them, weights of two
 * panels, and sums between parts; and totals of two squares, of which one is requantized. */
typedef struct {
    uint8_t codes[ROW_TILES][STEPS][DGQC_MATRIX_BYTES];
    int8_t weights[2][STEPS][DGQC_MATRIX_BYTES];
    int32_t sums[ROW_TILES][COLUMN_TILES][DGQC_MATRIX_BYTES / sizeof(int32_t)];
    int32_t totals[2][2 * DGQC_MATRIX_ROWS * PAIR];
} desk;

/* Where a unit's codes are: its first row, how far it is to the next, and where each step begins in it. */
typedef struct {
    const uint8_t *first;
    size_t stride;
    const size_t *step;
} unit_rows;

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
    unit_rows units[ROW_TILES + 1];
    size_t in_place[STEPS], laid[STEPS]; /* where steps begin in rows as they are given, and as they are laid */
    desk *desk;
} stage;

/* Whether rows can be loaded where they are: no step may have the end of a run in it. */
static int find_steps(stage *at)
{
    size_t step = 0;
    int whole = 1;
    for (const dgqc_run *run = at->part->runs; run < at->part->runs + at->part->count; run++) {
        whole = whole && run->quads % DGQC_MATRIX_QUADS == 0;
        for (size_t q = 0; whole && q < run->quads; q += DGQC_MATRIX_QUADS) {
            at->in_place[step++] = run->code + q * DGQC_QUAD;
        }
    }
    for (step = 0; step < at->steps; step++) {
        at->laid[step] = step * DGQC_MATRIX_BYTES;
    }
    return whole;
}

/* Where units find their rows. Those that lie as far from each other as any two are loaded from there. */
static void find_rows(stage *at, const uint8_t *const *rows)
{
    const int whole = find_steps(at);
    for (size_t r = 0, tile = 0; r < at->rows; r += DGQC_MATRIX_ROWS, tile++) {
        const size_t left = at->rows - r, some = left < DGQC_MATRIX_ROWS ? left : (size_t)DGQC_MATRIX_ROWS;
        unit_rows *const unit = at->units + tile;
        const ptrdiff_t stride = some > 1 ? rows[r + 1] - rows[r] : 0;
        int even = whole && some == DGQC_MATRIX_ROWS;
        for (size_t i = 1; even && i < some; i++) {
            even = rows[r + i] - rows[r + i - 1] == stride;
        }
        unit->first = even ? rows[r] : at->desk->codes[tile][0];
        unit->stride = even ? (size_t)stride : (size_t)DGQC_MATRIX_ROW;
        unit->step = even ? at->in_place : at->laid;
        for (size_t i = 0; !even && i < some; i++) {
            lay_row(at->part, rows[r + i], at->desk->codes[tile][0] + i * DGQC_MATRIX_ROW);
        }
        at->units[tile + 1] = *unit; /* of a square that has but one */
    }
}

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

/* The same step of two panels. */
static void lay_both(const stage *at, size_t column, size_t step)
{
    lay_step(at, column, step, at->desk->weights[0][step]);
    if (column + DGQC_PANEL_COLUMNS < at->product->panels.columns) {
        lay_step(at, column + DGQC_PANEL_COLUMNS, step, at->desk->weights[1][step]);
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

/* What a core's vectors do while its matrix units multiply: they requantize the square before. */
typedef struct {
    const int32_t *totals; /* of the square before */
    size_t column, rows, requantized;
    int16_t *y;
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

/* Where the sums of four units are. */
typedef struct {
    int32_t *sums;
    size_t right, lower, stride; /* in sums, in sums, in bytes from row to row */
} square;

/* Two panels, the left one at a column, and the left one of those to come, whose steps take the places of these as soon as
 * they were loaded; as many as there are columns where that isn't wanted. */
typedef struct {
    panel_steps left, right;
    size_t next;
} two_panels;

/* The sums that were there (or 0) and the products of a part: 2 x 2 units. */
static void multiply(const stage *at, size_t tile, const two_panels *panels, const square *from, const square *to, aside *other)
{
    const unit_rows upper = at->units[tile], lower = at->units[tile + 1];
    const panel_steps left = panels->left, right = panels->right;
    const size_t some = (other->rows + at->steps - 1) / at->steps, steps = at->steps;
    const int lays = panels->next < at->product->panels.columns;
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
    for (size_t s = 0; s < steps; s++) {
        const size_t place = s * DGQC_MATRIX_BYTES;
        DGQC_MATRIX_LOAD(units, 6, s + 1 < steps ? left.first + place : left.last, DGQC_MATRIX_ROW);
        DGQC_MATRIX_LOAD(units, 4, upper.first + upper.step[s], upper.stride);
        DGQC_MATRIX_DOT(units, 0, 4, 6);
        DGQC_MATRIX_LOAD(units, 7, s + 1 < steps ? right.first + place : right.last, DGQC_MATRIX_ROW);
        DGQC_MATRIX_DOT(units, 1, 4, 7);
        DGQC_MATRIX_LOAD(units, 5, lower.first + lower.step[s], lower.stride);
        DGQC_MATRIX_DOT(units, 2, 5, 6);
        DGQC_MATRIX_DOT(units, 3, 5, 7);
        if (lays) {
            lay_both(at, panels->next, s);
        }
        requantize_some(at, other, some);
    }
    DGQC_MATRIX_STORE(units, 0, to->sums, to->stride);
    DGQC_MATRIX_STORE(units, 1, to->sums + to->right, to->stride);
    DGQC_MATRIX_STORE(units, 2, to->sums + to->lower, to->stride);
    DGQC_MATRIX_STORE(units, 3, to->sums + to->lower + to->right, to->stride);
}

/* Two panels, which are ready, times all rows. column: of the product; place: of its sums. */
static void multiply_columns(const stage *at, size_t column, size_t next, size_t place, aside *other, int16_t *y)
{
    enum { IN_ROW = DGQC_TILE_COLUMNS > DGQC_PANEL_COLUMNS, SUMS = DGQC_MATRIX_BYTES / sizeof(int32_t) };
    const size_t columns = at->product->panels.columns;
    two_panels panels;
    panels.left = steps_of(at, column, at->desk->weights[0][0]);
    panels.right = column + DGQC_PANEL_COLUMNS < columns
                       ? steps_of(at, column + DGQC_PANEL_COLUMNS, at->desk->weights[1][0])
                       : panels.left;
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
        panels.next = r + 2 * DGQC_MATRIX_ROWS < at->rows ? columns : next;
        multiply(at, tile, &panels, &between, at->last ? &whole : &between, other);
        if (at->last) {
            other->totals = totals, other->column = column, other->requantized = 0;
            other->rows = some < 2 * DGQC_MATRIX_ROWS ? some : (size_t)2 * DGQC_MATRIX_ROWS;
            other->y = y + r * columns + column;
        }
    }
}

/* The columns from .. end - 1 of a part. */
static void multiply_part(const stage *at, size_t from, size_t end, int16_t *y)
{
    aside other = {NULL, 0, 0, 0, NULL};
    for (size_t step = 0; step < at->steps; step++) {
        lay_both(at, from, step);
    }
    for (size_t column = from; column < end; column += PAIR) {
        const size_t next = column + PAIR < end ? column + PAIR : at->product->panels.columns;
        multiply_columns(at, column, next, at->first && at->last ? 0 : column - from, &other, y);
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
            stage at = {.product = product, .part = &part, .rows = count, .desk = &desk};
            at.steps = (some + DGQC_MATRIX_QUADS - 1) / DGQC_MATRIX_QUADS;
            at.first = quad == 0, at.last = quad + some == quads;
            find_rows(&at, rows);
            multiply_part(&at, from, from + block < columns ? from + block : columns, y);
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
