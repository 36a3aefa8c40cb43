/* Codes and weights as matrix units load them. */

#include "dgqc_matrix_desk.h"

#ifdef DGQC_MATRIX
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

/* Whether rows can be loaded where they are: no step may have the end of a run in it. */
static int find_steps(dgqc_matrix_stage *at)
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

void dgqc_matrix_find_rows(dgqc_matrix_stage *at, const uint8_t *const *rows)
{
    const int whole = find_steps(at);
    for (size_t r = 0, tile = 0; r < at->rows; r += DGQC_MATRIX_ROWS, tile++) {
        const size_t left = at->rows - r, some = left < DGQC_MATRIX_ROWS ? left : (size_t)DGQC_MATRIX_ROWS;
        dgqc_matrix_codes *const unit = at->units + tile;
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

void dgqc_matrix_find_quads(const dgqc_matrix_stage *at)
{
    const dgqc_product *const product = at->product;
    const size_t pixel = product->row_bytes / DGQC_QUAD;
    const dgqc_segment *segment = product->segments, *const end = segment + product->segment_count;
    for (size_t q = 0, place = at->part->quad % pixel; q < at->part->quads; q++, place++) {
        uint32_t multiple[DGQC_QUAD];
        if (place == pixel) {
            place = 0, segment = product->segments;
        }
        for (size_t k = 0, channel = place * DGQC_QUAD; k < DGQC_QUAD; k++, channel++) {
            /* What is beyond the last channel has weights of 0. */
            while (segment + 1 < end && channel >= segment->first + segment->count) {
                segment++;
            }
            multiple[k] = (uint32_t)segment->multiple;
        }
        at->desk->split[q] = dgqc_split_quad_of(multiple);
    }
}

/* One step of a panel whose weights are a byte each, but for those that are loaded as they lie: panels of 8 bits, where a
 * step needs no zeros at its end. */
static void lay_step(const dgqc_matrix_stage *at, const int8_t *panel, size_t first, size_t quads, int8_t *to)
{
    if (at->product->absorbs) {
        dgqc_unpack((const uint8_t *)panel, &at->product->multiples, first, quads, to);
    } else if (quads < DGQC_MATRIX_QUADS) {
        memcpy(to, panel + first * DGQC_BLOCK_BYTES, quads * DGQC_BLOCK_BYTES);
    }
}

void dgqc_matrix_lay_weights(const dgqc_matrix_stage *at, size_t column, size_t step)
{
    const dgqc_panels *const panels = &at->product->panels;
    int8_t *const left = at->desk->weights[0][step], *const right = at->desk->weights[1][step];
    const size_t begin = step * DGQC_MATRIX_QUADS, rest = at->part->quads - begin, first = at->part->quad + begin;
    const size_t quads = rest < DGQC_MATRIX_QUADS ? rest : (size_t)DGQC_MATRIX_QUADS;
    if (at->product->splits) {
        dgqc_two_bytes(dgqc_panel(panels, column) + first * DGQC_BLOCK_BYTES, at->desk->split + begin, quads, left, right);
    } else {
        lay_step(at, dgqc_panel(panels, column), first, quads, left);
        if (column + DGQC_PANEL_COLUMNS < panels->columns) {
            lay_step(at, dgqc_panel(panels, column + DGQC_PANEL_COLUMNS), first, quads, right);
        }
    }
    if (quads < DGQC_MATRIX_QUADS) {
        memset(left + quads * DGQC_BLOCK_BYTES, 0, (DGQC_MATRIX_QUADS - quads) * DGQC_BLOCK_BYTES);
        memset(right + quads * DGQC_BLOCK_BYTES, 0, (DGQC_MATRIX_QUADS - quads) * DGQC_BLOCK_BYTES);
    }
}
#endif
