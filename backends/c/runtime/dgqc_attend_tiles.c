/* Probabilities times values, tile by tile (dgqc_tile.h), or strip by strip where there are matrix units. Codes that are probabilities are multiplied as they are; else their
 * limbs are, one by one. Segments of keys are added up one by one, since each has its own zero and multiple. */

#include "dgqc_attend.h"
#include "dgqc_lanes_bytes.h"
#include "dgqc_matrix_strip.h"

#ifdef DGQC_MATRIX
enum { COLUMNS = DGQC_STRIP_COLUMNS };
#else
enum { COLUMNS = DGQC_TILE_COLUMNS };
#endif

/* Rows that are computed at once, and the limbs of their probabilities; what these add up to in each segment, `count` of
 * them after one another; whether matrix units multiply them, and how many columns at once. */
typedef struct {
    const uint8_t *bytes[DGQC_LIMBS][DGQC_ATTEND_ROWS];
    int64_t *sums; /* [segments][count] */
    size_t count, limbs;
    int on_units;
    size_t columns;
} probability_rows;

size_t dgqc_attend_rows_at_once(void)
{
    return dgqc_matrix_permitted() ? (size_t)DGQC_ATTEND_ROWS : (size_t)DGQC_TILE_ROWS;
}

/* y[i] = table[x[i]] */
static void look_up(const uint8_t *table, size_t codes, const uint8_t *x, size_t count, uint8_t *y)
{
    size_t i = 0;
#if LANES > 1
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
        lanes_store_words(y + i, lanes_lookup(table, codes, lanes_load_words(x + i)));
    }
#endif
    (void)codes;
    for (; i < count; i++) {
        y[i] = table[x[i]];
    }
}

static int64_t sum_of(const uint8_t *bytes, size_t count)
{
#if LANES > 1
    enum { VECTOR = 4 * LANES };
    const lanes ones = lanes_splat(0x01010101);
    lanes a = lanes_splat(0), b = a, c = a, d = a; /* so that none waits for itself */
    for (; count >= 4 * VECTOR; count -= 4 * VECTOR, bytes += 4 * VECTOR) {
        a = lanes_dot_codes(a, lanes_load_words(bytes), ones);
        b = lanes_dot_codes(b, lanes_load_words(bytes + VECTOR), ones);
        c = lanes_dot_codes(c, lanes_load_words(bytes + 2 * VECTOR), ones);
        d = lanes_dot_codes(d, lanes_load_words(bytes + 3 * VECTOR), ones);
    }
    for (; count >= VECTOR; count -= VECTOR, bytes += VECTOR) {
        a = lanes_dot_codes(a, lanes_load_words(bytes), ones);
    }
    b = lanes_dot_codes(b, lanes_load_bytes_some(bytes, count), ones);
    return long_lanes_total(lanes_widen_unsigned(lanes_add(lanes_add(a, b), lanes_add(c, d))));
#else
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += bytes[i];
    }
    return sum;
#endif
}

/* One limb of a row: where its codes lie, or in scratch memory, if they aren't codes, or if it `moves` there. */
static const uint8_t *bytes_of(const dgqc_attend_parameters *p, const uint8_t *limbs, const uint8_t *codes, int moves,
                               uint8_t *scratch)
{
    if (p->limbs > 0) {
        look_up(limbs, p->codes, codes, p->keys, scratch);
    } else if (moves) {
        dgqc_copy_short(codes, p->keys, scratch);
    } else {
        return codes;
    }
    return scratch;
}

