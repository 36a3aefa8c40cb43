/* Weights of 8 bits times the multiple of their group, as two bytes: 256 * high + low, where only the high one has a sign.
 * What one product of codes and bytes can't hold two can, and any number of groups is a plain sum of each. */
#ifndef DGQC_TWO_BYTES_H
#define DGQC_TWO_BYTES_H

#include "dgqc_matrix.h"
#include "dgqc_tile.h"

enum { DGQC_MOST_SPLIT = 255 }; /* the largest multiple: 255 * 128 is less than 2^15 */

/* The multiples of a quad's four channels: those of even and of odd ones, each where its channel's byte is. */
typedef struct {
    uint32_t evens, odds;
} dgqc_split_quad;

static inline dgqc_split_quad dgqc_split_quad_of(const uint32_t multiple[DGQC_QUAD])
{
    const dgqc_split_quad quad = {multiple[0] | multiple[2] << 16, multiple[1] << 8 | multiple[3] << 24};
    return quad;
}

/* dgqc_two_bytes(weights, quads, count, low, high): the blocks of neighbouring quads of a panel. */
#if defined(__AVX512BW__) && !defined(DGQC_PORTABLE)
#include "dgqc_two_bytes_avx512.h"
#else
static inline void dgqc_two_bytes(const int8_t *weights, const dgqc_split_quad *quads, size_t count, int8_t *low, int8_t *high)
{
    for (size_t i = 0; i < count * DGQC_BLOCK_BYTES; i++) {
        const dgqc_split_quad *const quad = quads + i / DGQC_BLOCK_BYTES;
        const uint32_t multiple = (quad->evens | quad->odds) >> (8 * (i % DGQC_QUAD)) & 255;
        const int32_t product = weights[i] * (int32_t)multiple;
        low[i] = (int8_t)(product & 255);
        high[i] = (int8_t)(product >> 8);
    }
}
#endif

#endif
