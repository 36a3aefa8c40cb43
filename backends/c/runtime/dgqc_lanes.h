/* Lanes: as many int32_t as a vector of the machine holds, or one where it has no vectors that we know.
 *
 * Kernels are written once, over these functions, so that every machine computes the same bits. Additions,
 * subtractions and multiplications wrap. `long_lanes` is the same number of lanes with 64 bits each.
 */
#ifndef DGQC_LANES_H
#define DGQC_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dgqc_words.h"

#if defined(DGQC_PORTABLE)
#include "dgqc_lanes_portable.h"
#elif defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "dgqc_lanes_avx512.h"
#elif defined(__AVX2__)
#include "dgqc_lanes_avx2.h"
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include "dgqc_lanes_neon.h"
#elif defined(__wasm_simd128__)
#include "dgqc_lanes_wasm.h"
#else
#include "dgqc_lanes_portable.h"
#endif

/* Four bytes, of any alignment, in every lane: two int16_t or four bytes of a product. */
static inline lanes lanes_splat_word(const void *word)
{
    return lanes_splat((int32_t)dgqc_load_word(word));
}

/* The first `count` values, zeros after them; all where count is LANES or more. */
static inline lanes lanes_load16_some(const int16_t *x, size_t count)
{
    int16_t each[LANES] = {0};
    if (count >= LANES) {
        return lanes_load16(x);
    }
    memcpy(each, x, count * sizeof *x);
    return lanes_load16(each);
}

static inline void lanes_store16_some(int16_t *y, lanes v, size_t count)
{
    int16_t each[LANES];
    if (count >= LANES) {
        lanes_store16(y, v);
    } else {
        lanes_store16(each, v);
        memcpy(y, each, count * sizeof *y);
    }
}

#ifndef LANES_LOOK_UP
/* table[index] of each lane. table: 64 entries. */
static inline lanes lanes_entry(const int32_t *table, lanes index)
{
    int32_t each[LANES];
    lanes_store(each, index);
    for (size_t i = 0; i < LANES; i++) {
        each[i] = table[each[i]];
    }
    return lanes_load(each);
}
#endif

#ifndef LANES_MASKED
/* The first `count` values; the other lanes hold `fill`. */
static inline lanes lanes_load_some(const int32_t *x, size_t count, int32_t fill)
{
    int32_t each[LANES];
    for (size_t i = 0; i < LANES; i++) {
        each[i] = i < count ? x[i] : fill;
    }
    return lanes_load(each);
}

/* The first `count` lanes; the others become 0. */
static inline lanes lanes_keep(lanes v, size_t count)
{
    int32_t each[LANES];
    lanes_store(each, v);
    return lanes_load_some(each, count, 0);
}

static inline void lanes_store8_some(uint8_t *y, lanes v, size_t count)
{
    uint8_t each[LANES];
    lanes_store8(each, v);
    memcpy(y, each, count);
}
#endif

#endif
