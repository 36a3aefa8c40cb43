/* Convolutions by Winograd's tiles (dgqc_winograd.h), where a machine has what these take; elsewhere they are what they
 * are, with the same bits. */

#include "dgqc_requantize.h"
#include "dgqc_winograd.h"

#ifdef DGQC_WINOGRAD
enum { PLACES = DGQC_WINOGRAD_PLACES, TAPS = 9, TOTALS = DGQC_TILE_ROWS * DGQC_TILE_COLUMNS };

/* Some quads of the sum. from[i]: where those of run i begin in a tap of the panels. before: what the sums of earlier parts
 * are multiplied by. segment, done: where the next part begins, in the order of sums and in quads. */
typedef struct {
    dgqc_run runs[DGQC_WINOGRAD_SEGMENTS];
    size_t from[DGQC_WINOGRAD_SEGMENTS], count, quads;
    uint32_t before;
    size_t segment, done;
} part;

static part part_from(const dgqc_product *product, size_t segment, size_t done)
{
    part next = {.before = 1, .segment = segment, .done = done};
    while (next.segment < product->segment_count && next.quads < DGQC_WINOGRAD_QUADS) {
        const dgqc_segment *const s = product->segments + product->order[next.segment];
        const size_t left = dgqc_segment_quads(s) - next.done, room = DGQC_WINOGRAD_QUADS - next.quads;
        const size_t some = left < room ? left : room;
        const uint32_t ratio = next.done == 0 ? product->ratios[next.segment] : 1;
        dgqc_run *const run = next.runs + next.count;
        run->code = s->code + (uint32_t)(next.done * DGQC_QUAD);
        run->quad = (uint32_t)next.quads;
        run->quads = (uint32_t)some;
        run->ratio = next.count > 0 ? ratio : 1;
        next.from[next.count++] = s->first / DGQC_QUAD + next.done;
        next.before *= ratio;
        next.quads += some;
        next.done = some < left ? next.done + some : 0;
        next.segment += next.done == 0;
    }
    return next;
}

static size_t up_to_tiles(size_t columns)
{
    return (columns + DGQC_TILE_COLUMNS - 1) / DGQC_TILE_COLUMNS * DGQC_TILE_COLUMNS;
}

/* What lies after the product in shared memory: [2 lines][2 pixels][columns], then the image. */
static int32_t *offsets_of(const dgqc_product *product, uint8_t **image)
{
    void *rest = product->rest;
    int32_t *const offsets = dgqc_take(&rest, 4 * up_to_tiles(product->panels.columns) * sizeof *offsets);
    *image = rest;
    return offsets;
}

/* What each tap's weights of a panel add up to, times their groups' multiples. */
static void sum_taps(const dgqc_product *product, size_t column, uint32_t taps[TAPS][DGQC_PANEL_COLUMNS])
{
    const uint8_t *const panel = (const uint8_t *)dgqc_panel(&product->panels, column);
    const size_t quads = product->panels.quads / TAPS;
    memset(taps, 0, TAPS * sizeof *taps);
    for (size_t t = 0; t < TAPS; t++) {
        for (const dgqc_segment *s = product->segments; s < product->segments + product->segment_count; s++) {
            int32_t sums[DGQC_PANEL_COLUMNS];
            dgqc_winograd_sums(panel, t * quads + s->first / DGQC_QUAD, dgqc_segment_quads(s), sums);
            for (size_t c = 0; c < DGQC_PANEL_COLUMNS; c++) {
                taps[t][c] += (uint32_t)s->multiple * (uint32_t)sums[c];
            }
        }
    }
}

/* What the 128 that codes are raised by add to each column's totals of a tile. */
static void find_offsets(const dgqc_product *product, int doubled, int32_t *offsets)
{
    static const uint32_t of_all[2][3] = {{4, 0, 2}, {0, 2, (uint32_t)-2}}; /* A^T times ones times G */
    static const uint32_t of_doubled[2][3] = {{3, 1, 1}, {1, 1, (uint32_t)-1}}; /* without the third */
    const uint32_t(*const weigh)[3] = doubled ? of_doubled : of_all;
    const size_t columns = product->panels.columns, next = up_to_tiles(columns);
    memset(offsets, 0, 4 * next * sizeof *offsets);
    DGQC_PARALLEL_FROM(columns * product->panels.quads * DGQC_QUAD)
    for (size_t n = 0; n < columns; n += DGQC_PANEL_COLUMNS) {
        uint32_t taps[TAPS][DGQC_PANEL_COLUMNS];
        sum_taps(product, n, taps);
        for (size_t i = 0; i < 4 * DGQC_PANEL_COLUMNS; i++) {
            const size_t pixel = i / DGQC_PANEL_COLUMNS, c = i % DGQC_PANEL_COLUMNS;
            uint32_t offset = 0;
            for (size_t t = 0; t < TAPS; t++) { /* less the place that isn't raised */
                offset += (weigh[pixel / 2][t / 3] * weigh[pixel % 2][t % 3] - 1) * taps[t][c];
            }
            offsets[pixel * next + n + c] = dgqc_wrap32(128 * offset);
        }
    }
}

