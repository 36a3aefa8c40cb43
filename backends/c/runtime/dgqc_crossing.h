/* From one program's integers to another's (ir/crossing.py). */
#ifndef DGQC_CROSSING_H
#define DGQC_CROSSING_H

#include <stddef.h>
#include <stdint.h>

#include "dgqc_symbols.h"

/* Codes of another scale: factors in turn, each for `run` elements. */
typedef struct {
    size_t run, period;
    const int32_t *factor, *shift;
} dgqc_crossing;

void dgqc_cross(const dgqc_crossing *c, size_t count, const int16_t *x, int16_t *y);
/* Codes of planes as bytes of pixels, -1 as 0 and 1 as 255. factor: what a code is worth, in 2^-24 bytes. */
void dgqc_pixels(size_t channels, size_t plane, int64_t factor, const int16_t *x, uint8_t *y);

#endif
