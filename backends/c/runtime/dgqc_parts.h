/* A plain sum, some quads at a time: lines of taps, whose codes and weights follow one another. */
#ifndef DGQC_PARTS_H
#define DGQC_PARTS_H

#include "dgqc_tile.h"

enum { DGQC_PART_RUNS = 8 };

/* A window's lines in a row's codes: how many, quads of each, and bytes from one to the next. A matrix is one line. */
typedef struct {
    size_t count, quads, bytes;
} dgqc_lines;

static inline size_t dgqc_line_quads(const dgqc_lines *lines)
{
    return lines->count * lines->quads;
}

/* Runs that together are `quads` quads of the sum from `quad` on; theirs begin at 0. */
typedef struct {
    size_t quad, quads;
    dgqc_run runs[DGQC_PART_RUNS];
    size_t count;
} dgqc_part;

/* The part of a sum that follows the first `quad` quads: at most so many. */
static inline dgqc_part dgqc_part_from(const dgqc_lines *lines, size_t quad, size_t most)
{
    dgqc_part next = {quad, 0, {{0, 0, 0, 1}}, 0};
    for (size_t line = quad / lines->quads; line < lines->count; line++) {
        const size_t skipped = quad + next.quads - line * lines->quads;
        const size_t left = lines->quads - skipped, room = most - next.quads;
        if (room > 0 && next.count < DGQC_PART_RUNS) {
            dgqc_run *const own = next.runs + next.count++;
            own->code = (uint32_t)(line * lines->bytes + skipped * DGQC_QUAD);
            own->quad = (uint32_t)next.quads;
            own->quads = (uint32_t)(left < room ? left : room);
            own->ratio = 1;
            next.quads += own->quads;
        }
    }
    return next;
}

#endif
