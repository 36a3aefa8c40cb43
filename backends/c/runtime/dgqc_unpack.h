/* Weights of 4 bits as bytes, each times the multiple of its channel's group: what makes a product of any number of groups
 * a plain one. A byte holds -8 times 16 and everything nearer to 0. */
#ifndef DGQC_UNPACK_H
#define DGQC_UNPACK_H

#include "dgqc_matrix.h"
#include "dgqc_segments.h"

/* The largest multiple of a group whose weights still fit a byte. */
#define DGQC_MOST_ABSORBED 16

/* Machines that look bytes up in vectors unpack faster than they multiply sums between groups. */
#if defined(DGQC_TILE_AVX512) || defined(DGQC_TILE_AVX2) || defined(DGQC_TILE_NEON) || \
    defined(DGQC_TILE_I8MM) || defined(DGQC_MATRIX)
#define DGQC_UNPACKS
#elif !defined(DGQC_TILE_WASM)
/* Machines without such vectors do so for two columns at a time (dgqc_two_columns.h), and multiply long runs. */
#define DGQC_UNPACKS_TWO_COLUMNS
#endif

/* What the nibbles of a quad stand for: of each of its four channels' weights, each times the channel's multiple. */
typedef struct {
    int8_t table[DGQC_QUAD][16];
} dgqc_multiplied;

#define DGQC_MULTIPLIED_BYTES 64
typedef char dgqc_a_multiplied_fits[sizeof(dgqc_multiplied) <= DGQC_MULTIPLIED_BYTES ? 1 : -1];

/* All quads of a tap. alike[quad]: how many of them, from this one on, have one multiple in all channels (at most 255); 0 where
 * its own channels differ. */
typedef struct {
    dgqc_multiplied *quads;
    uint8_t *alike;
    size_t count;
} dgqc_multiples;

/* Fills these tables. segments: of `channels` channels in their order; each multiple is 1 .. DGQC_MOST_ABSORBED. */
void dgqc_multiply_nibbles(const dgqc_segment *segments, size_t channels, const dgqc_multiples *to);

/* The quads first .. first + count - 1 of one panel of 4 bits, in blocks of two; taps follow one another: y[quad][16][4]. */
void dgqc_unpack(const uint8_t *panel, const dgqc_multiples *multiples, size_t first, size_t count, int8_t *y);

#endif
