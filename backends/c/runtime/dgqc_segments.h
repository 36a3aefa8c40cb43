/* Groups of channels as segments of the summed axis, for the products of 8-bit codes. */
#ifndef DGQC_SEGMENTS_H
#define DGQC_SEGMENTS_H

#include "dgqc_tile.h"

/* Neighbouring channels of one group, and where their codes go in a row: each segment fills the quads of the panels that
 * it touches, with zeros for the channels of the segments before and after it. */
typedef struct {
    uint32_t first, count; /* channels */
    uint32_t code;         /* bytes from the row's start, of the channel first / 4 * 4 */
    int32_t zero, multiple;
} dgqc_segment;

#define DGQC_SEGMENT_BYTES 20
typedef char dgqc_a_segment_fits[sizeof(dgqc_segment) <= DGQC_SEGMENT_BYTES ? 1 : -1];

/* The segments of `channels` channels at a step. Groups along the other axis: one segment, zero 0, multiple 1. */
void dgqc_find_segments(const dgqc_operand *operand, size_t channels, size_t step, dgqc_segment *segments);

/* Orders the segments first .. end - 1 so that Horner's rule can combine them, and finds the ratios: order[i] is the i-th segment
 * to be summed, from i = first on. Returns dgqc_sum.last. */
uint32_t dgqc_order_segments(const dgqc_segment *segments, size_t first, size_t end, uint32_t *order, uint32_t *ratios);

static inline uint32_t dgqc_segment_quads(const dgqc_segment *segment)
{
    return (segment->first + segment->count + DGQC_QUAD - 1) / DGQC_QUAD - segment->first / DGQC_QUAD;
}

/* Codes of rows, or of pixels, as the tiles read them, from rows that are x_bytes apart to rows that are y_bytes
 * apart. A row of y holds what all segments fill, and no more is written. */
void dgqc_spread_rows(const dgqc_segment *segments, size_t count, size_t rows, const uint8_t *x, size_t x_bytes,
                      uint8_t *y, size_t y_bytes);

/* The same of one row of ones, and of one that holds the zero points (0 .. 255). */
void dgqc_spread_ones(const dgqc_segment *segments, size_t count, uint8_t *y);
void dgqc_spread_zeros(const dgqc_segment *segments, size_t count, uint8_t *y);

/* The zero points of all channels in their order, in a row of y_bytes that ends with zeros. */
void dgqc_plain_zeros(const dgqc_segment *segments, size_t count, size_t y_bytes, uint8_t *y);

#endif
