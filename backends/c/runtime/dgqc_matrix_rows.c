/* Products on matrix units: 32 rows times 32 columns at a time, in four of them; or times 16 columns, whose weights are split
 * into two bytes. */

#include "dgqc_lanes.h"
#include "dgqc_matrix_desk.h"
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
    /* Where totals of a square's columns that a tile is too narrow for are, from the first ones on. */
    RIGHT = DGQC_TILE_COLUMNS > DGQC_PANEL_COLUMNS ? DGQC_PANEL_COLUMNS : 2 * DGQC_MATRIX_SUMS,
    FEW = 8, /* rows that are requantized at once at least: their columns' constants are loaded each time */
    FEWEST_ROWS = 6,
    FEWEST_SPLIT_ROWS = 32, /* of a whole product: fewer are multiplied by vectors before their weights are split */
};

/* Whether multiples are in the weights already, or there are none: a plain sum of bytes. */
static int is_plain(const dgqc_product *product)
{
    return product->absorbs || (product->segment_count == 1 && product->accumulations->sum.last == 1);
}

/* Where the steps of a column's panel are: those before the last, and that one. */
typedef struct {
    const int8_t *first, *last;
} panel_steps;

static panel_steps steps_of(const dgqc_matrix_stage *at, size_t column, const int8_t *laid)
{
    panel_steps found = {laid, laid + (at->steps - 1) * DGQC_MATRIX_BYTES};
    if (!at->product->absorbs && !at->product->splits) {
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

static void requantize_some(const dgqc_matrix_stage *at, aside *other, size_t most)
{
    const dgqc_requantizer *const by = &at->product->requantizer;
    const size_t columns = at->product->panels.columns, left = other->rows - other->requantized;
    const size_t some = left < most ? left : most;
    const size_t end = other->column + at->width < columns ? other->column + at->width : columns;
    const int32_t *totals = other->totals + other->requantized * DGQC_TILE_COLUMNS;
    int16_t *y = other->y + other->requantized * columns;
    other->requantized += some;
    if (some > 0 && at->product->splits) {
        dgqc_requantize_split(totals, RIGHT, some, other->column, end - other->column, by, y, columns);
        return;
    }
    for (size_t c = other->column; some > 0 && c < end; c += DGQC_TILE_COLUMNS, y += DGQC_TILE_COLUMNS) {
        const size_t wide = end - c < DGQC_TILE_COLUMNS ? end - c : (size_t)DGQC_TILE_COLUMNS;
        dgqc_requantize(totals, some, c, wide, by, y, columns);
        totals += 2 * DGQC_MATRIX_ROWS * DGQC_TILE_COLUMNS;
    }
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

/* The products of one step: the left weights have signs, but for the lower bytes of split ones. */
#define STEP(LEFT_DOT)                                                                                        \
    do {                                                                                                      \
        DGQC_MATRIX_LOAD(units, 6, s + 1 < steps ? left.first + place : left.last, DGQC_MATRIX_ROW);          \
        DGQC_MATRIX_LOAD(units, 4, upper.first + upper.step[s], upper.stride);                                \
        LEFT_DOT(units, 0, 4, 6);                                                                             \
        DGQC_MATRIX_LOAD(units, 7, s + 1 < steps ? right.first + place : right.last, DGQC_MATRIX_ROW);        \
        DGQC_MATRIX_DOT(units, 1, 4, 7);                                                                      \
        DGQC_MATRIX_LOAD(units, 5, lower.first + lower.step[s], lower.stride);                                \
        LEFT_DOT(units, 2, 5, 6);                                                                             \
        DGQC_MATRIX_DOT(units, 3, 5, 7);                                                                      \
    } while (0)

/* The sums that were there (or 0) and the products of a part: 2 x 2 units. */
static void multiply(const dgqc_matrix_stage *at, size_t tile, const two_panels *panels, const square *from, const square *to,
                     aside *other)
{
    const dgqc_matrix_codes upper = at->units[tile], lower = at->units[tile + 1];
    const panel_steps left = panels->left, right = panels->right;
    const size_t steps = at->steps, even = (other->rows + steps - 1) / steps, some = even < FEW ? (size_t)FEW : even;
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
        if (at->product->splits) {
            STEP(DGQC_MATRIX_DOT_UNSIGNED);
        } else {
            STEP(DGQC_MATRIX_DOT);
        }
        if (lays) {
            dgqc_matrix_lay_weights(at, panels->next, s);
        }
        requantize_some(at, other, some);
    }
    DGQC_MATRIX_STORE(units, 0, to->sums, to->stride);
    DGQC_MATRIX_STORE(units, 1, to->sums + to->right, to->stride);
    DGQC_MATRIX_STORE(units, 2, to->sums + to->lower, to->stride);
    DGQC_MATRIX_STORE(units, 3, to->sums + to->lower + to->right, to->stride);
}

/* Two panels, which are ready, times all rows. column: of the product; place: of its sums, in units. */
static void multiply_columns(const dgqc_matrix_stage *at, size_t column, size_t next, size_t place, aside *other, int16_t *y)
{
    const size_t columns = at->product->panels.columns, second = column + DGQC_PANEL_COLUMNS;
    two_panels panels;
    panels.left = steps_of(at, column, at->desk->weights[0][0]);
    panels.right = at->product->splits || second < columns ? steps_of(at, second, at->desk->weights[1][0]) : panels.left;
    for (size_t r = 0; r < at->rows; r += 2 * DGQC_MATRIX_ROWS) {
        const size_t tile = r / DGQC_MATRIX_ROWS, some = at->rows - r;
        int32_t *const totals = at->desk->totals[other->totals == at->desk->totals[0]];
        const square whole = {totals, RIGHT, DGQC_MATRIX_ROWS * DGQC_TILE_COLUMNS,
                              DGQC_TILE_COLUMNS * sizeof(int32_t)};
        const square between = {at->desk->sums[tile * at->waiting + place], DGQC_MATRIX_SUMS,
                                at->waiting * DGQC_MATRIX_SUMS, DGQC_MATRIX_ROW};
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
static void multiply_part(const dgqc_matrix_stage *at, size_t from, size_t end, int16_t *y)
{
    aside other = {NULL, 0, 0, 0, NULL};
    for (size_t step = 0; step < at->steps; step++) {
        dgqc_matrix_lay_weights(at, from, step);
    }
    size_t place = 0;
    for (size_t column = from; column < end; column += at->width, place += at->first && at->last ? 0 : 2) {
        const size_t next = column + at->width < end ? column + at->width : at->product->panels.columns;
        multiply_columns(at, column, next, place, &other, y);
    }
    requantize_some(at, &other, other.rows);
}

int dgqc_matrix_splits(const dgqc_product *product, size_t rows)
{
    for (const dgqc_segment *s = product->segments; s < product->segments + product->segment_count; s++) {
        if (s->multiple < 1 || s->multiple > DGQC_MOST_SPLIT) {
            return 0;
        }
    }
    return permitted && !is_plain(product) && product->panels.bits == 8 && product->total_bits == 32 &&
           rows >= FEWEST_SPLIT_ROWS && product->panels.quads >= DGQC_MATRIX_QUADS;
}

int dgqc_matrix_takes(const dgqc_product *product, size_t count)
{
    const int plain = is_plain(product) && count >= FEWEST_ROWS && product->panels.quads >= DGQC_MATRIX_QUADS;
    return permitted && product->total_bits == 32 && (product->splits || plain);
}

/* Quads of a part, where all are as long as each other: few sums wait, and no part is a step alone. */
static size_t part_quads(size_t quads)
{
    const size_t steps = (quads + DGQC_MATRIX_QUADS - 1) / DGQC_MATRIX_QUADS;
    const size_t parts = (steps + DGQC_MATRIX_STEPS - 1) / DGQC_MATRIX_STEPS;
    return (steps + parts - 1) / parts * DGQC_MATRIX_QUADS;
}

void dgqc_matrix_rows(const dgqc_product *product, const uint8_t *const *rows, size_t count, int16_t *y)
{
    const dgqc_lines *const lines = &product->lines;
    const size_t columns = product->panels.columns, quads = dgqc_line_quads(lines);
    const size_t width = product->splits ? DGQC_PANEL_COLUMNS : 2 * DGQC_PANEL_COLUMNS;
    const size_t most = part_quads(quads);
    const int is_short = dgqc_part_from(lines, 0, most).quads == quads;
    const size_t pairs = (count + 2 * DGQC_MATRIX_ROWS - 1) / (2 * DGQC_MATRIX_ROWS);
    const size_t waiting = DGQC_MATRIX_WAITING / (4 * pairs) * 2, block = is_short ? columns : waiting / 2 * width;
    dgqc_matrix_desk desk DGQC_ALIGNED(64); /* a unit's row is one line of the cache, or two */
    dgqc_matrix_begin();
    for (size_t from = 0; from < columns; from += block) {
        for (size_t quad = 0, some; quad < quads; quad += some) {
            const dgqc_part part = dgqc_part_from(lines, quad, most);
            some = part.quads;
            dgqc_matrix_stage at = {.product = product, .part = &part, .rows = count, .desk = &desk};
            at.width = width, at.waiting = waiting;
            at.steps = (some + DGQC_MATRIX_QUADS - 1) / DGQC_MATRIX_QUADS;
            at.first = quad == 0, at.last = quad + some == quads;
            dgqc_matrix_find_rows(&at, rows);
            if (product->splits) {
                dgqc_matrix_find_quads(&at);
            }
            multiply_part(&at, from, from + block < columns ? from + block : columns, y);
        }
    }
    dgqc_matrix_end();
}
#else
int dgqc_matrix_splits(const dgqc_product *product, size_t rows)
{
    (void)product, (void)rows;
    return 0;
}

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
