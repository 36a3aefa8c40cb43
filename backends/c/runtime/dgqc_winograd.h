/* Convolutions of 3x3 taps by Winograd's F(2x2, 3x3): the four results of a tile come from 4x4 pixels by 16 products a
 * channel, in the place of 36. With patches d and taps g,
 *
 *     Y = A^T ((G g G^T) * (B^T d B)) A,     summed over channels before A,
 *
 * and G twice Winograd's own, all of it is in integers, and Y four times the sums, exactly:
 *
 *           1  0 -1  0           2  0  0
 *     B^T = 0  1  1  0       G = 1  1  1       A^T = 1  1  1  0
 *           0 -1  1  0           1 -1  1             0  1 -1 -1
 *           0  1  0 -1           0  0  2
 *
 * Codes of 6 bits and weights of 4 become bytes: places of a patch lie in -126 .. 126 and are raised by 128, but for the
 * one of sums alone, in 0 .. 252; places of a weight lie in -72 .. 72. So there are 16 products of rows of codes and
 * panels, one for each place, which dgqc_tile multiplies. What raising adds is known for each column. Groups' multiples
 * have no room in such weights: they stay between runs.
 *
 * Of an image that was doubled to the nearest pixel the two in the middle of a patch are the same, so that the third of
 * B^T d is 0, and with it 7 of the 16 places: 9 products are left of 36. */
#ifndef DGQC_WINOGRAD_H
#define DGQC_WINOGRAD_H

#include "dgqc_product.h"
#include "dgqc_bytes.h" /* whose type `bytes` is what others call a number of them */

#if defined(DGQC_UNPACKS) && defined(bytes_load)
#define DGQC_WINOGRAD
#endif

/* Tiles at once, whose patches stay in a core's cache or near it; quads of the sum at once; and segments at most. */
#define DGQC_WINOGRAD_TILES 32
#define DGQC_WINOGRAD_QUADS 96
#define DGQC_WINOGRAD_SEGMENTS 16
#define DGQC_WINOGRAD_PLACES 16
/* Bytes of a thread's scratch memory: weights of one part for a tile's columns, and sums of all tiles. */
#define DGQC_WINOGRAD_WEIGHTS 197632
#define DGQC_WINOGRAD_SUMS 66560
/* Bytes between places: a power of two from each other, all would lie in the same few lines of the first cache. */
#define DGQC_WINOGRAD_APART 64

enum {
    DGQC_WINOGRAD_PANELS = DGQC_WINOGRAD_QUADS * DGQC_TILE_COLUMNS * DGQC_QUAD,
    DGQC_WINOGRAD_TOTALS = (DGQC_WINOGRAD_TILES + DGQC_TILE_ROWS - 1) / DGQC_TILE_ROWS * DGQC_TILE_ROWS * DGQC_TILE_COLUMNS * 4
};
#define DGQC_WINOGRAD_FIT(bytes, room) (DGQC_WINOGRAD_PLACES * ((bytes) + DGQC_WINOGRAD_APART) <= (room) ? 1 : -1)
typedef char dgqc_winograd_weights_fit[DGQC_WINOGRAD_FIT(DGQC_WINOGRAD_PANELS, DGQC_WINOGRAD_WEIGHTS)];
typedef char dgqc_winograd_sums_fit[DGQC_WINOGRAD_FIT(DGQC_WINOGRAD_TOTALS, DGQC_WINOGRAD_SUMS)];

/* Whether a place of a doubled image is 0, and neither written nor read below. */
static inline int dgqc_winograd_empty(int doubled, size_t place)
{
    return doubled && (place / 4 == 2 || place % 4 == 2);
}

/* The places of one patch: y[place * next_place + k], k < count, of pixels next_pixel bytes from each other, and lines
 * next_line. count: at least 64. */
void dgqc_winograd_codes(const uint8_t *x, size_t next_pixel, size_t next_line, size_t count, int doubled, uint8_t *y,
                         size_t next_place);

/* The places of the weights of one panel of 4 bits, whose taps have tap_quads quads each: y[place * next_place + q * 64 + i]
 * for `count` quads from number `quad` of each tap on. */
void dgqc_winograd_weights(const uint8_t *panel, size_t tap_quads, size_t quad, size_t count, int doubled, int8_t *y,
                           size_t next_place);

/* What the weights of `count` quads of a panel of 4 bits, from quad `first` on, add up to for each of its columns. */
void dgqc_winograd_sums(const uint8_t *panel, size_t first, size_t count, int32_t sums[DGQC_PANEL_COLUMNS]);

/* One tile's totals, of two pixels in its upper line and two in its lower: each [2][DGQC_TILE_COLUMNS], of
 * sums[place * next_place + c] * last - offsets[pixel * next_pixel + c]. */
void dgqc_winograd_totals(const int32_t *sums, size_t next_place, const int32_t *offsets, size_t next_pixel, uint32_t last,
                          int doubled, int32_t *upper, int32_t *lower);

#endif
