/* Weights of 4 bits as bytes, each times the multiple of its channel's group: what makes a product of any number of groups
 * a plain one. A byte holds -8 times 16 and everything nearer to 0. */
#ifndef DGQC_UNPACK_H
#define DGQC_UNPACK_H

#include "dgqc_matrix.h"
#include "dgqc_segments.h"

/* The largest multiple of a group whose weights still fit a byte. */
#define DGQC_MOST_ABSORBED 16

/* Machines that look bytes up in vectors unpack faster than they multiply sums between groups. */
#if defined(DGQC_TILE_AVX512) || defined(DGQC_TILE_AVX2) || defined(DGQC_TILE_NEON) || defined(DGQC_MATRIX)
#define DGQC_UNPACKS
#endif

/* The quads first .. first + count - 1 of one panel, of 4 bits: y[quad][16][4]. segments: of `channels` channels, which every
 * tap has, in their order; each multiple is 1 .. DGQC_MOST_ABSORBED. panel: of 64-byte blocks of two quads. */
void dgqc_unpack(const uint8_t *panel, const dgqc_segment *segments, size_t channels, size_t first, size_t count,
                 int8_t *y);

#endif
