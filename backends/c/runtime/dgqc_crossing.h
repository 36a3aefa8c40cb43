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

/* Planes of codes, block^2 for each of the picture's channels. factor: what a code is worth, in 2^-24 bytes. */
typedef struct {
    size_t channels, height, width, block;
    int64_t factor;
} dgqc_picture;

/* Bytes of pixels, -1 as 0 and 1 as 255: (height block, width block, channels). */
void dgqc_pixels(const dgqc_picture *p, const int16_t *x, uint8_t *y);

#endif