/* Tiles one after another, line of tiles by line of tiles, and what is ready for them. */
typedef struct {
    const dgqc_window *window;
    const dgqc_product *product;
    const uint8_t *image;
    const int32_t *offsets;
    int doubled;
    size_t first, count;
    uint8_t *codes; /* [places][count][row_bytes], as weights and sums with a gap between places */
    int8_t *weights;
    int32_t *sums; /* [places][count, up to whole tiles of rows][DGQC_TILE_COLUMNS] */
} tiles;

/* From one place to the next. */
static size_t next_codes(const tiles *of)
{
    return of->count * of->product->row_bytes + DGQC_WINOGRAD_APART;
}

static size_t next_weights(const part *some)
{
    return some->quads * DGQC_TILE_COLUMNS * DGQC_QUAD + DGQC_WINOGRAD_APART;
}

static size_t next_sums(const tiles *of)
{
    return (of->count + DGQC_TILE_ROWS - 1) / DGQC_TILE_ROWS * TOTALS + DGQC_WINOGRAD_APART / sizeof *of->sums;
}

static void change_codes(const tiles *of)
{
    const dgqc_window *const w = of->window;
    const size_t pixel = of->product->row_bytes, across = w->width / 2, line = (w->width + 2) * pixel;
    for (size_t t = 0; t < of->count; t++) {
        const size_t above = 2 * ((of->first + t) / across), image = above / w->height; /* each has two lines more */
        const uint8_t *const from = of->image + (above + 2 * image) * line + 2 * ((of->first + t) % across) * pixel;
        dgqc_winograd_codes(from, pixel, line, pixel, of->doubled, of->codes + t * pixel, next_codes(of));
    }
}

static dgqc_panels change_weights(const tiles *of, const part *some, size_t column)
{
    const dgqc_panels *const panels = &of->product->panels;
    const size_t left = panels->columns - column, columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    const size_t quads = panels->quads / TAPS, panel = some->quads * DGQC_BLOCK_BYTES;
    for (size_t c = 0; c < columns; c += DGQC_PANEL_COLUMNS) {
        int8_t *const to = of->weights + c / DGQC_PANEL_COLUMNS * panel;
        for (size_t i = 0; i < some->count; i++) {
            dgqc_winograd_weights((const uint8_t *)dgqc_panel(panels, column + c), quads, some->from[i], some->runs[i].quads,
                                  of->doubled, to + some->runs[i].quad * DGQC_BLOCK_BYTES, next_weights(some));
        }
    }
    const dgqc_panels found = {of->weights, columns, some->quads, 8};
    return found;
}

/* to = to * before + from */
static void add_part(const int32_t *from, uint32_t before, int32_t *to)
{
    for (size_t i = 0; i < TOTALS; i++) {
        to[i] = dgqc_wrap32((uint32_t)to[i] * before + (uint32_t)from[i]);
    }
}

/* The sums of all tiles and places for the columns of a panel or two. */
static void multiply(const tiles *of, size_t column)
{
    const size_t pixel = of->product->row_bytes, next = next_sums(of);
    part some = part_from(of->product, 0, 0);
    for (size_t summed = 0; some.quads > 0; summed += some.quads, some = part_from(of->product, some.segment, some.done)) {
        dgqc_panels panels = change_weights(of, &some, column);
        const dgqc_sum sum = {some.runs, some.count, 1};
        for (size_t place = 0; place < PLACES; place++) {
            const size_t count = dgqc_winograd_empty(of->doubled, place) ? 0 : of->count;
            panels.data = of->weights + place * next_weights(&some);
            for (size_t t = 0; t < count; t += DGQC_TILE_ROWS) {
                const uint8_t *const first = of->codes + place * next_codes(of) + t * pixel, *rows[DGQC_TILE_ROWS];
                const size_t left = count - t, height = left < DGQC_TILE_ROWS ? left : (size_t)DGQC_TILE_ROWS;
                int32_t more[TOTALS], *const to = of->sums + place * next + t * DGQC_TILE_COLUMNS;
                for (size_t r = 0; r < height; r++) {
                    rows[r] = first + r * pixel;
                }
                dgqc_tile(&panels, &sum, rows, height, 0, NULL, summed == 0 ? to : more);
                if (summed > 0) {
                    add_part(more, some.before, to);
                }
            }
        }
    }
}