static probability_rows rows_of(const dgqc_attend_parameters *p, const uint8_t *limbs, const uint8_t *codes, size_t count,
                          void *scratch)
{
    const size_t stride = (p->keys + DGQC_QUAD - 1) / DGQC_QUAD * DGQC_QUAD;
    const int on_units = dgqc_matrix_permitted();
    probability_rows rows = {.count = count,
                             .limbs = p->limbs > 0 ? (size_t)p->limbs : 1,
                             .on_units = on_units,
                             .columns = on_units ? (size_t)COLUMNS : (size_t)DGQC_TILE_COLUMNS};
    rows.sums = dgqc_take(&scratch, dgqc_attend_segments(p) * count * sizeof *rows.sums);
    uint8_t *to = scratch;
    for (size_t limb = 0; limb < rows.limbs; limb++, limbs += DGQC_CODES) {
        for (size_t r = 0; r < count; r++) {
            /* No other row lies after the last one, where its last quad ends; and units want all as far from each other. */
            const int moves = p->limbs > 0 || (p->keys % DGQC_QUAD > 0 && (on_units || r + 1 == count));
            const uint8_t *const bytes = bytes_of(p, limbs, codes + r * p->keys, moves, to);
            rows.bytes[limb][r] = bytes;
            to += moves ? stride : 0;
            for (DGQC_EVERY_SEGMENT(p, segment)) {
                int64_t *const sums = rows.sums + segment.index * count;
                const int64_t sum = sum_of(bytes + segment.first, segment.end - segment.first) * ((int64_t)1 << (8 * limb));
                sums[r] = limb > 0 ? sums[r] + sum : sum;
            }
        }
    }
    return rows;
}

/* totals[r][c] += factor * (parts[r][c] - less[r]), of the first columns. */
static void add_parts(const int32_t *parts, size_t stride, size_t rows, size_t columns, int32_t factor, const int32_t *less,
                      int64_t totals[DGQC_ATTEND_ROWS][COLUMNS])
{
    for (size_t r = 0; r < rows; r++, parts += stride) {
        for (size_t c = 0; c < columns; c += LANES) {
            const lanes part = lanes_subtract(lanes_load(parts + c), lanes_splat(less[r]));
            lanes_add_products(totals[r] + c, part, lanes_splat(factor));
        }
    }
}

/* Probabilities, a limb of them, times a segment's bytes of the columns from `column` on. Returns how far it is from a row's
 * parts to the next one's. */
static size_t multiply(const dgqc_panels *panels, const dgqc_attend_segment *segment, const probability_rows *rows,
                       size_t limb, size_t column, int32_t *parts)
{
    const uint8_t *const *const bytes = rows->bytes[limb];
    const size_t code = segment->first / DGQC_QUAD * DGQC_QUAD, quads = dgqc_attend_segment_quads(segment);
#ifdef DGQC_MATRIX
    if (rows->on_units) {
        const size_t left = (panels->columns - column + DGQC_PANEL_COLUMNS - 1) / DGQC_PANEL_COLUMNS;
        const int8_t *const weights = (const int8_t *)dgqc_panel(panels, column) + segment->quad * DGQC_BLOCK_BYTES;
        const dgqc_strip strip = {.codes = bytes[0] + code,
                                  .stride = rows->count > 1 ? (size_t)(bytes[1] - bytes[0]) : 0,
                                  .weights = (const uint8_t *)weights,
                                  .panel = dgqc_panel_bytes(panels),
                                  .panels = left < DGQC_STRIP_PANELS ? left : (size_t)DGQC_STRIP_PANELS,
                                  .depth = quads * DGQC_QUAD,
                                  .have_signs = 1};
        DGQC_MATRIX_HELD(units)
        DGQC_MATRIX_SHAPE(units, rows->count, dgqc_strip_last(strip.depth));
        dgqc_strip_multiply(&units, &strip, parts);
        return DGQC_STRIP_COLUMNS;
    }
#endif
    const dgqc_run run = {(uint32_t)code, (uint32_t)segment->quad, (uint32_t)quads, 1};
    const dgqc_sum sum = {&run, 1, 1};
    dgqc_tile(panels, &sum, bytes, rows->count, column, NULL, parts);
    return DGQC_TILE_COLUMNS;
}

/* totals[r][c] = probabilities times the bytes of columns from `column` on: as they are stored, or with groups of keys as
 * what they stand for. A segment's part of it fits 32 bits before it is multiplied. */
