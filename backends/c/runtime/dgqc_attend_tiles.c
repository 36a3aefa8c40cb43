/* Probabilities times values, tile by tile (dgqc_tile.h). Codes that are probabilities are multiplied as they are; else their
 * limbs are, one by one. Segments of keys are added up one by one, since each has its own zero and multiple. */

#include "dgqc_attend.h"
#include "dgqc_lanes_bytes.h"

/* What tiles of some rows multiply: the limbs of probabilities, and what they add up to in each segment. */
typedef struct {
    const uint8_t *bytes[DGQC_LIMBS][DGQC_TILE_ROWS];
    int64_t (*sums)[DGQC_TILE_ROWS]; /* [segments] */
    size_t count, limbs;
} probability_rows;

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

/* One limb of a row: where its codes lie, or in scratch memory, if they aren't codes, or if no other row lies
 * after it where the last quad ends. */
static const uint8_t *bytes_of(const dgqc_attend_parameters *p, const uint8_t *limbs, const uint8_t *codes, int is_last,
                               uint8_t *scratch)
{
    if (p->limbs > 0) {
        look_up(limbs, p->codes, codes, p->keys, scratch);
    } else if (is_last && p->keys % DGQC_QUAD > 0) {
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
    probability_rows rows = {.count = count, .limbs = p->limbs > 0 ? (size_t)p->limbs : 1};
    rows.sums = dgqc_take(&scratch, dgqc_attend_segments(p) * sizeof *rows.sums);
    uint8_t *to = scratch;
    for (size_t limb = 0; limb < rows.limbs; limb++, limbs += DGQC_CODES) {
        for (size_t r = 0; r < count; r++, to += p->limbs > 0 ? stride : 0) {
            const uint8_t *const bytes = bytes_of(p, limbs, codes + r * p->keys, r + 1 == count, to);
            rows.bytes[limb][r] = bytes;
            for (DGQC_EVERY_SEGMENT(p, segment)) {
                const int64_t sum = sum_of(bytes + segment.first, segment.end - segment.first) * ((int64_t)1 << (8 * limb));
                rows.sums[segment.index][r] = limb > 0 ? rows.sums[segment.index][r] + sum : sum;
            }
        }
    }
    return rows;
}

/* totals[r][c] += factor * (parts[r][c] - less[r]), of the first columns. */
static void add_parts(const int32_t *parts, size_t rows, size_t columns, int32_t factor, const int32_t *less,
                      int64_t totals[DGQC_TILE_ROWS][DGQC_TILE_COLUMNS])
{
    for (size_t r = 0; r < rows; r++, parts += DGQC_TILE_COLUMNS) {
        for (size_t c = 0; c < columns; c += LANES) {
            const lanes part = lanes_subtract(lanes_load(parts + c), lanes_splat(less[r]));
            lanes_add_products(totals[r] + c, part, lanes_splat(factor));
        }
    }
}

/* totals[r][c] = probabilities times the bytes of columns column .. column + DGQC_TILE_COLUMNS - 1: as they are stored, or with
 * groups of keys as what they stand for. A segment's part of it fits 32 bits before it is multiplied. */
static void add_segments(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const dgqc_panels *panels,
                      const probability_rows *rows, size_t column, int64_t totals[DGQC_TILE_ROWS][DGQC_TILE_COLUMNS])
{
    const size_t left = panels->columns - column, columns = left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS;
    memset(totals, 0, DGQC_TILE_ROWS * sizeof *totals);
    for (DGQC_EVERY_SEGMENT(p, segment)) {
        const dgqc_run run = {(uint32_t)(segment.first / DGQC_QUAD * DGQC_QUAD), (uint32_t)segment.quad,
                              (uint32_t)dgqc_attend_segment_quads(&segment), 1};
        const dgqc_sum sum = {&run, 1, 1};
        int32_t less[DGQC_TILE_ROWS] = {0}, parts[DGQC_TILE_ROWS * DGQC_TILE_COLUMNS];
        for (size_t r = 0; p->segments > 0 && r < rows->count; r++) {
            less[r] = (s->zero[segment.first] - 128) * (int32_t)rows->sums[segment.index][r];
        }
        for (size_t limb = 0; limb < rows->limbs; limb++) {
            const int32_t factor = p->segments > 0 ? s->multiple[segment.first] : 1 << (8 * limb);
            dgqc_tile(panels, &sum, rows->bytes[limb], rows->count, column, NULL, parts);
            add_parts(parts, rows->count, columns, factor, less, totals);
        }
    }
}

/* What a tile's columns bring along: zero and multiple of each value, where they have groups, and the start token's. */
typedef struct {
    int32_t zero[DGQC_TILE_COLUMNS], multiple[DGQC_TILE_COLUMNS];
    int64_t start[DGQC_TILE_COLUMNS];
} tile_columns;

static void read_columns(const dgqc_attend_parameters *p, const dgqc_attend_shared *s, const void *values, size_t first,
                         size_t count, tile_columns *columns)
{
    const int grouped = p->value_bytes == 1 && p->segments == 0;
    for (size_t c = 0; c < DGQC_TILE_COLUMNS; c++) {
        const size_t d = first + (c < count ? c : 0);
        columns->zero[c] = grouped ? s->zero[d] - 128 : 0; /* bytes are stored 128 lower */
        columns->multiple[c] = grouped ? s->multiple[d] : 1;
        columns->start[c] = p->start ? dgqc_attend_value(p, s, values, 0, d) : 0;
    }
}

/* y[c] for all of a tile's columns: those beyond the matrix mean nothing. probabilities: the sum of row r's. */
static void finish_row(const dgqc_attend_parameters *p, const tile_columns *columns, const dgqc_attend_scale *scale,
                       const dgqc_attend_block *block, size_t r, int64_t probabilities, const int64_t *totals, int16_t *y)
{
    const dgqc_attend_scale by = *scale;
    const dgqc_attend_block row = *block;
    if (p->value_bytes == 2) {
        for (size_t c = 0; c < DGQC_TILE_COLUMNS / 2; c++) {
            const int64_t total = totals[2 * c] + 256 * totals[2 * c + 1] + 128 * probabilities;
            y[c] = dgqc_attend_finish(&by, &row, r, total, columns->start[c]);
        }
        return;
    }
    for (size_t c = 0; c < DGQC_TILE_COLUMNS; c++) {
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
    for (size_t column = 0; column < panels.columns; column += DGQC_TILE_COLUMNS) {
        const size_t left = panels.columns - column, first = column / size;
        const size_t some = (left < DGQC_TILE_COLUMNS ? left : (size_t)DGQC_TILE_COLUMNS) / size;
        int64_t totals[DGQC_TILE_ROWS][DGQC_TILE_COLUMNS];
        tile_columns columns;
        read_columns(p, s, values, first, some, &columns);
        add_segments(p, s, &panels, &rows, column, totals);
        for (size_t i = 0; i < count; i++) {
            int16_t y[DGQC_TILE_COLUMNS];
            finish_row(p, &columns, scale, block, r + i, rows.sums[0][i], totals[i], y);
            dgqc_copy_short(y, some * sizeof *y, block->y + (r + i) * p->columns + first);
        }
    }
}