/* Those of a line of results that are in `rows`, from the one at `first` on. y: results of `rows`, from the column on. */
static void write_line(const tiles *of, const int32_t *totals, size_t first, size_t count, size_t column, dgqc_rows rows,
                       int16_t *y)
{
    const size_t columns = of->product->panels.columns, left = columns - column, end = rows.first + rows.count;
    const size_t from = first > rows.first ? first : rows.first, to = first + count < end ? first + count : end;
    if (from < to) {
        dgqc_requantize(totals + (from - first) * DGQC_TILE_COLUMNS, to - from, column,
                        left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS, &of->product->requantizer,
                        y + (from - rows.first) * columns, columns);
    }
}

static void write(const tiles *of, size_t column, dgqc_rows rows, int16_t *y)
{
    enum { SOME = 8 }; /* side by side */
    const size_t width = of->window->width, across = width / 2, next = up_to_tiles(of->product->panels.columns);
    const uint32_t last = of->product->accumulations->sum.last;
    for (size_t t = 0, some; t < of->count; t += some) {
        int32_t upper[SOME * 2 * DGQC_TILE_COLUMNS], lower[SOME * 2 * DGQC_TILE_COLUMNS];
        const size_t line = (of->first + t) / across, place = (of->first + t) % across, left = across - place;
        some = of->count - t < SOME ? of->count - t : (size_t)SOME;
        some = some < left ? some : left;
        for (size_t i = 0; i < some; i++) {
            const size_t pixel = i * 2 * DGQC_TILE_COLUMNS;
            dgqc_winograd_totals(of->sums + (t + i) * DGQC_TILE_COLUMNS, next_sums(of), of->offsets + column, next, last,
                                 of->doubled, upper + pixel, lower + pixel);
        }
        write_line(of, upper, 2 * line * width + 2 * place, 2 * some, column, rows, y);
        write_line(of, lower, (2 * line + 1) * width + 2 * place, 2 * some, column, rows, y);
    }
}

/* Matrix units multiply faster than tiles can be changed; weights of 8 bits may be small, too. */
static int takes(const dgqc_conv2d_parameters *p)
{
    return p->weights.panels.bits < 8 && !dgqc_matrix_permitted();
}
#endif

void dgqc_winograd_prepare(const dgqc_conv2d_parameters *p, size_t step, const uint8_t *x, void *shared)
{
#ifdef DGQC_WINOGRAD
    if (takes(p)) {
        const dgqc_window *const w = &p->window;
        const dgqc_taps taps = {3, 3, w->width + 2};
        dgqc_combination apart = p->combination;
        uint8_t *image;
        apart.absorbs = 0;
        const dgqc_product *const product = dgqc_product_prepare(&p->weights, &p->operand, &apart, w->channels, &taps,
                                                                 w->out_height * w->out_width, step, shared);
        int32_t *const offsets = offsets_of(product, &image);
        find_offsets(product, p->doubled, offsets);
        dgqc_conv2d_image(w, product, x, image);
        return;
    }
#endif
    dgqc_conv2d_prepare(p, step, x, shared);
}

void dgqc_winograd_rows(const dgqc_conv2d_parameters *p, size_t step, dgqc_rows rows, int16_t *y, const void *shared,
                        void *scratch)
{
#ifdef DGQC_WINOGRAD
    if (takes(p)) {
        const dgqc_product *const product = shared;
        const size_t across = p->window.width / 2, pair = 2 * p->window.width;
        const size_t end = (rows.first + rows.count + pair - 1) / pair * across;
        uint8_t *image;
        const int32_t *const offsets = offsets_of(product, &image);
        tiles some = {
            .window = &p->window, .product = product, .image = image, .offsets = offsets, .doubled = p->doubled};
        some.weights = dgqc_take(&scratch, DGQC_WINOGRAD_WEIGHTS);
        some.sums = dgqc_take(&scratch, DGQC_WINOGRAD_SUMS);
        some.codes = scratch;
        for (some.first = rows.first / pair * across; some.first < end; some.first += some.count) {
            some.count = end - some.first < DGQC_WINOGRAD_TILES ? end - some.first : (size_t)DGQC_WINOGRAD_TILES;
            change_codes(&some);
            for (size_t column = 0; column < product->panels.columns; column += DGQC_TILE_COLUMNS) {
                multiply(&some, column);
                write(&some, column, rows, y + column);
            }
        }
        return;
    }
#endif
    (void)scratch;
    dgqc_conv2d_rows(p, step, rows, y, shared);
}