static void add_segments(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const dgqc_panels *panels,
                         const probability_rows *rows, size_t column, int64_t totals[DGQC_ATTEND_ROWS][COLUMNS])
{
    const size_t left = panels->columns - column, columns = left < rows->columns ? left : rows->columns;
    memset(totals, 0, rows->count * sizeof *totals);
    for (DGQC_EVERY_SEGMENT(p, segment)) {
        int32_t less[DGQC_ATTEND_ROWS] = {0}, parts[DGQC_ATTEND_ROWS * COLUMNS];
        for (size_t r = 0; p->segments > 0 && r < rows->count; r++) {
            less[r] = (s->zero[segment.first] - 128) * (int32_t)rows->sums[segment.index * rows->count + r];
        }
        for (size_t limb = 0; limb < rows->limbs; limb++) {
            const int32_t factor = p->segments > 0 ? s->multiple[segment.first] : 1 << (8 * limb);
            const size_t stride = multiply(panels, &segment, rows, limb, column, parts);
            add_parts(parts, stride, rows->count, columns, factor, less, totals);
        }
    }
}

/* What columns bring along, `count` of them, up to a whole panel: zero and multiple of each value, where they have groups, and
 * the start token's. */
typedef struct {
    int32_t zero[COLUMNS], multiple[COLUMNS];
    int64_t start[COLUMNS];
    size_t count;
} some_columns;

static void read_columns(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, size_t first,
                         size_t count, some_columns *columns)
{
    const int grouped = p->value_bytes == 1 && p->segments == 0;
    columns->count = (count * (size_t)p->value_bytes + DGQC_PANEL_COLUMNS - 1) / DGQC_PANEL_COLUMNS * DGQC_PANEL_COLUMNS;
    for (size_t c = 0; c < columns->count; c++) {
        const size_t d = first + (c < count ? c : 0);
        columns->zero[c] = grouped ? s->zero[d] - 128 : 0; /* bytes are stored 128 lower */
        columns->multiple[c] = grouped ? s->multiple[d] : 1;
        columns->start[c] = p->start ? dgqc_attend_value(p, s, values, 0, d) : 0;
    }
}

/* y[c] for all columns: those beyond the matrix mean nothing. probabilities: the sum of row r's. */
static void finish_row(const dgqc_attend_parameters *p, const some_columns *columns, const dgqc_attend_scale *scale,
                       const dgqc_attend_block *block, size_t r, int64_t probabilities, const int64_t *totals, int16_t *y)
{
    const dgqc_attend_scale by = *scale;
    const dgqc_attend_block row = *block;
    if (p->value_bytes == 2) {
        for (size_t c = 0; c < columns->count / 2; c++) {
            const int64_t total = totals[2 * c] + 256 * totals[2 * c + 1] + 128 * probabilities;
            y[c] = dgqc_attend_finish(&by, &row, r, total, columns->start[c]);
        }
        return;
    }
    for (size_t c = 0; c < columns->count; c++) {
        const int64_t total = columns->multiple[c] * (totals[c] - columns->zero[c] * probabilities);
        y[c] = dgqc_attend_finish(&by, &row, r, total, columns->start[c]);
    }
}

void dgqc_attend_tiles(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values,
                       const int8_t *data, const dgqc_attend_scale *scale, const dgqc_attend_block *block, size_t r,
                       size_t count, void *scratch)
{
    const dgqc_panels panels = dgqc_attend_panels(p, data);
    const probability_rows rows = rows_of(p, s->limbs, block->codes + r * p->keys, count, scratch);
    const size_t size = (size_t)p->value_bytes;
    for (size_t column = 0; column < panels.columns; column += rows.columns) {
        const size_t left = panels.columns - column, first = column / size;
        const size_t some = (left < rows.columns ? left : rows.columns) / size;
        int64_t totals[DGQC_ATTEND_ROWS][COLUMNS];
        some_columns columns;
        read_columns(p, s, values, first, some, &columns);
        add_segments(p, s, &panels, &rows, column, totals);
        for (size_t i = 0; i < count; i++) {
            int16_t y[COLUMNS];
            finish_row(p, &columns, scale, block, r + i, rows.sums[i], totals[i], y);
            dgqc_copy_short(y, some * sizeof *y, block->y + (r + i) * p->columns + first);
        }
    }
#ifdef DGQC_MATRIX
    if (rows.on_units) {
        dgqc_matrix_end();
    }
#endif
}
