/* A plain sum, some quads at a time: runs that follow one another in the panels. */
#ifndef DGQC_PARTS_H
#define DGQC_PARTS_H

#include "dgqc_tile.h"

enum { DGQC_PART_RUNS = 8 };

/* Runs that together are `quads` quads of the panels from `quad` on; theirs begin at 0. */
typedef struct {
    size_t quad, quads;
    dgqc_run runs[DGQC_PART_RUNS];
    size_t count;
} dgqc_part;

/* The part of a plain sum that follows the first `quad` quads: at most so many. */
static inline dgqc_part dgqc_part_from(const dgqc_sum *sum, size_t quad, size_t most)
{
    dgqc_part next = {quad, 0, {{0, 0, 0, 1}}, 0};
    for (const dgqc_run *run = sum->runs; run < sum->runs + sum->count; run++) {
        const size_t done = quad + next.quads, room = most - next.quads;
        if (done < run->quad + run->quads && room > 0 && next.count < DGQC_PART_RUNS) {
            const size_t skipped = done - run->quad, left = run->quads - skipped;
            dgqc_run *const own = next.runs + next.count++;
            own->code = run->code + (uint32_t)(skipped * DGQC_QUAD);
            own->quad = (uint32_t)next.quads;
            own->quads = (uint32_t)(left < room ? left : room);
            own->ratio = 1;
            next.quads += own->quads;
        }
    }
    return next;
}

#endif
